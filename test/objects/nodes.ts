/**
 * Node manifests as they look once NVIDIA's stock device plugin and GPU Feature Discovery have
 * done their work (`nvidia.com/gpu.*` labels; allocatable extended resources).
 */

import type { Manifest } from '../fakes/object-store.ts';

export type NodeManifest = Manifest & { readonly status: object };

export interface GpuNodeOptions {
  readonly name: string;
  /** Physical GPUs. */
  readonly gpus: number;
  /** Default: an A100 of 40 GB. */
  readonly gpu?: GpuModel;
  readonly labels?: Readonly<Record<string, string>>;
  /** Pods that kubelet takes; default 110, as kubelet's. */
  readonly maxPods?: number;
}

export interface GpuModel {
  readonly product: string;
  /** MiB, as `nvidia.com/gpu.memory` has it. */
  readonly memoryMiB: number;
  readonly family: string;
  readonly compute: readonly [major: number, minor: number];
  readonly migCapable: boolean;
}

export const A100_40GB: GpuModel = {
  product: 'NVIDIA-A100-SXM4-40GB',
  memoryMiB: 40960,
  family: 'ampere',
  compute: [8, 0],
  migCapable: true,
};
export const T4: GpuModel = {
  product: 'Tesla-T4',
  memoryMiB: 15360,
  family: 'turing',
  compute: [7, 5],
  migCapable: false,
};

/** Labels of two A100-40 that nobody shares. */
export const DISCOVERED = {
  'nvidia.com/gpu.product': A100_40GB.product,
  'nvidia.com/gpu.count': '2',
  'nvidia.com/gpu.memory': String(A100_40GB.memoryMiB),
  'nvidia.com/gpu.replicas': '1',
  'nvidia.com/gpu.sharing-strategy': 'none',
};

export const CPU_NODE = 'cpu';

/** A node without GPUs. */
export function cpuNode(): NodeManifest {
  const resources = { cpu: '96', memory: '768Gi', pods: '110' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: CPU_NODE, labels: { 'kubernetes.io/hostname': CPU_NODE } },
    status: { capacity: resources, allocatable: resources },
  };
}

/** Every GPU goes to one pod at a time. */
export function exclusiveNode(options: GpuNodeOptions): NodeManifest {
  const { gpus, gpu = A100_40GB } = options;
  return node(options, { 'nvidia.com/gpu': gpus }, gfdLabels(options, gpu.product, 1, 'none'));
}

/** `sharing.mps` with `renameByDefault: true`. */
export function mpsNode(options: GpuNodeOptions & { readonly replicas: number }): NodeManifest {
  return sharedNode(options, 'mps');
}

/** `sharing.timeSlicing` with `renameByDefault: true`. */
export function timeSlicingNode(options: GpuNodeOptions & { readonly replicas: number }): NodeManifest {
  return sharedNode(options, 'time-slicing');
}

function sharedNode(options: GpuNodeOptions & { readonly replicas: number }, strategy: string): NodeManifest {
  const { gpus, replicas, gpu = A100_40GB } = options;
  const extra: Record<string, string> = strategy === 'mps' ? { 'nvidia.com/mps.capable': 'true' } : {};
  // Renamed to gpu.shared, the product keeps its name: `-SHARED` marks shares under the plain name only.
  const labels = { ...gfdLabels(options, gpu.product, replicas, strategy), ...extra };
  return node(options, { 'nvidia.com/gpu': 0, 'nvidia.com/gpu.shared': gpus * replicas }, labels);
}

export interface MigNodeOptions extends GpuNodeOptions {
  /** Instances on each GPU: profile → count, such as `{'1g.5gb': 7}`; all GPUs alike. */
  readonly layout: Readonly<Record<string, number>>;
  /** Memory of an instance in MiB, as GPU Feature Discovery labels it; default: those of an A100 of 40 GB. */
  readonly profileMiB?: Readonly<Record<string, number>>;
}

const A100_PROFILES_MIB = { '1g.5gb': 4_864, '2g.10gb': 9_856, '3g.20gb': 19_968, '7g.40gb': 40_192 };

/** `mig.strategy: mixed`: each profile is a resource of its own. */
export function migNode(options: MigNodeOptions): NodeManifest {
  const { gpus, layout, gpu = A100_40GB } = options;
  const profileMiB: Readonly<Record<string, number>> = options.profileMiB ?? A100_PROFILES_MIB;
  const allocatable: Record<string, number> = { 'nvidia.com/gpu': 0 };
  const labels: Record<string, string> = {
    ...gfdLabels(options, gpu.product, 1, 'none'),
    'nvidia.com/mig.strategy': 'mixed',
    'nvidia.com/mig.config.state': 'success',
  };
  for (const [profile, count] of Object.entries(layout)) {
    const resource = `nvidia.com/mig-${profile.replace('+', '.')}`;
    allocatable[resource] = gpus * count;
    labels[`${resource}.count`] = String(gpus * count);
    labels[`${resource}.product`] = `${gpu.product}-MIG-${profile.replace('+', '.')}`;
    labels[`${resource}.memory`] = String(profileMiB[profile] ?? '');
    labels[`${resource}.replicas`] = '1';
  }
  return node(options, allocatable, labels);
}

function gfdLabels({ gpus, gpu = A100_40GB }: GpuNodeOptions, product: string, replicas: number, strategy: string) {
  return {
    'nvidia.com/gpu.present': 'true',
    'nvidia.com/gpu.count': String(gpus),
    'nvidia.com/gpu.product': product,
    'nvidia.com/gpu.memory': String(gpu.memoryMiB),
    'nvidia.com/gpu.family': gpu.family,
    'nvidia.com/gpu.compute.major': String(gpu.compute[0]),
    'nvidia.com/gpu.compute.minor': String(gpu.compute[1]),
    'nvidia.com/gpu.replicas': String(replicas),
    'nvidia.com/gpu.sharing-strategy': strategy,
    'nvidia.com/mig.capable': String(gpu.migCapable),
  };
}

function node(
  { name, labels, maxPods = 110 }: GpuNodeOptions,
  gpus: Record<string, number>,
  gfd: object,
): NodeManifest {
  const resources = {
    cpu: '96',
    memory: '768Gi',
    pods: String(maxPods),
    ...Object.fromEntries(Object.entries(gpus).map(([resource, count]) => [resource, String(count)])),
  };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...gfd, ...labels } },
    status: { capacity: resources, allocatable: resources },
  };
}
