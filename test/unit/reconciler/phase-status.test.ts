/** The sentences of a status. */

import tap from 'tap';
import {
  cannotDrain,
  changing,
  foreignEdit,
  names,
  notReadyReason,
  queued,
  ready,
  seconds,
} from '#src/reconciler/phase-status.ts';
import { GPU, holder, MPS, SEVEN, SHARED, STATE, settled, told } from './make.ts';

const BY_MPS = '2 GPUs by MPS, 8 clients each';

tap.test('a node at rest: all is there, or what is missing', async (t) => {
  const labels = { 'nvidia.com/gpu.replicas': '1' };
  const cases: readonly [says: string, node: ReturnType<typeof settled>, status: object][] = [
    ['all', settled(MPS), { phase: 'Ready', reason: 'Ready', message: BY_MPS }],
    [
      'an unhealthy GPU',
      settled(MPS, {}, { allocatable: { [SHARED]: '8' } }),
      {
        phase: 'Ready',
        reason: 'SlotsMissing',
        message: `${BY_MPS}; some are not offered: a GPU may be unhealthy`,
      },
    ],
    ['labels', settled(MPS, {}, { labels }), { phase: 'Ready', reason: 'LabelsMissing' }],
    [
      'everything',
      settled(MPS, {}, { allocatable: {} }),
      { phase: 'Failed', reason: 'NotOffered', message: /^the device plugin does not offer what was applied: / },
    ],
  ];
  for (const [says, node, status] of cases) t.match(ready(node, MPS), status, says);
  const failed = settled(SEVEN, {}, { allocatable: {}, labels: { [STATE]: 'failed' } });
  t.match(ready(failed, SEVEN).message, /^mig-manager reports failed, and the device plugin does not offer/);
});

tap.test('a node that changes, or is about to', async (t) => {
  t.strictSame(changing(told(MPS), 'Marked', 'why'), {
    phase: 'Configuring',
    reason: 'Marked',
    message: `to ${BY_MPS}: why`,
  });
  t.strictSame(queued(), { phase: 'Pending', reason: 'Queued', message: 'about to begin' });
});

tap.test('what keeps a node from changing', async (t) => {
  const pods = [holder('p', GPU, { nonEvictableReason: 'has no controller' })];
  t.match(notReadyReason(pods, false), { phase: 'Pending', reason: 'Busy', message: /^waits until .*: team\/p$/ });
  t.match(notReadyReason(pods, true), {
    phase: 'Failed',
    reason: 'DrainTimeout',
    message: /^could not be drained: tried again after 15 minutes, .*: team\/p$/,
  });
  t.strictSame(cannotDrain(pods), {
    phase: 'Pending',
    reason: 'CannotDrain',
    message: 'cannot be drained: team/p has no controller',
  });
});

tap.test('an edit by somebody else is a field as well as a reason', async (t) => {
  t.strictSame(foreignEdit('edited'), {
    phase: 'Failed',
    reason: 'ForeignEdit',
    message: 'edited',
    isForeignEdit: true,
  });
});

tap.test('three pods are named at most', async (t) => {
  const pods = ['c', 'b', 'a', 'd', 'e'].map((name) => holder(name, GPU));
  t.equal(names([]), '');
  t.equal(names(pods.slice(0, 2)), 'team/b, team/c');
  t.equal(names(pods.slice(0, 3)), 'team/a, team/b, team/c');
  t.equal(names(pods), 'team/a, team/b, team/c and 2 more');
});

tap.test('seconds are whole', async (t) => {
  t.strictSame([0, 499, 1_500, 180_000].map(seconds), ['0 s', '0 s', '2 s', '180 s']);
});
