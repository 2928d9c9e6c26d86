/** What is to be done next on a node in transition, until its components have been told. */

import tap from 'tap';
import { tryAgain } from '#src/api/config-name.ts';
import type { NodeSituation, Step } from '#src/reconciler/step.ts';
import {
  GPU,
  holder,
  MIG,
  MIXED,
  MPS,
  marked,
  migName,
  PARTITION,
  PLUGIN,
  pluginName,
  SEVEN,
  SEVENTHS,
  SLICED,
  STATE,
  shown,
  TIMES,
  TRANSITION,
  target,
  told,
  underWay,
  WHOLE,
} from '../make.ts';
import { DRAIN, markOf, nothing, patch, patchOf, recordOf, step } from './ask.ts';

tap.test('marked: the names are written, known for long enough, and only then told', async (t) => {
  const ages = (plugin: number | undefined, mig: number | undefined): Partial<NodeSituation> => ({
    age: (component) => ({ plugin, mig })[component],
  });
  const node = marked(SEVEN);
  for (const more of [ages(undefined, 1), ages(1, undefined), ages(undefined, undefined)]) {
    const next = step(node, target(SEVEN), more);
    t.match(next, { do: 'write-configs', phaseStatus: { reason: 'WritingKeys' } });
    t.match(next, { plugin: { name: pluginName(SEVEN) }, mig: { name: migName(SEVEN) } });
  }
  t.match(step(node, target(SEVEN), ages(10_000, 90_000)), {
    ...nothing('Configuring', 'Propagating'),
    wakeMs: 80_000,
  });
  t.match(step(node, target(SEVEN), ages(90_000, 10_000)), {
    ...nothing('Configuring', 'Propagating'),
    wakeMs: 80_000,
  });
  t.match(step(node, target(SEVEN), { elapsed: 1_000 }), { ...nothing('Configuring', 'Propagating'), wakeMs: 5_000 });
  t.match(step(node, target(SEVEN), { ...ages(90_000, 90_000), elapsed: 6_000 }), patch('apply'));
});

tap.test('of MIG nothing is written where nothing is told', async (t) => {
  const next = step(marked(MPS), target(MPS), { age: () => undefined });
  t.match(next, { do: 'write-configs', mig: undefined });
  t.equal(next.do === 'write-configs' && JSON.parse(next.plugin.text).sharing.mps.resources[0].replicas, 8);
});

tap.test('the text stands under the name of the mark, whatever try it is', async (t) => {
  const names = { plugin: tryAgain(pluginName(SEVEN)), mig: tryAgain(migName(SEVEN)) };
  const next = step(marked(SEVEN, names), target(SEVEN), { age: () => undefined });
  t.match(next, { do: 'write-configs', plugin: { name: names.plugin }, mig: { name: names.mig } });
  t.strictSame(next.do === 'write-configs' && [next.plugin.text, next.mig?.text], [
    target(SEVEN).plugin.text,
    target(SEVEN).mig.text,
  ]);
});

tap.test('told: labels and record in one patch, without what mig-manager said last', async (t) => {
  const next = step(
    marked(
      SEVEN,
      { repairs: [{ reason: 'MigFailed', message: 'x' }] },
      { labels: { [MIG]: 'all-disabled', [STATE]: 'success' } },
    ),
    target(SEVEN),
  );
  t.match(next, { ...patch('apply'), phaseStatus: { reason: 'Told' } });
  t.strictSame(patchOf(next).labels, { [PLUGIN]: pluginName(SEVEN), [MIG]: migName(SEVEN), [STATE]: null });
  t.strictSame(recordOf(next), {
    ...JSON.parse(JSON.stringify(told(SEVEN))),
    repairs: [{ reason: 'MigFailed', message: 'x' }],
  });
  t.notOk(TRANSITION in (patchOf(next).annotations ?? {}), 'the mark stays');
  const plain = step(marked(MPS), target(MPS));
  t.strictSame(patchOf(plain).labels, { [PLUGIN]: pluginName(MPS) }, 'without MIG, nothing of MIG');
  const same = step(marked(SEVEN, {}, { labels: { [MIG]: migName(SEVEN), [STATE]: 'success' } }), target(SEVEN));
  t.strictSame(patchOf(same).labels, { [PLUGIN]: pluginName(SEVEN) }, 'a name that it has been told keeps its state');
});

tap.test('marked, and pods came at the last moment', async (t) => {
  const gpuPods = [holder('p', GPU)];
  const next = step(marked(MPS), target(MPS), { gpuPods });
  t.match(next, { ...patch('abort'), phaseStatus: { phase: 'Pending', reason: 'Busy' } });
  t.strictSame(patchOf(next), { annotations: { [TRANSITION]: null } });
});

