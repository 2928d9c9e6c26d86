/** Configurations of NVIDIA's components that are not ours. */

import tap from 'tap';
import { NODE } from '#src/api/keys.ts';
import { foreignConfigs } from '#src/cli/doctor/checks/foreign-configs.ts';
import { exclusiveNode } from '../../../../objects/nodes.ts';
import { essence, findingsOf, gpuNode, nodesOf } from '../make.ts';

const OURS = 'gpu-autoscaler-0123456789ab';
const node = (name: string, labels: Readonly<Record<string, string>>) => exclusiveNode({ name, gpus: 1, labels });

tap.test('names of others, grouped by name', async (t) => {
  const nodes = nodesOf(
    node('a', { 'nvidia.com/device-plugin.config': 'slices' }),
    node('b', { 'nvidia.com/device-plugin.config': 'slices' }),
    node('c', { 'nvidia.com/mig.config': 'all-1g.5gb' }),
  );
  const found = findingsOf(foreignConfigs, { nodes });
  t.strictSame(essence(found), ['warning: a b', 'warning: c']);
  t.match(found, [{ fix: /NAME nvidia\.com\/device-plugin\.config-/ }, { fix: /NAME nvidia\.com\/mig\.config-/ }]);
});

tap.test('ours, and what the GPU operator writes by itself: nothing', async (t) => {
  const labels = { 'nvidia.com/device-plugin.config': OURS, 'nvidia.com/mig.config': 'all-disabled' };
  t.same(findingsOf(foreignConfigs, { nodes: nodesOf(node('a', labels), node('b', {})) }), []);
});

tap.test('what was applied, and edited since', async (t) => {
  const applied = { config: 'a', generation: 1, plugin: OURS, partition: { layouts: [null] } };
  const labels = { 'nvidia.com/gpu.count': '1', 'nvidia.com/device-plugin.config': 'other' };
  const edited = gpuNode('a', labels, { gpu: 1 }, { [NODE.partition]: JSON.stringify(applied) });
  const found = findingsOf(foreignConfigs, { nodes: nodesOf(edited) });
  t.match(found, [{ severity: 'warning', message: /another client has edited what was applied to node a/ }]);
  t.equal(found.length, 1);
});
