/** What a repair from outside finds: DaemonSets that follow their labels, and a mig-manager that follows its own. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap, { type Test } from 'tap';
import { NVIDIA, type Timing } from '#src/sandbox/gpu-node/timing.ts';
import {
  A100_NODE,
  type Emulated,
  GPU,
  HALVES,
  MIG,
  mps,
  offers,
  PLUGIN,
  pod,
  runs,
  SEVENTHS,
  SHARED,
  said,
  slices,
  started,
  startedForMig,
  state,
  until,
} from './make.ts';

const DEPLOY = (component: string) => `nvidia.com/gpu.deploy.${component}`;
const ALL = ['device-plugin', 'gpu-feature-discovery', 'dcgm-exporter'].map(DEPLOY);
const [DEVICE_PLUGIN = '', FEATURES = ''] = ALL;
const each = (value: string, names: readonly string[] = ALL) =>
  Object.fromEntries(names.map((name): [string, string] => [name, value]));
const deployed = ({ labels }: Emulated) => ALL.map((name) => labels[name]);

/** mig-manager has waited in vain for pods to go. */
async function stuck(t: Test, timing?: Timing): Promise<Emulated> {
  const emulated = await startedForMig(t, timing);
  emulated.node.faults.migSticks = 1;
  emulated.label({ [MIG]: 'seven' });
  await said(emulated, /timed out waiting for pods to go/);
  return emulated;
}

tap.test('the operator deploys everything from the start', async (t) => {
  t.strictSame(deployed(await started(t)), ['true', 'true', 'true']);
});

tap.test('a mig-manager that sticks leaves everything paused, and nothing is offered', async (t) => {
  const emulated = await stuck(t);
  await sleep(50);
  t.strictSame(deployed(emulated), Array(3).fill('paused-for-mig-change'));
  t.same(emulated.allocatable, { [GPU]: '0' });
  await emulated.node.bound(pod('early', GPU));
  t.match(emulated.pods.get('team/early'), { reason: 'UnexpectedAdmissionError' });
});

tap.test('labels that are set back bring the plugin, then the features; and the next run is a success', async (t) => {
  const emulated = await stuck(t, { ...NVIDIA, featureLag: [100_000, 100_000] });
  delete emulated.labels['nvidia.com/gpu.count'];
  emulated.label(each('true'));
  t.same(emulated.allocatable, { [GPU]: '0' }, 'it takes as long as a reload');
  await offers(emulated, GPU, 2);
  t.equal(emulated.labels['nvidia.com/gpu.count'], undefined, 'labels lag behind');
  await until('the labels follow', () => emulated.labels['nvidia.com/gpu.count'] === '2');
  emulated.label({ [MIG]: 'again' });
  await state(emulated, 'success');
  await offers(emulated, SEVENTHS, 14);
  t.strictSame(emulated.states, ['pending', 'pending', 'success']);
  t.strictSame(deployed(emulated), ['true', 'true', 'true']);
});

tap.test('each DaemonSet follows its own label', async (t) => {
  const emulated = await stuck(t);
  delete emulated.labels['nvidia.com/gpu.count'];
  emulated.label({ [DEVICE_PLUGIN]: 'true' });
  await offers(emulated, GPU, 2);
  await sleep(100);
  t.equal(emulated.labels['nvidia.com/gpu.count'], undefined);
  emulated.label({ [FEATURES]: 'true' });
  await until('the labels follow', () => emulated.labels['nvidia.com/gpu.count'] === '2');
});

tap.test('without a repair the next run sets everything free, even one that has nothing to do', async (t) => {
  for (const name of ['again', 'off']) {
    const emulated = await stuck(t);
    emulated.label({ [MIG]: name });
    await state(emulated, 'success');
    if (name === 'off') await offers(emulated, GPU, 2);
    else await offers(emulated, SEVENTHS, 14);
  }
});

tap.test('a new pod of the plugin reads its key anew, and waits for one that is not there', async (t) => {
  const emulated = await started(t);
  emulated.volumes.plugin.k = slices(4);
  emulated.label({ [PLUGIN]: 'k' });
  await offers(emulated, SHARED, 8);
  emulated.volumes.plugin.k = slices(2);
  emulated.label(each('false'));
  await offers(emulated, SHARED, 0);
  emulated.label(each('true'));
  await offers(emulated, SHARED, 4);

  emulated.label(each('false'));
  await offers(emulated, SHARED, 0);
  emulated.label({ ...each('true'), [PLUGIN]: 'later' });
  await said(emulated, /exit 1/, 2);
  t.equal(emulated.allocatable[SHARED], '0');
  emulated.volumes.plugin.later = slices(3);
  await offers(emulated, SHARED, 6);
});

