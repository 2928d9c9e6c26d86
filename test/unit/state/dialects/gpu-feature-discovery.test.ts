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
const KNOWN = { product: 'NVIDIA-A100-SXM4-40GB', gpus: 8, gpuMiB: 40_960, changeable: true };

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
  {
    says: 'MIG, mixed, shared in turn, with profiles of graphics',
    labels: {
      ...WHOLE,
      'nvidia.com/mig-1g.5gb.count': '7',
      'nvidia.com/mig-1g.5gb.replicas': '4',
      'nvidia.com/mig-1g.24gb.me.all.count': '1',
      'nvidia.com/mig-1g.24gb-me.memory': '24192',
    },
    reading: {
      ...KNOWN,
      migMiB: new Map([['nvidia.com/mig-1g.24gb-me', 24_192]]),
      migCounts: { 'nvidia.com/mig-1g.5gb': 7, 'nvidia.com/mig-1g.24gb.me.all': 1 },
      migReplicas: new Map([['nvidia.com/mig-1g.5gb', 4]]),
    },
  },
  {
    says: 'MIG, single: counts and memory are of instances',
    labels: {
      ...WHOLE,
      'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-40GB-MIG-2g.10gb',
      'nvidia.com/gpu.count': '12',
      'nvidia.com/gpu.memory': '9856',
    },
    reading: {
      product: KNOWN.product,
      gpus: 4,
      gpuMiB: 40_960,
      instance: { profile: { name: '2g.10gb', computeSlices: 2, gib: 10 }, miB: 9_856 },
    },
  },
  {
    says: 'MIG, single, of GPUs that have no one profile',
    labels: { ...WHOLE, 'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-40GB-MIG-INVALID' },
    reading: {
      product: KNOWN.product,
      unsized:
        'its MIG instances are not of one known profile: nvidia.com/gpu.product=NVIDIA-A100-SXM4-40GB-MIG-INVALID',
    },
  },
  {
    says: 'the guest of a vGPU',
    labels: { ...WHOLE, 'nvidia.com/gpu.product': 'GRID-A100-10C', 'nvidia.com/mig.capable': 'false' },
    reading: { ...KNOWN, product: 'GRID-A100-10C', noMig: true },
  },
  {
    says: 'a product alone',
    labels: { 'nvidia.com/gpu.product': 'Tesla-T4' },
    reading: { product: 'Tesla-T4', changeable: true, unsized: 'the label nvidia.com/gpu.count is missing' },
  },
  {
    says: 'numbers that cannot be read',
    labels: { ...WHOLE, 'nvidia.com/gpu.count': '2.5', 'nvidia.com/gpu.memory': 'much' },
    reading: {
      product: KNOWN.product,
      changeable: true,
      unsized: 'nvidia.com/gpu.count=2.5 is no number of GPUs from 1 to 1024',
    },
  },
]);

tap.test('the first dialect that a node speaks is believed; a silent node tells nothing', async (t) => {
  t.ok(DIALECTS.includes(gpuFeatureDiscovery));
  t.equal(readGpus(nodeWith(WHOLE)).gpus, 8);
  t.match(readGpus(nodeWith({})), { product: '', gpus: undefined, gpuMiB: undefined, replicas: 1 });
});
