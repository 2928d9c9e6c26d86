/** Labels of NVIDIA's GPU Feature Discovery. Tests also `registry.ts`. */

import tap from 'tap';
import { gpuFeatureDiscovery } from '#src/state/dialects/gpu-feature-discovery.ts';
import { DIALECTS, readGpus } from '#src/state/dialects/registry.ts';
import { conformance, nodeWith } from './conformance.ts';

const WHOLE = {
  'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-40GB',
  'nvidia.com/gpu.count': '8',
  'nvidia.com/gpu.memory': '40960',
  'nvidia.com/gpu.replicas': '1',
  'nvidia.com/gpu.sharing-strategy': 'none',
};
const KNOWN = { product: 'NVIDIA-A100-SXM4-40GB', gpus: 8, gpuMiB: 40_960 };

conformance(gpuFeatureDiscovery, [
  { says: 'whole GPUs', labels: WHOLE, reading: KNOWN },
  {
    says: 'time-slicing',
    labels: { ...WHOLE, 'nvidia.com/gpu.replicas': '4', 'nvidia.com/gpu.sharing-strategy': 'time-slicing' },
    reading: { ...KNOWN, replicas: 4, sharing: 'timeslicing' },
  },
  {
    says: 'MPS, with the name that the device plugin gives shared GPUs',
    labels: {
      ...WHOLE,
      'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-40GB-SHARED',
      'nvidia.com/gpu.replicas': '8',
      'nvidia.com/gpu.sharing-strategy': 'mps',
    },
    reading: { ...KNOWN, replicas: 8, sharing: 'mps' },
  },
  {
    says: 'MIG, mixed',
    labels: {
      ...WHOLE,
      'nvidia.com/gpu.replicas': '0',
      'nvidia.com/mig.strategy': 'mixed',
      'nvidia.com/mig-1g.5gb.count': '14',
      'nvidia.com/mig-1g.5gb.memory': '4864',
      'nvidia.com/mig-1g.5gb.me.count': '2',
      'nvidia.com/mig-1g.5gb.me.memory': '4864',
    },
    reading: {
      ...KNOWN,
      migMiB: new Map([
        ['nvidia.com/mig-1g.5gb', 4_864],
        ['nvidia.com/mig-1g.5gb.me', 4_864],
      ]),
      migCounts: { 'nvidia.com/mig-1g.5gb': 14, 'nvidia.com/mig-1g.5gb.me': 2 },
    },
  },
  { says: 'a product alone', labels: { 'nvidia.com/gpu.product': 'Tesla-T4' }, reading: { product: 'Tesla-T4' } },
  {
    says: 'numbers that cannot be read',
    labels: { ...WHOLE, 'nvidia.com/gpu.count': '2.5', 'nvidia.com/gpu.memory': 'much' },
    reading: { product: KNOWN.product },
  },
]);

tap.test('the first dialect that a node speaks is believed; a silent node tells nothing', async (t) => {
  t.ok(DIALECTS.includes(gpuFeatureDiscovery));
  t.equal(readGpus(nodeWith(WHOLE)).gpus, 8);
  t.match(readGpus(nodeWith({})), { product: '', gpus: undefined, gpuMiB: undefined, replicas: 1 });
});
