/** How a change begins, and what it waits for. */

import tap from 'tap';
import { ANYTHING } from '#src/state/gpu-pods.ts';
import type { ObservedNode } from '#src/state/observed-node.ts';
import {
  GPU,
  HALVES,
  holder,
  MIG,
  MIXED,
  MPS,
  migName,
  observed,
  pluginName,
  SEVEN,
  SEVENTHS,
  STATE,
  settled,
  shown,
  TIMES,
  target,
} from '../make.ts';
import { DRAIN, markOf, nothing, patch, patchOf, step } from './ask.ts';

tap.test('it begins with a mark, and nothing else', async (t) => {
  const next = step(observed(), target(MPS));
  t.match(next, { ...patch('begin'), phaseStatus: { phase: 'Configuring', reason: 'Marked' } });
  t.strictSame(Object.keys(patchOf(next)), ['annotations']);
  t.strictSame(markOf(next), {
    config: 'c',
    generation: 1,
    plugin: pluginName(MPS),
    partition: { layouts: [null, null], sharing: { mode: 'mps', replicas: 8 } },
    cordoned: false,
    attempt: 0,
    repairs: [],
  });
  t.equal(markOf(step(observed(), target(SEVEN))).mig, migName(SEVEN), 'mig-manager is told where MIG is wanted');
});

tap.test('mig-manager is left alone only where MIG has never been on', async (t) => {
  const cases: readonly [says: string, node: ObservedNode, mig: string | undefined][] = [
    ['no label', observed(), undefined],
    ['switched off by default', observed({ labels: { [MIG]: 'all-disabled', [STATE]: 'success' } }), undefined],
    ['switched off, but not yet', observed({ labels: { [MIG]: 'all-disabled', [STATE]: 'pending' } }), migName(MPS)],
    [
      'cut by somebody',
      observed({ ...shown(SEVEN), labels: { ...shown(SEVEN).labels, [MIG]: 'all-1g.5gb', [STATE]: 'success' } }),
      migName(MPS),
    ],
    ['cut by us', settled(SEVEN), migName(MPS)],
    [
      'cut by us, and somebody has removed the label',
      settled(SEVEN, {}, { labels: { [MIG]: undefined } }),
      migName(MPS),
    ],
    ['cut by somebody who has removed the label', observed(shown(SEVEN)), migName(MPS)],
  ];
  for (const [says, node, mig] of cases) t.equal(markOf(step(node, target(MPS))).mig, mig, says);
});

tap.test('while pods hold what is to change, it waits', async (t) => {
  const gpuPods = ['d', 'c', 'b', 'a'].map((name) => holder(name, GPU));
  t.match(step(observed(), target(MPS), { gpuPods }), {
    ...nothing('Pending', 'Busy'),
    phaseStatus: {
      message: 'waits until these are gone, which hold GPUs that are to change: team/b, team/c, team/d and 1 more',
    },
  });
  const cases: readonly [
    says: string,
    from: ObservedNode,
    to: Parameters<typeof target>[0],
    held: string,
    waits: boolean,
  ][] = [
    ['instances of the GPU that is cut anew', settled(SEVEN), MIXED, SEVENTHS, true],
    ['instances of another kind', settled(MIXED), SEVEN, HALVES, true],
    [
      'instances of the GPU that stays, and of no other',
      settled(MIXED),
      { ...MIXED, layouts: [{ '2g.10gb': 3 }, { '3g.20gb': 2 }] },
      HALVES,
      false,
    ],
    ['something that nobody can read', settled(SEVEN), MIXED, ANYTHING, true],
    [
      'anything where a mode changes',
      settled(MIXED),
      { ...MIXED, layouts: [{ '1g.5gb': 7 }, undefined] },
      SEVENTHS,
      true,
    ],
    ['anything where nobody knows what is there', observed(shown(MIXED)), SEVEN, HALVES, true],
  ];
  for (const [says, from, to, held, waits] of cases) {
    const next = step(from, target(to), { gpuPods: [holder('p', held)] });
    t.match(next, waits ? nothing('Pending', 'Busy') : patch('begin'), says);
  }
});

tap.test('with Drain it does not wait: the node is cordoned too, unless it is already', async (t) => {
  const gpuPods = [holder('p', GPU)];
  const next = step(observed(), target(MPS, DRAIN), { gpuPods });
  t.match(next, patch('begin'));
  t.equal(patchOf(next).unschedulable, true);
  t.equal(markOf(next).cordoned, true);
  const already = step(observed({ cordoned: true }), target(MPS, DRAIN), { gpuPods });
  t.notOk('unschedulable' in patchOf(already));
  t.equal(markOf(already).cordoned, false, 'whoever cordoned it uncordons it');
  t.notOk('unschedulable' in patchOf(step(observed(), target(MPS, DRAIN))), 'nobody is there');
});

tap.test('what must not be evicted keeps a drain from beginning', async (t) => {
  for (const nonEvictableReason of ['is a static pod of its kubelet', 'belongs to DaemonSet d', 'has no controller']) {
    const gpuPods = [holder('p', GPU), holder('q', GPU, { nonEvictableReason })];
    const next = step(observed(), target(MPS, DRAIN), { gpuPods });
    t.match(next, {
      ...nothing('Pending', 'CannotDrain'),
      phaseStatus: { message: `cannot be drained: team/q ${nonEvictableReason}` },
    });
  }
});

tap.test('a drain that was given up is tried again after a while, though nothing else happens', async (t) => {
  const next = step(observed(), target(MPS, DRAIN), { gpuPods: [holder('p', GPU)], drainGivenUp: true });
  t.match(next, { ...nothing('Failed', 'DrainTimeout'), wakeMs: TIMES.retry });
  t.match(step(observed(), target(MPS, DRAIN), { drainGivenUp: true }), patch('begin'), 'or as soon as they have gone');
});

tap.test('only so many nodes at the same time', async (t) => {
  t.match(step(observed(), target(MPS), { mayBegin: false }), { ...nothing('Pending', 'Queued'), waitsForTurn: true });
  const busy = step(observed(), target(MPS), { mayBegin: false, gpuPods: [holder('p', GPU)] });
  t.match(busy, nothing('Pending', 'Busy'), 'a node that waits for its pods takes nobody’s turn');
});
