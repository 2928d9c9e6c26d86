/** What is to be done next on a node, for each situation that it can be found in. */

import tap from 'tap';
import { tryAgain } from '#src/api/config-name.ts';
import { wholeGpus } from '#src/core/partitioning/partition.ts';
import { nextStep, phaseOf } from '#src/reconciler/next-step.ts';
import type { NodeSituation, Step } from '#src/reconciler/step.ts';
import { ANYTHING } from '#src/state/gpu-pods.ts';
import type { LastApplied, ObservedNode, Repair, Transition } from '#src/state/observed-node.ts';
import {
  DISCOVERED,
  GPU,
  HALVES,
  holder,
  MIG,
  MIXED,
  MPS,
  marked,
  migName,
  observed,
  PARTITION,
  PAUSED,
  PLUGIN,
  pluginName,
  SEVEN,
  SEVENTHS,
  SHARED,
  SLICED,
  STATE,
  settled,
  shown,
  situation,
  TIMES,
  TRANSITION,
  target,
  told,
  underWay,
  WHOLE,
} from './make.ts';

const DRAIN = { whenBusy: 'Drain' } as const;
const step = (node: ObservedNode, wanted: ReturnType<typeof target> | undefined, more: Partial<NodeSituation> = {}) =>
  nextStep(situation(node, wanted, more));

function patchOf(next: Step) {
  if (next.do !== 'patch') throw new Error(`it is to do ${next.do}, ${next.phaseStatus?.reason}`);
  return next.patch;
}
/** The mark that a step writes. */
function markOf(next: Step): Transition {
  return JSON.parse(patchOf(next).annotations?.[TRANSITION] ?? 'null');
}
/** The record of what was told that a step writes. */
function recordOf(next: Step): LastApplied {
  return JSON.parse(patchOf(next).annotations?.[PARTITION] ?? 'null');
}
const nothing = (phase: string, reason: string) => ({ do: 'nothing', phaseStatus: { phase, reason } });
const patch = (action: string) => ({ do: 'patch', action });

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
      'instances of the GPU that nonEvictableReason, and of no other',
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
  t.notOk(TRANSITION in (patchOf(next).annotations ?? {}), 'the mark nonEvictableReason');
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

tap.test('told, and mig-manager is at work', async (t) => {
  const cases: readonly [state: string | undefined, reason: string, message: RegExp][] = [
    [undefined, 'Partitioning', /mig-manager is at work/],
    ['pending', 'Partitioning', /mig-manager is at work/],
    ['rebooting', 'Partitioning', /the node reboots for MIG/],
    ['of tomorrow', 'Partitioning', /mig-manager is at work/],
  ];
  for (const [state, reason, message] of cases) {
    const next = step(underWay(SEVEN, WHOLE, {}, { labels: { [STATE]: state } }), target(SEVEN));
    t.match(next, { ...nothing('Configuring', reason), wakeMs: 590_000, phaseStatus: { message } }, String(state));
  }
});

tap.test('each state of mig-manager has a deadline of its own', async (t) => {
  const states = [undefined, 'pending', 'rebooting', 'success'];
  const phases = states.map((state) => phaseOf(underWay(SEVEN, WHOLE, {}, { labels: { [STATE]: state } })));
  t.equal(new Set(phases).size, states.length);
  t.equal(
    phaseOf(marked(SEVEN)),
    phaseOf(marked(SEVEN, {}, { labels: { [STATE]: 'pending' } })),
    'but not before it is told',
  );
});

tap.test(
  'told, and mig-manager has failed or is stuck: once more, under another name, with its pods back',
  async (t) => {
    const paused = { [PAUSED]: 'paused-for-mig-change' };
    const late = { elapsed: 600_000 };
    const cases: readonly [says: string, state: string | undefined, more: Partial<NodeSituation>, repair: Repair][] = [
      ['failed', 'failed', {}, { reason: 'MigFailed', message: 'mig-manager reports failed' }],
      ['stuck', 'pending', late, { reason: 'MigStuck', message: 'mig-manager is still pending after 600 s' }],
      ['the reboot', 'rebooting', late, { reason: 'MigStuck', message: 'mig-manager is still rebooting after 600 s' }],
      ['it is not there', undefined, late, { reason: 'MigStuck', message: 'mig-manager has not begun after 600 s' }],
    ];
    for (const [says, state, more, repair] of cases) {
      const next = step(underWay(SEVEN, WHOLE, {}, { labels: { [STATE]: state, ...paused } }), target(SEVEN), more);
      t.match(next, { ...patch('repair'), phaseStatus: { phase: 'Configuring', reason: 'Repairing' } }, says);
      t.match(
        markOf(next),
        { attempt: 1, plugin: pluginName(SEVEN), mig: tryAgain(migName(SEVEN)), repairs: [repair] },
        says,
      );
      t.strictSame(patchOf(next).labels, { [PAUSED]: 'true' }, says);
    }
  },
);

