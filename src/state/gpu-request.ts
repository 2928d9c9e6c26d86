/** What a pod asks for of GPUs, from its spec, labels and annotations. */

import { ApiError } from '../api/errors.ts';
import type { Container, Pod } from '../api/kubernetes.ts';
import { type PodOptions, parsePodOptions } from '../api/pod-options.ts';
import { type ContainerDemand, effectiveRequest, type GpuRequest, type ResourceRequest } from '../core/request.ts';
import { isGpuResource } from '../core/resources.ts';
import { parseCount } from '../core/units.ts';

type Resources = Readonly<Record<string, string>> | null | undefined;
type Sized = Pick<Container, 'name' | 'restartPolicy'> & {
  readonly resources?: { readonly requests?: Resources; readonly limits?: Resources } | null | undefined;
};
/** Any form of a pod whose containers have been parsed. */
export interface SizedPod {
  readonly spec: {
    readonly containers: readonly Sized[];
    readonly initContainers?: readonly Sized[] | null | undefined;
  };
}

/**
 * What the pod asks for, and what admission has promised it.
 * @throws ApiError InvalidQuantity
 */
export function gpuRequestOf(pod: SizedPod & Pick<Pod, 'metadata'>): GpuRequest {
  const { labels, annotations } = pod.metadata;
  return gpuRequest(requestOf(pod), parsePodOptions(labels, annotations));
}

export function gpuRequest(resources: readonly ResourceRequest[], options: PodOptions): GpuRequest {
  const { promisedMode: mode, memoryMiB: slotMiB, fractionMilli: slotMilli } = options;
  return { resources, mode, slotMiB, slotMilli };
}

/**
 * The pod's effective request of GPU resources; empty if it asks for none.
 * @throws ApiError InvalidQuantity
 */
export function requestOf({ spec }: SizedPod): ResourceRequest[] {
  const { containers, initContainers } = spec;
  if (!containers.some(namesGpu) && !initContainers?.some(namesGpu)) return [];
  return effectiveRequest((initContainers ?? []).map(demandOf), containers.map(demandOf));
}

function namesGpu({ resources }: Sized): boolean {
  for (const list of [resources?.requests, resources?.limits]) {
    for (const name in list) if (isGpuResource(name)) return true;
  }
  return false;
}

function demandOf({ name, resources, restartPolicy }: Sized): ContainerDemand {
  const counts = new Map<string, number>();
  // A request without a limit is what people write; a limit without a request is defaulted by the API server.
  for (const [resource, text] of Object.entries({ ...resources?.limits, ...resources?.requests })) {
    if (!isGpuResource(resource)) continue;
    const count = parseCount(text);
    if (!count.ok) throw new ApiError('InvalidQuantity', `container ${name ?? '?'}, ${resource}: ${count.reason}`);
    counts.set(resource, count.value);
  }
  return { resources: counts, sidecar: restartPolicy === 'Always' };
}
