/** How an emulated GPU node behaves; each behaviour by its place in NVIDIA's components. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import { NVIDIA } from '#src/sandbox/gpu-node/timing.ts';
import {
  A100_NODE,
  CUTS,
  GPU,
  MIG,
  MIXED,
  mps,
  offers,
  PLUGIN,
  pod,
  runs,
  SEVENTHS,
  SHARED,
  STATE,
  said,
  slices,
  started,
  startedForMig,
  state,
  until,
} from './make.ts';

tap.test('from the start every GPU is offered whole, and labelled', async (t) => {
  const { allocatable, capacity, labels } = await started(t);
  t.same(allocatable, { [GPU]: '2' });
  t.same(capacity, { [GPU]: '2' });
  t.match(labels, { 'nvidia.com/gpu.count': '2', 'nvidia.com/gpu.replicas': '1', 'nvidia.com/mig.capable': 'true' });
});

tap.test('a key that is there: old resources go to 0, then the new ones come, then the labels', async (t) => {
  const emulated = await started(t);
  emulated.volumes.plugin.ts4 = slices(4);
  emulated.label({ [PLUGIN]: 'ts4' });
  await offers(emulated, GPU, 0);
  t.equal(emulated.capacity[GPU], '2', 'the capacity is kept');
  await offers(emulated, SHARED, 8);
  await until('the labels follow', () => emulated.labels['nvidia.com/gpu.replicas'] === '4');
  t.equal(emulated.labels['nvidia.com/gpu.sharing-strategy'], 'time-slicing');
  t.equal(emulated.labels['nvidia.com/gpu.product'], A100_NODE.product, 'renamed: no -SHARED');
  await until('kubelet forgets what vanished', () => emulated.capacity[GPU] === undefined);
});

tap.test(
  'a key that is not there: config-manager crashes on, the plugin keeps what it has, until the key comes',
  async (t) => {
    const emulated = await started(t);
    emulated.label({ [PLUGIN]: 'later' });
    await said(emulated, /exit 1/, 2);
    t.same(emulated.allocatable, { [GPU]: '2' });
    emulated.volumes.plugin.later = mps(8);
    await offers(emulated, SHARED, 16);
  },
);

tap.test('an edit of the key in use does nothing', async (t) => {
  const emulated = await started(t);
  emulated.volumes.plugin.k = slices(4);
  emulated.label({ [PLUGIN]: 'k' });
  await offers(emulated, SHARED, 8);
  emulated.volumes.plugin.k = slices(2);
  emulated.label({ other: 'label' });
  await sleep(50);
  t.equal(emulated.allocatable[SHARED], '8');
});

tap.test('a configuration that the plugin refuses leaves the node without GPUs', async (t) => {
  const emulated = await started(t);
  emulated.volumes.plugin.bad = slices(1);
  emulated.label({ [PLUGIN]: 'bad' });
  await said(emulated, /cannot be used: exit 1/);
  t.same(emulated.allocatable, { [GPU]: '0' });
});

tap.test('a pod bound in the gap is rejected, and never tried again', async (t) => {
  const emulated = await started(t, A100_NODE, { ...NVIDIA, reload: [100_000, 100_000] });
  emulated.volumes.plugin.ts4 = slices(4);
  emulated.label({ [PLUGIN]: 'ts4' });
  await offers(emulated, GPU, 0);
  await emulated.node.bound(pod('early', SHARED));
  t.match(emulated.pods.get('team/early'), { phase: 'Failed', reason: 'UnexpectedAdmissionError' });
  await offers(emulated, SHARED, 8);
  await emulated.node.bound(pod('late', SHARED));
  t.match(emulated.pods.get('team/late'), { phase: 'Running' });
});

tap.test('slots are handed out until there are none; a container asks for one', async (t) => {
  const emulated = await started(t, { ...A100_NODE, gpus: 1, defaultConfig: mps(2) });
  for (const name of ['a', 'b', 'c']) await emulated.node.bound(pod(name, SHARED));
  t.equal(emulated.pods.get('team/b')?.phase, 'Running');
  t.match(emulated.pods.get('team/c'), { phase: 'Failed', message: /requested number of devices unavailable/ });
  emulated.node.gone('a');
  await emulated.node.bound(pod('d', SHARED));
  t.equal(emulated.pods.get('team/d')?.phase, 'Running', 'what is given back can be had');
  await emulated.node.bound(pod('two', SHARED, 2));
  t.match(emulated.pods.get('team/two'), { message: /maximum request size for shared resources is 1/ });
});

for (const [policy, gpus] of [
  ['packed', [0, 0, 0, 0]],
  ['distributed', [0, 1, 0, 1]],
] as const) {
  tap.test(`the plugin’s policy ${policy} says on which GPU slots are taken`, async (t) => {
    const config = `${slices(4)}\nflags: {plugin: {sharedDevicesAllocationPolicy: ${policy}}}`;
    const { node } = await started(t, { ...A100_NODE, defaultConfig: config });
    for (const name of ['a', 'b', 'c', 'd']) await node.bound(pod(name, SHARED));
    t.same(
      ['a', 'b', 'c', 'd'].map((uid) => node.devicesOf(uid)[0]?.gpu),
      gpus,
    );
  });
}

tap.test('a change of time-slicing leaves running pods alone; one of MPS kills its clients', async (t) => {
  for (const [config, phase] of [
    [slices(4), 'Running'],
    [mps(4), 'Failed'],
  ] as const) {
    const emulated = await started(t, { ...A100_NODE, defaultConfig: config });
    await emulated.node.bound(pod('runs', SHARED));
    emulated.volumes.plugin.next = slices(2);
    emulated.label({ [PLUGIN]: 'next' });
    await offers(emulated, SHARED, 4);
    t.equal(emulated.pods.get('team/runs')?.phase, phase);
  }
});

tap.test('mig-manager: pending and paused, then success; instances, then labels', async (t) => {
  const emulated = await startedForMig(t);
  emulated.label({ [MIG]: 'seven' });
  await state(emulated, 'pending');
  const plugin = 'nvidia.com/gpu.deploy.device-plugin';
  await until('pods of NVIDIA go', () => emulated.labels[plugin] === 'paused-for-mig-change');
  t.same(emulated.allocatable, { [GPU]: '0' });
  await state(emulated, 'success');
  t.equal(emulated.labels[plugin], 'true');
  t.same(emulated.allocatable, { [GPU]: '0' }, 'it does not wait for the plugin');
  await offers(emulated, SEVENTHS, 14);
  t.equal(emulated.allocatable[GPU], '0');
  await until('the labels follow', () => emulated.labels[`${SEVENTHS}.count`] === '14');
  t.equal(emulated.labels[`${SEVENTHS}.memory`], '4864');
});

tap.test('mig-manager: what is so already is success at once, and disturbs nobody', async (t) => {
  const emulated = await startedForMig(t);
  emulated.label({ [MIG]: 'seven' });
  await offers(emulated, SEVENTHS, 14);
  emulated.label({ [MIG]: 'again' });
  await runs(emulated, 2);
  t.equal(emulated.allocatable[SEVENTHS], '14');
  t.strictSame(emulated.states, ['pending', 'success', 'success']);
});

const FAILS: readonly [what: string, key: string, config: string, why: RegExp][] = [
  ['an unknown key', 'none', CUTS, /selected mig-config not present|failed/],
  ['a layout that no GPU holds', 'eight', CUTS, /failed/],
  ['a configuration that cannot be read', 'seven', 'version: v2', /failed/],
  ['a volume that has not been synced', 'seven', '', /failed/],
];
for (const [what, key, config, why] of FAILS) {
  tap.test(`mig-manager fails: ${what}; and does not try again`, async (t) => {
    const emulated = await started(t, { ...A100_NODE, defaultConfig: MIXED });
    emulated.volumes.mig['config.yaml'] = config;
    emulated.label({ [MIG]: key });
    await state(emulated, 'failed');
    t.match(emulated.said.join(), why);
    emulated.volumes.mig['config.yaml'] = CUTS;
    emulated.label({ other: 'label' });
    await sleep(50);
    t.equal(emulated.labels[STATE], 'failed');
  });
}

tap.test('mig-manager never evicts: a GPU in use makes it fail, and nothing is lost', async (t) => {
  const emulated = await startedForMig(t);
  emulated.label({ [MIG]: 'seven' });
  await offers(emulated, SEVENTHS, 14);
  await emulated.node.bound(pod('busy', SEVENTHS));
  emulated.label({ [MIG]: 'halves' });
  await state(emulated, 'failed');
  await offers(emulated, SEVENTHS, 14);
  t.equal(emulated.pods.get('team/busy')?.phase, 'Running');
  t.strictSame(emulated.node.harmed, []);
});

tap.test('an API server that refuses what is written aside is told of, and ends nothing', async (t) => {
  const emulated = await started(t);
  emulated.volumes.plugin.ts4 = slices(4);
  emulated.refuseLabels = true;
  emulated.label({ [PLUGIN]: 'ts4' });
  await said(emulated, /the emulated node met an error/);
  emulated.refuseLabels = false;
  emulated.volumes.plugin.ts2 = slices(2);
  emulated.label({ [PLUGIN]: 'ts2' });
  await until('it goes on', () => emulated.labels['nvidia.com/gpu.replicas'] === '2');
});
