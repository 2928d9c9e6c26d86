/** GPUs by the labels, and none to allocate. */

import tap from 'tap';
import { missingGpus } from '#src/cli/doctor/checks/missing-gpus.ts';
import { DISCOVERED, exclusiveNode } from '../../../../objects/nodes.ts';
import { migManagerSet } from '../../../../objects/nvidia-components.ts';
import { essence, findingsOf, gpuNode, nodesOf, workloadsOf } from '../make.ts';

tap.test('a device plugin that is away', async (t) => {
  const nodes = nodesOf(gpuNode('a', DISCOVERED, { gpu: 0 }), exclusiveNode({ name: 'b', gpus: 1 }));
  const found = findingsOf(missingGpus, { nodes });
  t.strictSame(essence(found), ['error: a']);
  t.match(found, [{ message: /^node a offers no GPU/ }]);
});

tap.test('a node whose partitions are being changed has none for a moment', async (t) => {
  const labels = { ...DISCOVERED, 'nvidia.com/mig.config.state': 'pending' };
  const nodes = nodesOf(gpuNode('a', labels, { gpu: 0 }));
  t.same(findingsOf(missingGpus, { nodes }), []);
  t.same(findingsOf(missingGpus, { nodes, daemonSets: workloadsOf(migManagerSet()) }), []);
  t.strictSame(essence(findingsOf(missingGpus, { nodes, daemonSets: [] })), ['error: a'], 'nobody changes it');
});
