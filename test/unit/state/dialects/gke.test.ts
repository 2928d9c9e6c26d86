/** Labels of GKE. */

import { gke } from '#src/state/dialects/gke.ts';
import { conformance } from './conformance.ts';

const GKE = 'cloud.google.com/gke-';
const A100 = { [`${GKE}accelerator`]: 'nvidia-tesla-a100', [`${GKE}accelerator-count`]: '2' };
const KNOWN = { product: 'NVIDIA-A100', gpus: 2, gpuMiB: 40_960 };
const SHARED = { [`${GKE}gpu-sharing-strategy`]: 'time-sharing', [`${GKE}max-shared-clients-per-gpu`]: '10' };
const PROFILE = { name: '1g.5gb', computeSlices: 1, gib: 5 };

conformance(gke, [
  { says: 'whole GPUs', labels: A100, reading: KNOWN },
  {
    says: 'the memory in the name',
    labels: { ...A100, [`${GKE}accelerator`]: 'nvidia-a100-80gb' },
    reading: { ...KNOWN, product: 'NVIDIA-A100-80GB', gpuMiB: 81_920 },
  },
  {
    says: 'time-sharing',
    labels: { ...A100, ...SHARED },
    reading: { ...KNOWN, replicas: 10, sharing: 'timeslicing' },
  },
  {
    says: 'MPS',
    labels: { ...A100, ...SHARED, [`${GKE}gpu-sharing-strategy`]: 'mps' },
    reading: { ...KNOWN, replicas: 10, sharing: 'mps' },
  },
  {
    says: 'MIG',
    labels: { ...A100, [`${GKE}gpu-partition-size`]: '1g.5gb' },
    reading: { ...KNOWN, instance: { profile: PROFILE, miB: undefined } },
  },
  {
    says: 'MIG, shared in turn',
    labels: { ...A100, ...SHARED, [`${GKE}gpu-partition-size`]: '1g.5gb' },
    reading: { ...KNOWN, instance: { profile: PROFILE, miB: undefined }, replicas: 10, sharing: 'timeslicing' },
  },
  {
    says: 'MIG of a profile that is none',
    labels: { ...A100, [`${GKE}gpu-partition-size`]: 'half' },
    reading: { ...KNOWN, unsized: `${GKE}gpu-partition-size=half is no MIG profile that we know` },
  },
  {
    says: 'a model that we do not know, of which nothing is guessed',
    labels: { [`${GKE}accelerator`]: 'nvidia-of-tomorrow' },
    reading: { product: 'NVIDIA-OF-TOMORROW' },
  },
]);