tap.test('a pod that goes while it loads a configuration does not offer it', async (t) => {
  const emulated = await started(t, A100_NODE, { ...NVIDIA, reload: [100_000, 100_000] });
  emulated.volumes.plugin.k = slices(4);
  emulated.label({ [PLUGIN]: 'k' });
  await offers(emulated, GPU, 0);
  emulated.label(each('paused-for-mig-change'));
  await sleep(200);
  t.same(emulated.allocatable, { [GPU]: '0' });
  emulated.label(each('true'));
  await offers(emulated, SHARED, 8);
});

tap.test('what somebody has set to "false" mig-manager leaves alone', async (t) => {
  const emulated = await startedForMig(t);
  emulated.label({ [FEATURES]: 'false', [MIG]: 'seven' });
  await state(emulated, 'success');
  t.strictSame(deployed(emulated), ['true', 'false', 'true']);
});

tap.test('a plugin that is brought back too early makes the run fail', async (t) => {
  const emulated = await startedForMig(t, { ...NVIDIA, geometry: [200_000, 200_000] });
  emulated.label({ [MIG]: 'seven' });
  await offers(emulated, GPU, 0);
  emulated.label({ [DEVICE_PLUGIN]: 'true' });
  await state(emulated, 'failed');
  await offers(emulated, GPU, 2);
  t.strictSame(
    emulated.node.gpus.map(({ migEnabled }) => migEnabled),
    [false, false],
  );
});

tap.test('of changes during a run the last is acted on after it', async (t) => {
  const emulated = await startedForMig(t);
  emulated.label({ [MIG]: 'seven' });
  await state(emulated, 'pending');
  emulated.label({ [MIG]: 'eight' });
  emulated.label({ [MIG]: 'halves' });
  await runs(emulated, 2);
  await offers(emulated, HALVES, 4);
  t.strictSame(emulated.states, ['pending', 'success', 'pending', 'success'], '"eight", which fails, goes unseen');
});

tap.test('a value that is back before the run ends is none', async (t) => {
  const emulated = await startedForMig(t);
  emulated.label({ [MIG]: 'seven' });
  await state(emulated, 'pending');
  emulated.label({ [MIG]: 'eight' });
  emulated.label({ [MIG]: 'seven' });
  await runs(emulated, 1);
  await sleep(50);
  t.strictSame(emulated.states, ['pending', 'success']);
});

tap.test('a value from before is a change, once there was another in between', async (t) => {
  const emulated = await stuck(t);
  emulated.label({ [MIG]: 'eight' });
  await runs(emulated, 1);
  emulated.label({ [MIG]: 'seven' });
  await runs(emulated, 2);
  t.strictSame(emulated.states, ['pending', 'failed', 'pending', 'success']);
});

tap.test('a run that an API server breaks off is told of, and ends nothing', async (t) => {
  const emulated = await startedForMig(t);
  emulated.refuseLabels = true;
  emulated.label({ [MIG]: 'seven' });
  await said(emulated, /met an error/);
  emulated.refuseLabels = false;
  emulated.label({ [MIG]: 'again' });
  await state(emulated, 'success');
});

tap.test('a plugin goes even where that cannot be written', async (t) => {
  const emulated = await startedForMig(t);
  emulated.refuseResources = true;
  emulated.label({ [MIG]: 'seven' });
  await said(emulated, /met an error/);
  emulated.refuseResources = false;
  await offers(emulated, SEVENTHS, 14);
});

tap.test('the MPS daemon goes with the plugin, and its clients with it', async (t) => {
  const emulated = await started(t, { ...A100_NODE, defaultConfig: mps(4) });
  await emulated.node.bound(pod('client', SHARED));
  emulated.label(each('paused-for-mig-change'));
  await until('the client has failed', () => emulated.pods.get('team/client')?.phase === 'Failed');
  t.strictSame(emulated.node.harmed, ['client']);
});
