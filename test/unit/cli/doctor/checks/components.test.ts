/** NVIDIA's components where we would change partitions. */

import tap from 'tap';
import { components } from '#src/cli/doctor/checks/components.ts';
import { exclusiveNode, T4 } from '../../../../objects/nodes.ts';
import { devicePluginSet, migManagerSet } from '../../../../objects/nvidia-components.ts';
import { contextOf, essence, findingsOf, gpuNode, nodesOf, workloadsOf } from '../make.ts';

const DEPLOY = 'nvidia.com/gpu.deploy.mig-manager';
const a100 = exclusiveNode({ name: 'a100', gpus: 2 });
const t4 = exclusiveNode({ name: 't4', gpus: 1, gpu: T4 });

tap.test('both run everywhere and read our ConfigMaps: nothing', async (t) => {
  const daemonSets = workloadsOf(devicePluginSet(), migManagerSet());
  t.same(findingsOf(components, { nodes: nodesOf(a100, t4), daemonSets }), []);
});

tap.test('none runs: mig-manager is missed only where MIG is possible', async (t) => {
  const found = findingsOf(components, { nodes: nodesOf(a100, t4), daemonSets: [] });
  t.strictSame(essence(found), ['warning: a100 t4', 'warning: a100']);
  t.match(found, [
    { message: /device plugin does not run on 2 nodes \(a100, t4\)/ },
    { message: /^mig-manager does not/ },
  ]);
});

tap.test('they run, and read another ConfigMap, or one in another namespace', async (t) => {
  const other = workloadsOf(devicePluginSet({ configMap: 'time-slicing' }), migManagerSet());
  const found = findingsOf(components, { nodes: nodesOf(a100, t4), daemonSets: other });
  t.match(found, [{ message: /does not read the ConfigMap gpu-operator\/gpu-autoscaler-device-plugin/ }]);
  t.equal(found.length, 1);
  const elsewhere = contextOf({ reconciler: { namespace: 'nvidia' } });
  const ours = workloadsOf(devicePluginSet(), migManagerSet());
  t.equal(findingsOf(components, { nodes: nodesOf(t4), daemonSets: ours }, elsewhere).length, 1);
});

tap.test('where a DaemonSet goes is by its nodeSelector; what mig-manager has paused comes back', async (t) => {
  const daemonSets = workloadsOf(devicePluginSet(), migManagerSet({ nodeSelector: { [DEPLOY]: 'true' } }));
  const labelled = (value: string) => exclusiveNode({ name: value, gpus: 1, labels: { [DEPLOY]: value } });
  const nodes = nodesOf(labelled('true'), labelled('false'), labelled('paused-for-mig-change'));
  t.strictSame(essence(findingsOf(components, { nodes, daemonSets })), ['warning: false']);
});

tap.test('nodes that are never changed need neither', async (t) => {
  t.same(findingsOf(components, { nodes: nodesOf(gpuNode('a', {}, { gpu: 2 })), daemonSets: [] }), []);
  const off = contextOf({ reconciler: { enabled: false } });
  t.same(findingsOf(components, { nodes: nodesOf(a100), daemonSets: [] }, off), []);
});
