/** How an emulated GPU node behaves; each behaviour by its place in NVIDIA's components. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap, { type Test } from 'tap';
import { waitFor } from '../../../cluster/wait.ts';
import { A100_NODE, type Emulated, emulate, pod } from './make.ts';

const GPU = 'nvidia.com/gpu';
const SHARED = 'nvidia.com/gpu.shared';
const PLUGIN = 'nvidia.com/device-plugin.config';
const MIG = 'nvidia.com/mig.config';
const STATE = 'nvidia.com/mig.config.state';
const slices = (replicas: number) =>
  `version: v1\nsharing: {timeSlicing: {renameByDefault: true, resources: [{name: ${GPU}, replicas: ${replicas}}]}}`;
const mps = (replicas: number) => slices(replicas).replace('timeSlicing', 'mps');
const MIXED = 'version: v1\nflags: {migStrategy: mixed}';
const CUTS = `version: v1
mig-configs:
  seven: [{devices: all, mig-enabled: true, mig-devices: {1g.5gb: 7}}]
  halves: [{devices: all, mig-enabled: true, mig-devices: {3g.20gb: 2}}]
  eight: [{devices: all, mig-enabled: true, mig-devices: {1g.5gb: 8}}]
`;

async function started(t: Test, ...args: Parameters<typeof emulate>): Promise<Emulated> {
  const emulated = emulate(...args);
  t.teardown(() => emulated.node.stop());
  await emulated.node.start();
  return emulated;
}

const offers = ({ allocatable }: Emulated, resource: string, count: number) =>
  waitFor(`${count} of ${resource}`, () => allocatable[resource] === String(count), { everyMs: 1 });
const state = ({ labels }: Emulated, wanted: string) =>
  waitFor(`mig-manager says ${wanted}`, () => labels[STATE] === wanted, { everyMs: 1 });

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
  await waitFor('the labels follow', () => emulated.labels['nvidia.com/gpu.replicas'] === '4', { everyMs: 1 });
  t.equal(emulated.labels['nvidia.com/gpu.sharing-strategy'], 'time-slicing');
  t.equal(emulated.labels['nvidia.com/gpu.product'], A100_NODE.product, 'renamed: no -SHARED');
  await waitFor('kubelet forgets what vanished', () => emulated.capacity[GPU] === undefined, { everyMs: 1 });
});

tap.test(
  'a key that is not there: config-manager crashes on, the plugin keeps what it has, until the key comes',
  async (t) => {
    const emulated = await started(t);
    emulated.label({ [PLUGIN]: 'later' });
    await waitFor('it has crashed twice', () => emulated.said.filter((line) => /exit 1/.test(line)).length >= 2, {
      everyMs: 1,
    });
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
  await waitFor('it has ended', () => emulated.said.some((line) => /cannot be used: exit 1/.test(line)), {
    everyMs: 1,
  });
  t.same(emulated.allocatable, { [GPU]: '0' });
});

tap.test('a pod bound in the gap is rejected, and never tried again', async (t) => {
  const emulated = await started(t);
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
  const emulated = await started(t, { ...A100_NODE, defaultConfig: MIXED });
  emulated.volumes.mig['config.yaml'] = CUTS;
  emulated.label({ [MIG]: 'seven' });
  await state(emulated, 'pending');
  await waitFor(
    'pods of NVIDIA go',
    () => emulated.labels['nvidia.com/gpu.deploy.device-plugin'] === 'paused-for-mig-change',
  );
  await state(emulated, 'success');
  t.equal(emulated.allocatable['nvidia.com/mig-1g.5gb'], '14');
  t.equal(emulated.allocatable[GPU], '0');
  t.equal(emulated.labels['nvidia.com/gpu.deploy.device-plugin'], 'true');
  await waitFor('the labels follow', () => emulated.labels['nvidia.com/mig-1g.5gb.count'] === '14', { everyMs: 1 });
  t.equal(emulated.labels['nvidia.com/mig-1g.5gb.memory'], '4864');
});

tap.test('mig-manager: what is so already is success at once, and disturbs nobody', async (t) => {
  const emulated = await started(t, { ...A100_NODE, defaultConfig: MIXED });
  emulated.volumes.mig['config.yaml'] =
    `${CUTS}  again: [{devices: all, mig-enabled: true, mig-devices: {1g.5gb: 7}}]\n`;
  emulated.label({ [MIG]: 'seven' });
  await state(emulated, 'success');
  delete emulated.labels[STATE];
  emulated.label({ [MIG]: 'again' });
  await state(emulated, 'success');
  t.equal(emulated.allocatable['nvidia.com/mig-1g.5gb'], '14');
  t.notMatch(emulated.said.join(), /pending/);
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
  const emulated = await started(t, { ...A100_NODE, defaultConfig: MIXED });
  emulated.volumes.mig['config.yaml'] = CUTS;
  emulated.label({ [MIG]: 'seven' });
  await state(emulated, 'success');
  await emulated.node.bound(pod('busy', 'nvidia.com/mig-1g.5gb'));
  emulated.label({ [MIG]: 'halves' });
  await state(emulated, 'failed');
  t.equal(emulated.allocatable['nvidia.com/mig-1g.5gb'], '14');
  t.equal(emulated.pods.get('team/busy')?.phase, 'Running');
});

tap.test('faults on purpose: failed, rebooting, and pending for ever', async (t) => {
  const fails = await started(t, { ...A100_NODE, defaultConfig: MIXED });
  fails.node.faults.migFails = true;
  fails.volumes.mig['config.yaml'] = CUTS;
  fails.label({ [MIG]: 'seven' });
  await state(fails, 'failed');
  t.equal(fails.allocatable[GPU], '2', 'and everything is as before');

  const reboots = await started(t, { ...A100_NODE, defaultConfig: MIXED });
  reboots.node.faults.migReboots = true;
  reboots.volumes.mig['config.yaml'] = CUTS;
  reboots.label({ [MIG]: 'seven' });
  await state(reboots, 'rebooting');
  await state(reboots, 'success');

  const sticks = await started(t, { ...A100_NODE, defaultConfig: MIXED });
  sticks.node.faults.migSticks = true;
  sticks.volumes.mig['config.yaml'] = CUTS;
  sticks.label({ [MIG]: 'seven' });
  await waitFor('it has given up', () => sticks.said.some((line) => /timed out waiting/.test(line)), { everyMs: 1 });
  t.equal(sticks.labels[STATE], 'pending');
  t.equal(sticks.labels['nvidia.com/gpu.deploy.device-plugin'], 'paused-for-mig-change');
  sticks.node.faults.migSticks = false;
  sticks.label({ [MIG]: 'halves' });
  await state(sticks, 'success');
  t.equal(sticks.allocatable['nvidia.com/mig-3g.20gb'], '4', 'another label sets it free');
});

tap.test('an API server that refuses what is written aside is told of, and ends nothing', async (t) => {
  const emulated = await started(t);
  emulated.volumes.plugin.ts4 = slices(4);
  emulated.refuseLabels = true;
  emulated.label({ [PLUGIN]: 'ts4' });
  await waitFor('it is told', () => emulated.said.includes('the emulated node met an error'), { everyMs: 1 });
  emulated.refuseLabels = false;
  emulated.volumes.plugin.ts2 = slices(2);
  emulated.label({ [PLUGIN]: 'ts2' });
  await waitFor('it goes on', () => emulated.labels['nvidia.com/gpu.replicas'] === '2', { everyMs: 1 });
});
