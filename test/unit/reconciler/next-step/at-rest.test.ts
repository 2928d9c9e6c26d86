/** What is to be done next on a node at rest. */

import tap from 'tap';
import { tryAgain } from '#src/api/config-name.ts';
import { wholeGpus } from '#src/core/partitioning/partition.ts';
import { phaseOf } from '#src/reconciler/next-step.ts';
import type { ObservedNode } from '#src/state/observed-node.ts';
import {
  GPU,
  holder,
  MIG,
  MPS,
  migName,
  observed,
  PLUGIN,
  pluginName,
  SEVEN,
  SEVENTHS,
  SHARED,
  STATE,
  settled,
  shown,
  TIMES,
  target,
  told,
  WHOLE,
} from '../make.ts';
import { markOf, nothing, patch, patchOf, recordOf, step, THEIRS } from './ask.ts';

tap.test('at rest, and as it is wanted: nothing is done', async (t) => {
  const cases: readonly [
    says: string,
    node: ObservedNode,
    wanted: Parameters<typeof target>[0],
    phase: string,
    reason: string,
  ][] = [
    ['so since ever', observed(), WHOLE, 'Ready', 'Ready'],
    ['so by somebody else', observed(shown(MPS)), MPS, 'Ready', 'Ready'],
    ['as it was told', settled(MPS), MPS, 'Ready', 'Ready'],
    ['a GPU is unhealthy', settled(MPS, {}, { allocatable: { [SHARED]: '8' } }), MPS, 'Ready', 'SlotsMissing'],
    [
      'labels are missing',
      settled(MPS, {}, { labels: { 'nvidia.com/gpu.replicas': '1' } }),
      MPS,
      'Ready',
      'LabelsMissing',
    ],
    ['nothing is offered', settled(MPS, {}, { allocatable: {} }), MPS, 'Failed', 'NotOffered'],
  ];
  for (const [says, node, wanted, phase, reason] of cases) {
    const next = step(node, target(wanted));
    t.match(next, nothing(phase, reason), says);
    // What is lost is told once more after a while; otherwise nobody looks again.
    t.equal(next.do === 'nothing' && next.wakeMs !== undefined, reason === 'NotOffered', says);
  }
  t.strictSame(
    step(settled(MPS), undefined),
    { do: 'nothing', phaseStatus: undefined, wakeMs: undefined },
    'nothing is wanted',
  );
});

tap.test('what was told and is offered no more is told once more, under other names', async (t) => {
  const allocatable = { [GPU]: '2' };
  const lost = settled(SEVEN, {}, { allocatable });
  t.equal(phaseOf(lost), 'lost');
  t.match(step(lost, target(SEVEN), { elapsed: 0 }), { do: 'nothing', wakeMs: TIMES.pluginDeadline }, 'not at once');
  const late = { elapsed: TIMES.pluginDeadline };
  const begun = markOf(step(lost, target(SEVEN), late));
  t.equal(begun.plugin, tryAgain(pluginName(SEVEN)));
  t.equal(begun.mig, tryAgain(migName(SEVEN)));
  t.match(step(lost, target(SEVEN, { generation: 2 })), patch('begin'), 'at once, where somebody asks again');
  const failed = settled(SEVEN, {}, { allocatable, labels: { [STATE]: 'failed' } });
  t.match(step(failed, target(SEVEN)), patch('begin'), 'or where mig-manager has failed');
  const held = { ...late, gpuPods: [holder('p', GPU)] };
  t.match(step(lost, target(SEVEN), held), nothing('Pending', 'Busy'), 'but not under pods that hold what is there');
});

tap.test(
  'given up: again after a while, or at once for a changed spec, and never under the names that failed',
  async (t) => {
    const failed = { reason: 'MigFailed', message: 'why' };
    const node = settled(
      SEVEN,
      { failed },
      { ...shown(WHOLE), labels: { ...shown(WHOLE).labels, [STATE]: 'failed', [`${SEVENTHS}.count`]: undefined } },
    );
    t.match(phaseOf(node), /^failed /);
    t.match(step(node, target(SEVEN), { elapsed: 60_000 }), {
      ...nothing('Failed', 'MigFailed'),
      wakeMs: 840_000,
      phaseStatus: { message: 'why' },
    });
    for (const next of [
      step(node, target(SEVEN), { elapsed: 900_000 }),
      step(node, target(SEVEN, { generation: 2 })),
    ]) {
      t.match(next, patch('begin'));
      t.match(markOf(next), {
        plugin: tryAgain(pluginName(SEVEN)),
        mig: tryAgain(migName(SEVEN)),
        attempt: 0,
        repairs: [],
      });
    }
    t.match(step(node, target(MPS)), patch('begin'), 'another partition is begun at once');
    t.match(step(node, undefined), { do: 'nothing', phaseStatus: undefined });
  },
);

