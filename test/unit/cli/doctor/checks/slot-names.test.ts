/** Slots under the name of a whole GPU. */

import tap from 'tap';
import { slotNames } from '#src/cli/doctor/checks/slot-names.ts';
import { exclusiveNode, mpsNode } from '../../../../objects/nodes.ts';
import { essence, findingsOf, gpuNode, nodesOf } from '../make.ts';

const A10G = { 'nvidia.com/gpu.product': 'NVIDIA-A10G-SHARED', 'nvidia.com/gpu.count': '1' };
const SHARED = { ...A10G, 'nvidia.com/gpu.replicas': '12', 'nvidia.com/gpu.sharing-strategy': 'time-slicing' };
const GKE = {
  'cloud.google.com/gke-accelerator': 'nvidia-l4',
  'cloud.google.com/gke-accelerator-count': '1',
  'cloud.google.com/gke-gpu-sharing-strategy': 'time-sharing',
  'cloud.google.com/gke-max-shared-clients-per-gpu': '10',
};

tap.test('renameByDefault: false, and GKE, which has no other name: each with its own fix', async (t) => {
  const nodes = nodesOf(gpuNode('a', SHARED, { gpu: 12 }), gpuNode('g', GKE, { gpu: 10 }));
  const found = findingsOf(slotNames, { nodes });
  t.strictSame(essence(found), ['warning: a', 'warning: g']);
  t.match(found, [{ fix: /renameByDefault: true/ }, { fix: /GKE has no other name/ }]);
});

tap.test('whole GPUs, renamed slots, and instances of MIG: nothing', async (t) => {
  const single = {
    'nvidia.com/gpu.product': 'NVIDIA-A100-PCIE-40GB-MIG-1g.5gb',
    'nvidia.com/gpu.count': '14',
    'nvidia.com/gpu.memory': '4864',
    'nvidia.com/mig.strategy': 'single',
  };
  const nodes = nodesOf(
    exclusiveNode({ name: 'w', gpus: 2 }),
    mpsNode({ name: 's', gpus: 1, replicas: 4 }),
    gpuNode('m', single, { gpu: 14 }),
  );
  t.same(findingsOf(slotNames, { nodes }), []);
});
