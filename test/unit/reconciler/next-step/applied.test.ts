/** What is to be done next once the components have been told. */

import tap from 'tap';
import { tryAgain } from '#src/api/config-name.ts';
import type { NodeSituation } from '#src/reconciler/step.ts';
import type { ObservedNode, Repair } from '#src/state/observed-node.ts';
import { DISCOVERED } from '../../../objects/nodes.ts';
import {
  GPU,
  MIXED,
  MPS,
  migName,
  PARTITION,
  PAUSED,
  PLUGIN,
  pluginName,
  SEVEN,
  SHARED,
  SLICED,
  STATE,
  settled,
  shown,
  TRANSITION,
  target,
  underWay,
  WHOLE,
} from '../make.ts';
import { markOf, nothing, patch, patchOf, recordOf, step, THEIRS } from './ask.ts';

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
    phaseStatus: { phase: 'Failed', reason: 'MigFailed', message: /applied 3 times in vain/ },
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
      'that of others stays',
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

tap.test('somebody edits the labels under way: it is broken off', async (t) => {
  const paused = { [PAUSED]: 'paused-for-mig-change' };
  const node = underWay(SEVEN, WHOLE, { cordoned: true }, { labels: { ...THEIRS, ...paused }, cordoned: true });
  const next = step(node, target(SEVEN));
  t.match(next, { ...patch('fail'), phaseStatus: { phase: 'Failed', reason: 'ForeignEdit' } });
  t.strictSame(patchOf(next).labels, { [PAUSED]: 'true' }, 'their label stays');
  t.match(patchOf(next), { annotations: { [TRANSITION]: null }, unschedulable: null });
  t.match(recordOf(next), { plugin: pluginName(SEVEN), failed: { reason: 'ForeignEdit' } });
});

tap.test('nobody has labelled the node yet: what is under way is told no less', async (t) => {
  const bare = Object.fromEntries(Object.keys(DISCOVERED).map((key) => [key, undefined]));
  const node = underWay(MPS, MPS, {}, { labels: { ...bare, [PLUGIN]: pluginName(MPS) } });
  t.match(step(node, undefined), nothing('Configuring', 'Registering'));
});
