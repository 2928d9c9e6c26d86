/** Nodes whose slots have no known size are grouped by the reason. */

import tap from 'tap';
import { nodeSizes } from '#src/cli/doctor/checks/node-sizes.ts';
import { exclusiveNode } from '../../../../objects/nodes.ts';
import { findingsOf, gpuNode, nodesOf } from '../make.ts';

const INVALID = { 'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-40GB-MIG-INVALID', 'nvidia.com/gpu.count': '0' };

tap.test('without labels: one finding for all of them, and GPU Feature Discovery mends it', async (t) => {
  const names = ['a', 'b', 'c', 'd'];
  const nodes = nodesOf(...names.map((name) => gpuNode(name, {}, { 'gpu.shared': 10 })));
  const [finding, ...more] = findingsOf(nodeSizes, { nodes });
  t.same(more, []);
  t.match(finding, { severity: 'error', message: /on 4 nodes \(a, b, c, …\) is not known/, objects: names });
  t.match(finding?.fix, /run GPU Feature Discovery/);
});

tap.test('labels that do not tell are corrected, not discovered', async (t) => {
  const [finding] = findingsOf(nodeSizes, { nodes: nodesOf(gpuNode('a', INVALID, { gpu: 2 })) });
  t.match(finding, { message: /on node a is not known \(its MIG instances/, fix: /^correct what the labels say/ });
});

tap.test('a node that says what it is: nothing', async (t) => {
  t.same(findingsOf(nodeSizes, { nodes: nodesOf(exclusiveNode({ name: 'a', gpus: 2 })) }), []);
});
