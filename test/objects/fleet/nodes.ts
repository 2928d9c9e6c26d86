/** Nodes of the workloads that people have asked about: `workloads.ts`. */

import { exclusiveNode, type GpuModel, migNode, mpsNode, type NodeManifest, T4, timeSlicingNode } from '../nodes.ts';

const A100_80GB: GpuModel = {
  product: 'NVIDIA-A100-SXM4-80GB',
  memoryMiB: 81_920,
  family: 'ampere',
  compute: [8, 0],
  migCapable: true,
};
const H100: GpuModel = {
  product: 'NVIDIA-H100-80GB-HBM3',
  memoryMiB: 81_559,
  family: 'hopper',
  compute: [9, 0],
  migCapable: true,
};

/** 64 slots by MPS. */
export const A100_MPS = mpsNode({ name: 'a100-mps', gpus: 8, replicas: 8, gpu: A100_80GB });
/** Eight whole GPUs. */
export const H100_WHOLE = exclusiveNode({ name: 'h100-whole', gpus: 8, gpu: H100 });
export const A100_MIG = migNode({
  name: 'a100-mig',
  gpus: 8,
  gpu: A100_80GB,
  layout: { '1g.10gb': 7 },
  profileMiB: { '1g.10gb': 9_728 },
});
export const T4_SLICES = timeSlicingNode({ name: 't4-ts', gpus: 4, replicas: 4, gpu: T4 });

const DEDICATED = { key: 'dedicated', value: 'research', effect: 'NoSchedule' };
/** The same slots, for another team. */
export const A100_MPS_DEDICATED: NodeManifest = {
  ...mpsNode({ name: 'a100-mps-dedicated', gpus: 8, replicas: 8, gpu: A100_80GB }),
  spec: { taints: [DEDICATED] },
};

interface PlainNode {
  readonly name: string;
  /** As many `nvidia.com/gpu`; none at all where DRA serves them. */
  readonly gpus?: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints?: readonly object[];
}

/** A node whose labels tell what `nvidia.com/gpu` is there. */
function plainNode({ name, gpus, labels, taints = [] }: PlainNode): NodeManifest {
  const offered = gpus === undefined ? {} : { 'nvidia.com/gpu': String(gpus) };
  const amounts = { cpu: '96', memory: '768Gi', pods: '110', ...offered };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { taints },
    status: { allocatable: amounts, capacity: amounts },
  };
}

const GFD = 'nvidia.com/gpu.';
const gfd = (product: string, count: number, memory: number, replicas = 1, strategy = 'none') => ({
  [`${GFD}product`]: product,
  [`${GFD}count`]: String(count),
  [`${GFD}memory`]: String(memory),
  [`${GFD}replicas`]: String(replicas),
  [`${GFD}sharing-strategy`]: strategy,
});

/** NVIDIA's default time-slicing: under the plain name. */
export const L4_SLICES = ['l4-ts-default', 'l4-ts-default-2'].map((name) =>
  plainNode({ name, gpus: 16, labels: gfd('NVIDIA-L4-SHARED', 4, 23_034, 4, 'time-slicing') }),
);

/** GPU Feature Discovery says what is there; a DRA driver serves it. */
export const DRA = plainNode({ name: 'dra-1', labels: gfd('NVIDIA-H100-80GB-HBM3', 2, 81_559) });

const GKE = 'cloud.google.com/gke-';
const gke = (name: string, gpus: number, accelerator: string, labels: Readonly<Record<string, string>>) =>
  plainNode({
    name,
    gpus,
    labels: { [`${GKE}accelerator`]: accelerator, [`${GKE}accelerator-count`]: '1', ...labels },
    taints: [{ key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' }],
  });

/** Slices that look like whole GPUs. */
export const LOOK_WHOLE = [
  plainNode({
    name: 'a100-mig-single',
    gpus: 28,
    labels: {
      ...gfd('NVIDIA-A100-SXM4-40GB-MIG-1g.5gb', 28, 4_864),
      'nvidia.com/mig.strategy': 'single',
      'nvidia.com/mig.config': 'all-1g.5gb',
    },
  }),
  gke('gke-ts', 4, 'nvidia-l4', {
    [`${GKE}gpu-sharing-strategy`]: 'time-sharing',
    [`${GKE}max-shared-clients-per-gpu`]: '4',
  }),
  gke('gke-mps', 3, 'nvidia-l4', {
    [`${GKE}gpu-sharing-strategy`]: 'mps',
    [`${GKE}max-shared-clients-per-gpu`]: '3',
  }),
  gke('gke-mig', 7, 'nvidia-tesla-a100', { [`${GKE}gpu-partition-size`]: '1g.5gb' }),
];
