/** Where NVIDIA's device plugin is known to fill one GPU before the next. */

import tap from 'tap';
import { DevicePlugins } from '#src/state/device-plugins.ts';
import { mpsNode } from '../../objects/nodes.ts';
import { devicePluginSet, migManagerSet } from '../../objects/nvidia-components.ts';
import { nodeRecord } from '../../objects/records.ts';

const OURS = 'gpu-autoscaler-abc';
const LABEL = 'nvidia.com/device-plugin.config';

/** A node on which we have applied a configuration, and that has this one. */
function node(plugin: string | undefined, applied: string | undefined, pool = 'gpu') {
  const labels = { pool, ...(plugin && { [LABEL]: plugin }) };
  const { metadata, ...rest } = mpsNode({ name: 'n', gpus: 2, replicas: 4, labels });
  const partition = { layouts: [null, null], sharing: { mode: 'mps', replicas: 4 } };
  const lastApplied = applied && JSON.stringify({ config: 'n', generation: 1, plugin: applied, partition });
  const annotations = lastApplied ? { 'gpu-autoscaler.io/partition': lastApplied } : {};
  const record = nodeRecord({ ...rest, metadata: { ...metadata, annotations } });
  if (!record) throw new Error('a node without GPUs');
  return record;
}
const image = (tag: string) => ({ image: `nvcr.io/nvidia/k8s-device-plugin${tag}` });

function packs(record: ReturnType<typeof node>, ...sets: object[]): boolean {
  const plugins = new DevicePlugins();
  for (const set of sets) plugins.daemonSets.update(set);
  return plugins.packsOn(record);
}

tap.test('by the version of the image, where our configuration is in force', async (t) => {
  const ours = node(OURS, OURS);
  for (const tag of [':v0.20.0', ':v0.21.3-ubi9', ':v1.0.0', ':0.20.1@sha256:abc'])
    t.equal(packs(ours, devicePluginSet(image(tag))), true, tag);
  for (const tag of [':v0.19.2', ':v0.9.0', ':latest', '@sha256:abc', ''])
    t.equal(packs(ours, devicePluginSet(image(tag))), false, tag);
  t.equal(packs(ours), false, 'no device plugin is seen');
  t.equal(packs(ours, migManagerSet()), false);
});

tap.test('another configuration may say anything', async (t) => {
  const set = devicePluginSet();
  t.equal(packs(node('theirs', undefined), set), false);
  t.equal(packs(node('theirs', OURS), set), false);
  t.equal(packs(node(undefined, OURS), set), false);
  t.equal(packs(node(undefined, undefined), set), false);
});

tap.test('that which runs on the node', async (t) => {
  const old = devicePluginSet({ ...image(':v0.17.0'), nodeSelector: { pool: 'old' } });
  const { metadata, ...rest } = devicePluginSet({ nodeSelector: { pool: 'gpu' } });
  const fresh = { ...rest, metadata: { ...metadata, name: 'fresh' } };
  t.equal(packs(node(OURS, OURS, 'gpu'), old, fresh), true);
  t.equal(packs(node(OURS, OURS, 'old'), old, fresh), false);
  t.equal(packs(node(OURS, OURS, 'other'), old, fresh), false);
});

tap.test('a DaemonSet that changes or goes', async (t) => {
  const plugins = new DevicePlugins();
  const ours = node(OURS, OURS);
  plugins.daemonSets.update(devicePluginSet());
  t.equal(plugins.packsOn(ours), true);
  plugins.daemonSets.update(devicePluginSet({ image: 'example.com/another:1' }));
  t.equal(plugins.packsOn(ours), false);
  plugins.daemonSets.update(devicePluginSet());
  plugins.daemonSets.delete(devicePluginSet());
  t.equal(plugins.packsOn(ours), false);
});
