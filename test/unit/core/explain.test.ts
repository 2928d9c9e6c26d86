/** Why not, GPU by GPU. */

import tap from 'tap';
import { explainGpus } from '#src/core/explain.ts';
import { Ledger } from '#src/core/ledger.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { request, sharedNode } from '../make.ts';

const ledger = new Ledger();
ledger.setNode(sharedNode('timeslicing', 4, { name: 'a', gpus: 2 }));
ledger.allocate({ uid: '1', pod: 'p', node: 'a', state: 'confirmed', resources: [{ resource: SHARED_GPU, count: 5 }] });

tap.test('a request that fits needs no explanation', async (t) => {
  t.strictSame(explainGpus(ledger, 'a', request(SHARED_GPU, 3)), []);
});

tap.test('too few slots: each GPU says what it has and what is held of it', async (t) => {
  t.strictSame(explainGpus(ledger, 'a', request(SHARED_GPU, 4)), [
    { gpu: 0, resource: SHARED_GPU, code: 'InsufficientSlots', numbers: { slots: 4, held: 4 } },
    { gpu: 1, resource: SHARED_GPU, code: 'InsufficientSlots', numbers: { slots: 4, held: 1 } },
  ]);
});

tap.test('slots that are too small: the figures of the slot', async (t) => {
  const [first, second] = explainGpus(ledger, 'a', request(SHARED_GPU, 1, { slotMilli: 500 }));
  t.match(first, { gpu: 0, code: 'SlotTooSmall', numbers: { slotMilli: 250, askedMilli: 500 } });
  t.match(second, { gpu: 1, code: 'SlotTooSmall' });
});

tap.test('a resource that the node does not offer', async (t) => {
  t.match(explainGpus(ledger, 'a', request(WHOLE_GPU, 1)), [
    { gpu: 0, code: 'WrongMode' },
    { gpu: 1, code: 'WrongMode' },
  ]);
});

tap.test('a node that is not known has no GPUs to speak of', async (t) => {
  t.strictSame(explainGpus(ledger, 'nobody', request(WHOLE_GPU, 1)), []);
});