tap.test('somebody edits the labels at rest: it is told, and not fought over', async (t) => {
  const cases: readonly [says: string, labels: Record<string, string | undefined>, message: RegExp][] = [
    [
      'set',
      THEIRS,
      /^another client has set to "theirs" the label nvidia\.com\/device-plugin\.config, which was gpu-autoscaler-/,
    ],
    ['removed', { [PLUGIN]: undefined }, /^another client has removed the label nvidia\.com\/device-plugin\.config/],
    ['of MIG', { [MIG]: 'all-disabled' }, /set to "all-disabled" the label nvidia\.com\/mig\.config/],
    [
      'both',
      { ...THEIRS, [MIG]: 'x' },
      /theirs.*; another client has set to "x".*--overwrite nvidia\.com\/device-plugin\.config=gpu-autoscaler-\S+ nvidia\.com\/mig\.config=gpu-autoscaler-\S+$/,
    ],
  ];
  for (const [says, labels, message] of cases) {
    const next = step(settled(SEVEN, {}, { labels }), target(SEVEN), { elapsed: 10_000_000 });
    t.match(next, { ...nothing('Failed', 'ForeignEdit'), wakeMs: undefined, phaseStatus: { message } }, says);
  }
  t.match(step(settled(SEVEN), target(SEVEN)), nothing('Ready', 'Ready'), 'taken back, all is well');
  t.match(
    step(settled(MPS, {}, { labels: { [MIG]: 'all-disabled' } }), target(MPS)),
    nothing('Ready', 'Ready'),
    'what we never told is not ours',
  );
});

tap.test('a changed spec takes over, under a name that differs from the one that was overwritten', async (t) => {
  const node = settled(SEVEN, {}, { labels: { ...THEIRS, [MIG]: 'x' } });
  const next = step(node, target(SEVEN, { generation: 2 }));
  t.match(next, patch('begin'));
  t.match(markOf(next), { plugin: tryAgain(pluginName(SEVEN)), mig: tryAgain(migName(SEVEN)) });
  const other = markOf(step(node, target(MPS)));
  t.match(other, { plugin: pluginName(MPS), mig: migName(MPS) }, 'the names of another partition differ as they are');
});

tap.test(
  'a spec that changes in what is no partition takes over the record, so that a later edit is no reason to fight',
  async (t) => {
    for (const wanted of [target(MPS, { generation: 2 }), target(MPS, { config: 'other' })]) {
      const next = step(settled(MPS), wanted);
      t.match(next, { ...patch('adopt'), phaseStatus: { phase: 'Ready' } });
      t.strictSame(Object.keys(patchOf(next)), ['annotations']);
      t.match(recordOf(next), {
        ...JSON.parse(JSON.stringify(told(MPS))),
        config: wanted.config,
        generation: wanted.generation,
      });
    }
  },
);

tap.test('what an edit has broken off stays so until it is taken back, or the spec changes', async (t) => {
  const failed = { reason: 'ForeignEdit', message: 'somebody else' };
  const edited = settled(SEVEN, { failed }, { labels: THEIRS });
  t.match(step(edited, target(SEVEN), { elapsed: 10_000_000 }), {
    ...nothing('Failed', 'ForeignEdit'),
    wakeMs: undefined,
  });
  t.match(step(edited, target(SEVEN, { generation: 2 })), patch('begin'));
  t.match(step(settled(SEVEN, { failed }), target(SEVEN)), patch('begin'), 'as the status says: kubectl label node …');
});

tap.test('a node that has got another number of GPUs is partitioned anew', async (t) => {
  t.match(step(settled(MPS), target({ ...wholeGpus(3), sharing: MPS.sharing })), patch('begin'));
});