tap.test('told three times in vain: it is given up, and the node given back', async (t) => {
  const paused = { [PAUSED]: 'paused-for-mig-change' };
  const failed = (message: string) => ({ reason: 'MigFailed', message });
  const was = { attempt: 2, repairs: [failed('a'), failed('b')], cordoned: true };
  const next = step(
    underWay(SEVEN, WHOLE, was, { labels: { [STATE]: 'failed', ...paused }, cordoned: true }),
    target(SEVEN),
  );
  t.match(next, {
    ...patch('fail'),
    phaseStatus: { phase: 'Failed', reason: 'MigFailed', message: /told 3 times in vain/ },
  });
  t.match(patchOf(next), { labels: { [PAUSED]: 'true' }, annotations: { [TRANSITION]: null }, unschedulable: null });
  t.match(recordOf(next), {
    plugin: pluginName(SEVEN),
    failed: { reason: 'MigFailed' },
    repairs: [failed('a'), failed('b'), { reason: 'MigFailed', message: /^mig/ }],
  });
});

tap.test('told, and the device plugin registers anew', async (t) => {
  const none = underWay(MPS, WHOLE, {}, { allocatable: { [GPU]: '0' } });
  t.match(step(none, target(MPS)), { ...nothing('Configuring', 'Registering'), wakeMs: 170_000 });
  const unlabelled = underWay(MPS, MPS, {}, { labels: { 'nvidia.com/gpu.replicas': '1' } });
  t.match(step(unlabelled, target(MPS)).phaseStatus, {
    reason: 'Registering',
    message: /GPU Feature Discovery has to label/,
  });
  const next = step(none, target(MPS), { elapsed: 180_000 });
  t.match(next, { ...patch('repair'), phaseStatus: { reason: 'Repairing' } });
  t.match(markOf(next), {
    attempt: 1,
    plugin: tryAgain(pluginName(MPS)),
    repairs: [{ reason: 'PluginStuck', message: / after 180 s$/ }],
  });
  t.equal(markOf(next).mig, undefined);
});

tap.test(
  'what is there and labelled is finished; after the deadline also what is not labelled, or not all there',
  async (t) => {
    const late = { elapsed: 180_000 };
    const cases: readonly [says: string, node: ObservedNode, more: Partial<NodeSituation>, reason: string][] = [
      ['all is there', underWay(MPS, MPS), {}, 'Ready'],
      ['instances', underWay(SEVEN, SEVEN, {}, { labels: { [STATE]: 'success' } }), {}, 'Ready'],
      [
        'nobody labels it',
        underWay(MPS, MPS, { attempt: 1 }, { labels: { 'nvidia.com/gpu.replicas': '1' } }),
        late,
        'LabelsMissing',
      ],
      ['a GPU is unhealthy', underWay(MPS, MPS, {}, { allocatable: { [SHARED]: '8' } }), late, 'SlotsMissing'],
    ];
    for (const [says, node, more, reason] of cases) {
      const next = step(node, target(MPS), { ...more, desired: undefined });
      t.match(next, { ...patch('finish'), phaseStatus: { phase: 'Ready', reason } }, says);
      t.match(patchOf(next).annotations, { [TRANSITION]: null, [PARTITION]: /"plugin"/ }, says);
      t.notOk('labels' in patchOf(next), says);
    }
    const cordoned = step(underWay(MPS, MPS, { cordoned: true }, { cordoned: true }), target(MPS));
    t.equal(patchOf(cordoned).unschedulable, null, 'a cordon of ours ends with it');
    t.notOk(
      'unschedulable' in patchOf(step(underWay(MPS, MPS, {}, { cordoned: true }), target(MPS))),
      'that of others nonEvictableReason',
    );
  },
);

tap.test('slots that the labels call otherwise may be those from before: told once more', async (t) => {
  const late = { elapsed: 180_000 };
  const cases: readonly [says: string, shows: Parameters<typeof target>[0], attempt: number, action: string][] = [
    ['as many, by other means', { ...MPS, sharing: { mode: 'timeslicing', replicas: 8 } }, 0, 'repair'],
    [
      'as many, and that has changed nothing: nobody labels it',
      { ...MPS, sharing: { mode: 'timeslicing', replicas: 8 } },
      1,
      'finish',
    ],
    ['fewer, which are no unhealthy GPU', SLICED, 0, 'repair'],
    ['fewer, time and again', SLICED, 2, 'fail'],
  ];
  for (const [says, shows, attempt, action] of cases) {
    t.match(step(underWay(MPS, shows, { attempt }), target(MPS), late), patch(action), says);
  }
  const rest = settled(MPS, {}, shown(SLICED));
  t.match(step(rest, target(MPS)), nothing('Failed', 'NotOffered'));
});