tap.test('marked, with Drain: evicted every few seconds, until the deadline gives the node back', async (t) => {
  const node = marked(MPS, { cordoned: true }, { cordoned: true });
  const [stuck, going] = [holder('p', GPU), holder('q', GPU, { terminating: true })];
  const gpuPods = [stuck, going];
  const next = step(node, target(MPS, DRAIN), { gpuPods });
  t.match(next, { do: 'evict', wakeMs: TIMES.evict, phaseStatus: { phase: 'Configuring', reason: 'Draining' } });
  t.strictSame(next.do === 'evict' && next.pods, [stuck], 'not those that are on their way');
  t.match(step(node, target(MPS, DRAIN), { gpuPods, elapsed: 598_000 }), { do: 'evict', wakeMs: 2_000 });
  const late = step(node, target(MPS, DRAIN), { gpuPods, elapsed: 600_000 });
  t.match(late, { ...patch('abort'), gaveUpDrain: true, phaseStatus: { phase: 'Failed', reason: 'DrainTimeout' } });
  t.match(late.phaseStatus?.message, /not drained within 600 s, the node is given back: team\/p, team\/q did not go/);
  t.strictSame(patchOf(late), { annotations: { [TRANSITION]: null }, unschedulable: null });
  const bare = step(node, target(MPS, DRAIN), {
    gpuPods: [holder('r', GPU, { nonEvictableReason: 'has no controller' })],
  });
  t.match(bare, { ...patch('abort'), phaseStatus: { phase: 'Pending', reason: 'CannotDrain' } });
  t.equal(patchOf(bare).unschedulable, null);
  t.match(
    step(node, target(MPS, DRAIN), { age: () => undefined, gpuPods }),
    { do: 'write-configs' },
    'the names are written first',
  );
});

tap.test('marked, and the wish is gone or another', async (t) => {
  const node = marked(MPS, { cordoned: true }, { cordoned: true });
  const gone = step(node, undefined);
  t.match(gone, { ...patch('abort'), phaseStatus: undefined });
  t.strictSame(patchOf(gone), { annotations: { [TRANSITION]: null }, unschedulable: null });
  const next = step(node, target(SLICED, { generation: 2 }));
  t.match(next, patch('retarget'));
  t.match(markOf(next), { generation: 2, plugin: pluginName(SLICED), cordoned: true, attempt: 0 });
});

tap.test('what was told is seen to its end, though the next cannot begin', async (t) => {
  const gpuPods = [holder('p', SEVENTHS)];
  const node = underWay(SEVEN, WHOLE);
  t.match(step(node, target(MIXED), { gpuPods }), nothing('Configuring', 'Partitioning'), 'pods: no other is aimed at');
  // Aimed at already, when pods came or the wish went: the components have been told of SEVEN, and are at it.
  const record = { [PARTITION]: JSON.stringify(told(SEVEN)) };
  const labels = { ...shown(WHOLE).labels, [PLUGIN]: pluginName(SEVEN), [MIG]: migName(SEVEN) };
  const cordon = { cordoned: true, repairs: [{ reason: 'MigStuck', message: 'x' }] };
  const aimed = marked(MIXED, cordon, { labels, annotations: record, cordoned: true });
  const returns: readonly [says: string, next: Step][] = [
    ['pods came', step(aimed, target(MIXED), { gpuPods })],
    ['the wish is gone', step(aimed, undefined)],
    ['a drain is late', step(aimed, target(MIXED, DRAIN), { gpuPods, elapsed: 600_000 })],
    [
      'it cannot be drained',
      step(aimed, target(MIXED, DRAIN), { gpuPods: [holder('p', SEVENTHS, { nonEvictableReason: 'x' })] }),
    ],
  ];
  for (const [says, next] of returns) {
    t.match(next, patch('retarget'), says);
    t.match(markOf(next), { plugin: pluginName(SEVEN), mig: migName(SEVEN), ...cordon, attempt: 0 }, says);
    t.notOk('unschedulable' in patchOf(next), says);
  }
  for (const state of [undefined, 'pending', 'failed']) {
    // Nothing to be seen yet, and mig-manager is about to begin.
    const asBefore = { [PLUGIN]: pluginName(SEVEN), [MIG]: migName(SEVEN), ...shown(SEVEN).labels, [STATE]: state };
    const node = marked(MIXED, {}, { ...shown(SEVEN), labels: asBefore, annotations: record });
    t.match(step(node, undefined), patch('retarget'), String(state));
  }
  const done = { ...shown(SEVEN), labels: { ...labels, ...shown(SEVEN).labels, [STATE]: 'success' } };
  const arrived = marked(MIXED, cordon, { ...done, annotations: record });
  t.match(step(arrived, undefined), patch('abort'), 'once it has come true the node is given back');
});

tap.test('told once more: pods that hold what does not change are left alone', async (t) => {
  const record = { [PARTITION]: JSON.stringify(told(MIXED)) };
  const labels = { ...shown(SEVEN).labels, [PLUGIN]: pluginName(MIXED), [MIG]: migName(MIXED), [STATE]: 'failed' };
  const again = { attempt: 1, mig: tryAgain(migName(MIXED)) };
  const node = marked(MIXED, again, { labels, allocatable: { [SEVENTHS]: '0' }, annotations: record });
  for (const how of [{}, DRAIN]) {
    t.match(step(node, target(MIXED, how), { gpuPods: [holder('p', SEVENTHS)] }), patch('apply'));
  }
});
