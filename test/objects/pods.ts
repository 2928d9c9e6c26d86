/** Pods as people write them, and as the API server keeps them. */

import { SCHEDULER_NAME } from '#src/api/keys.ts';
import { SHARED_GPU } from '#src/core/resources.ts';
import type { Manifest } from '../fakes/object-store.ts';

export interface GpuPodOptions {
  readonly name: string;
  /** Whole GPUs; none by default. */
  readonly gpus?: number;
  /** Resources by name. */
  readonly resources?: Readonly<Record<string, number | string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** What has to be taken away before a deleted pod goes; until then it is terminating. */
  readonly finalizers?: readonly string[];
  /** Further fields of the spec. */
  readonly spec?: object | undefined;
  /** Default: ours. */
  readonly schedulerName?: string;
  /** Binds it by hand. */
  readonly nodeName?: string | undefined;
}

/** A manifest of one container, its resources as request = limit. */
export function gpuPod(options: GpuPodOptions): Manifest {
  const { name, gpus, resources, labels, annotations, finalizers } = options;
  const { spec, schedulerName = SCHEDULER_NAME, nodeName } = options;
  const wanted = { ...(gpus !== undefined && { 'nvidia.com/gpu': gpus }), ...resources };
  const amounts = Object.fromEntries(Object.entries(wanted).map(([key, count]) => [key, String(count)]));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
    },
    spec: {
      schedulerName,
      ...(nodeName !== undefined && { nodeName }),
      containers: [{ name: 'main', image: 'registry.invalid/none', resources: { requests: amounts, limits: amounts } }],
      ...spec,
    },
  };
}

/** The pod of a manifest as the API server would show it. */
export function livePod(
  { metadata, spec, ...manifest }: Manifest,
  uid: string,
  more: { nodeName?: string } = {},
): Manifest {
  return { ...manifest, metadata: { namespace: 'default', ...metadata, uid }, spec: { ...spec, ...more } };
}

export interface StoredPodOptions extends GpuPodOptions {
  /** Default: its name. */
  readonly uid?: string;
  /** Further fields of the metadata. */
  readonly metadata?: object | undefined;
  /** Default: `Running` on a node, else `Pending`. */
  readonly phase?: string;
}

/** A pod in namespace `team` as the watch tells of it. */
export function storedPod({ uid, metadata, phase, ...options }: StoredPodOptions): Manifest {
  const { metadata: made, ...pod } = gpuPod(options);
  return {
    ...pod,
    metadata: { ...made, namespace: 'team', uid: uid ?? made.name, ...metadata },
    status: { phase: phase ?? (options.nodeName ? 'Running' : 'Pending') },
  };
}

/** One for inference, of that name and uid, that runs and on which the webhook has left no mark. */
export function inferencePod(name: string, options: Partial<StoredPodOptions> = {}): Manifest {
  const labels = { 'gpu-autoscaler.io/workload-type': 'inference' };
  const gpus = options.resources ? {} : { gpus: 1 };
  return storedPod({ name, ...gpus, labels, schedulerName: 'default-scheduler', phase: 'Running', ...options });
}

/** One of these that the policy governs. */
export function governedPod(name: string, policy = 'p', options: Partial<StoredPodOptions> = {}): Manifest {
  const annotations = { 'gpu-autoscaler.io/optimized': 'true', 'gpu-autoscaler.io/policy': policy };
  return inferencePod(name, { annotations, ...options });
}

export interface WaitingPodOptions extends Pick<StoredPodOptions, 'resources' | 'metadata' | 'spec'> {
  /** What kube-scheduler says of why it is not placed; default: there are too few of what it asks for. */
  readonly message?: string;
  readonly reason?: string;
  readonly status?: object;
}

/** One of that name and uid that kube-scheduler could not place; it asks for a slot of a shared GPU. */
export function waitingPod(name: string, options: WaitingPodOptions = {}): Manifest {
  const { resources = { [SHARED_GPU]: 1 }, metadata, spec, status, reason = 'Unschedulable' } = options;
  const { message = `0/3 nodes are available: 3 Insufficient ${Object.keys(resources)[0]}.` } = options;
  const created = { creationTimestamp: '2026-01-01T00:00:00Z' };
  return {
    ...storedPod({ name, resources, metadata: { ...created, ...metadata }, spec }),
    status: {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason, message }],
      ...status,
    },
  };
}