tap.test('what looks finished at once may be what was there before: the plugin needs a moment to notice', async (t) => {
  const next = step(underWay(MPS, MPS), target(MPS), { elapsed: 1_000 });
  t.match(next, { ...nothing('Configuring', 'Registering'), wakeMs: 5_000 });
});

tap.test('told, and the wish is gone: what was begun is finished', async (t) => {
  t.match(step(underWay(MPS, WHOLE), undefined), { do: 'nothing', wakeMs: 170_000 });
  t.match(step(underWay(MPS, MPS), undefined), patch('finish'));
});

tap.test('told, and another partition is wanted', async (t) => {
  const next = step(underWay(MPS, WHOLE), target(SLICED, { generation: 2 }));
  t.match(next, patch('retarget'));
  t.match(markOf(next), { plugin: pluginName(SLICED), generation: 2 });
  for (const state of ['pending', 'rebooting']) {
    const atWork = underWay(SEVEN, WHOLE, {}, { labels: { [STATE]: state } });
    t.match(
      step(atWork, target(MIXED)),
      nothing('Configuring', 'Partitioning'),
      'mig-manager is not disturbed at work',
    );
  }
  for (const state of [undefined, 'success', 'failed']) {
    const node = underWay(SEVEN, WHOLE, {}, { labels: { [STATE]: state } });
    t.match(step(node, target(MIXED)), patch('retarget'), `but where it is ${state}`);
  }
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

const THEIRS = { [PLUGIN]: 'theirs' };

tap.test('somebody edits the labels at rest: it is told, and not fought over', async (t) => {
  const cases: readonly [says: string, labels: Record<string, string | undefined>, message: RegExp][] = [
    [
      'set',
      THEIRS,
      /^somebody else has set to "theirs" the label nvidia\.com\/device-plugin\.config, which was gpu-autoscaler-/,
    ],
    ['removed', { [PLUGIN]: undefined }, /^somebody else has removed the label nvidia\.com\/device-plugin\.config/],
    ['of MIG', { [MIG]: 'all-disabled' }, /set to "all-disabled" the label nvidia\.com\/mig\.config/],
    [
      'both',
      { ...THEIRS, [MIG]: 'x' },
      /theirs.*; somebody else has set to "x".*--overwrite nvidia\.com\/device-plugin\.config=gpu-autoscaler-\S+ nvidia\.com\/mig\.config=gpu-autoscaler-\S+$/,
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

tap.test('somebody edits the labels under way: it is broken off', async (t) => {
  const paused = { [PAUSED]: 'paused-for-mig-change' };
  const node = underWay(SEVEN, WHOLE, { cordoned: true }, { labels: { ...THEIRS, ...paused }, cordoned: true });
  const next = step(node, target(SEVEN));
  t.match(next, { ...patch('fail'), phaseStatus: { phase: 'Failed', reason: 'ForeignEdit' } });
  t.strictSame(patchOf(next).labels, { [PAUSED]: 'true' }, 'their label nonEvictableReason');
  t.match(patchOf(next), { annotations: { [TRANSITION]: null }, unschedulable: null });
  t.match(recordOf(next), { plugin: pluginName(SEVEN), failed: { reason: 'ForeignEdit' } });
});

tap.test('what an edit has broken off nonEvictableReason so until it is taken back, or the spec changes', async (t) => {
  const failed = { reason: 'ForeignEdit', message: 'somebody else' };
  const edited = settled(SEVEN, { failed }, { labels: THEIRS });
  t.match(step(edited, target(SEVEN), { elapsed: 10_000_000 }), {
    ...nothing('Failed', 'ForeignEdit'),
    wakeMs: undefined,
  });
  t.match(step(edited, target(SEVEN, { generation: 2 })), patch('begin'));
  t.match(step(settled(SEVEN, { failed }), target(SEVEN)), patch('begin'), 'as the status says: kubectl label node …');
});

tap.test('nobody has labelled the node yet: what is under way is told no less', async (t) => {
  const bare = Object.fromEntries(Object.keys(DISCOVERED).map((key) => [key, undefined]));
  const node = underWay(MPS, MPS, {}, { labels: { ...bare, [PLUGIN]: pluginName(MPS) } });
  t.match(step(node, undefined), nothing('Configuring', 'Registering'));
});

tap.test('a node that has got another number of GPUs is partitioned anew', async (t) => {
  t.match(step(settled(MPS), target({ ...wholeGpus(3), sharing: MPS.sharing })), patch('begin'));
});
