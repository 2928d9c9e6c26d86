/** What becomes of pods: who is refused, who is harmed, and who shares a GPU that was to be his alone. */

import tap from 'tap';
import { DeviceManager } from '#src/sandbox/gpu-node/device-manager.ts';
import { devicesOf } from '#src/sandbox/gpu-node/devices.ts';
import { Environment } from '#src/sandbox/gpu-node/environment.ts';
import { newGpus } from '#src/sandbox/gpu-node/hardware.ts';
import { PLAIN } from '#src/sandbox/gpu-node/plugin-config.ts';
import { NVIDIA, scaledClock } from '#src/sandbox/gpu-node/timing.ts';
import { A100_NODE, GPU, mps, offers, PLUGIN, pod, SHARED, slices, started } from './make.ts';

tap.test('a pod that holds a GPU keeps it when sharing begins, and others get slots of that same GPU', async (t) => {
  const emulated = await started(t, { ...A100_NODE, gpus: 1 });
  const { node } = emulated;
  await node.bound(pod('alone', GPU));
  emulated.volumes.plugin.four = slices(4);
  emulated.label({ [PLUGIN]: 'four' });
  await offers(emulated, SHARED, 4);
  t.strictSame(node.overlapped, [], 'nobody has come yet');
  for (const name of ['a', 'b', 'c', 'd']) await node.bound(pod(name, SHARED));
  t.equal(emulated.pods.get('team/alone')?.phase, 'Running');
  t.strictSame(
    ['alone', 'a', 'b', 'c', 'd'].map((uid) => node.devicesOf(uid).map(({ id }) => id)),
    [['GPU-a-0'], ['GPU-a-0::0'], ['GPU-a-0::1'], ['GPU-a-0::2'], ['GPU-a-0::3']],
  );
  t.strictSame(node.overlapped, ['alone']);
  t.strictSame([...node.harmed, ...node.refused], []);
});

tap.test('the other way round: who gets a GPU on which slots are still in use is not alone', async (t) => {
  const emulated = await started(t, { ...A100_NODE, gpus: 1, defaultConfig: slices(2) });
  await emulated.node.bound(pod('slot', SHARED));
  emulated.volumes.plugin.whole = 'version: v1';
  emulated.label({ [PLUGIN]: 'whole' });
  await offers(emulated, GPU, 1);
  await emulated.node.bound(pod('whole', GPU));
  t.strictSame(emulated.node.overlapped, ['whole']);
});

tap.test('a GPU beside it, and one that was given back, are nobody’s', async (t) => {
  const emulated = await started(t, { ...A100_NODE, gpus: 2 });
  const { node } = emulated;
  for (const uid of ['stays', 'goes']) await node.bound(pod(uid, GPU));
  node.gone('goes');
  const free = `${slices(2)}\nflags: {plugin: {sharedDevicesAllocationPolicy: packed}}`;
  emulated.volumes.plugin.two = free;
  emulated.label({ [PLUGIN]: 'two' });
  await offers(emulated, SHARED, 4);
  // The plugin does not know who holds what: the first two slots are those of the first GPU.
  for (const uid of ['a', 'b', 'c']) await node.bound(pod(uid, SHARED));
  t.strictSame(node.overlapped, ['stays']);
});

tap.test('who is refused is refused once and for all', async (t) => {
  const emulated = await started(t, { ...A100_NODE, gpus: 1 });
  const { node, pods } = emulated;
  for (const uid of ['first', 'second']) await node.bound(pod(uid, GPU));
  t.match(pods.get('team/second'), { reason: 'UnexpectedAdmissionError' });
  node.gone('first');
  await node.bound(pod('second', GPU));
  t.strictSame(node.devicesOf('second'), []);
  t.strictSame(node.refused, ['second']);
});

tap.test('a reload of MPS harms its clients, and nobody else', async (t) => {
  const emulated = await started(t, { ...A100_NODE, defaultConfig: slices(4) });
  const { node } = emulated;
  await node.bound(pod('slice', SHARED));
  emulated.volumes.plugin.mps = mps(3);
  emulated.label({ [PLUGIN]: 'mps' });
  await offers(emulated, SHARED, 6);
  t.strictSame(node.harmed, []);
  await node.bound(pod('client', SHARED));
  emulated.volumes.plugin.mps2 = mps(2);
  emulated.label({ [PLUGIN]: 'mps2' });
  await offers(emulated, SHARED, 4);
  t.strictSame(node.harmed, ['client'], 'a slice from before does not compute through the daemon');
  await node.bound(pod('client', SHARED));
  t.strictSame(node.devicesOf('client'), [], 'nor does it come back');
});

tap.test(
  'pods whose device is not there any more are harmed: mig-manager sees to it that there are none',
  async (t) => {
    const failed: string[] = [];
    const nothing = async () => {};
    const podStatus = async (lost: { readonly uid: string }) => void failed.push(lost.uid);
    const io = { labels: nothing, resources: nothing, podStatus, volume: () => ({}), log: () => {} };
    const clock = scaledClock(1_000);
    const environment = new Environment({ spec: A100_NODE, io, clock, timing: NVIDIA, random: () => 0 });
    t.teardown(() => environment.stop());
    const manager = new DeviceManager(environment);
    const gpus = newGpus('a', 2);
    const registered = devicesOf(gpus, PLAIN);
    if (!registered.ok) throw new Error(registered.reason);
    await manager.register(registered.value, PLAIN);
    for (const uid of ['stays', 'loses']) await manager.bound(pod(uid, GPU));
    failed.length = 0;
    await manager.keep(gpus.slice(0, 1));
    t.strictSame([...manager.harmed], ['loses']);
    t.strictSame(failed, ['loses']);
  },
);
