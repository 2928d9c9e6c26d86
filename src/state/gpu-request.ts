/** What a pod asks for of GPUs, from its spec, labels and annotations. */

import { ApiError } from '../api/errors.ts';
import type { Container, Pod } from '../api/kubernetes.ts';
import { parseSlotOptions, type SlotOptions } from '../api/pod-options.ts';
import {
  type ContainerDemand,
  effectiveRequest,
  type GpuRequest,
  type ResourceRequest,
  SEVERAL_USERS,
} from '../core/request.ts';
import { isGpuResource, isUnknownGpuResource, SHARED_GPU } from '../core/resources.ts';
import { parseCount } from '../core/units.ts';

type Resources = Readonly<Record<string, string>> | null | undefined;
type Sized = Pick<Container, 'name' | 'restartPolicy' | 'securityContext'> & {
  readonly resources?: { readonly requests?: Resources; readonly limits?: Resources } | null | undefined;
};
/** Any form of a pod whose containers have been parsed. */
export interface SizedPod {
  readonly spec: {
    readonly containers: readonly Sized[];
    readonly initContainers?: readonly Sized[] | null | undefined;
    readonly securityContext?: Container['securityContext'];
  };
}

/**
 * What the pod asks for, and what admission has promised it.
 * @throws ApiError InvalidQuantity
 */
export function gpuRequestOf(pod: SizedPod & Pick<Pod, 'metadata'>): GpuRequest {
  const { labels, annotations } = pod.metadata;
  return gpuRequest(pod, requestOf(pod), parseSlotOptions(labels, annotations));
}

export function gpuRequest(pod: SizedPod, resources: readonly ResourceRequest[], options: SlotOptions): GpuRequest {
  const { promisedMode: mode, memoryMiB: slotMiB, fractionMilli: slotMilli } = options;
  const mayUseMps = mode !== 'timeslicing' && resources.some(({ resource }) => resource === SHARED_GPU);
  return { resources, mode, slotMiB, slotMilli, ...(mayUseMps && { user: mpsUserOf(pod) }) };
}

const ROOT = 0;

/**
 * The user of the containers that hold GPUs together, sidecars included; of init containers where no others do: by the
 * container's word, the pod's, or root, as most images have it.
 */
export function mpsUserOf({ spec }: SizedPod): number {
  // Most pods name no user at all.
  if (!namesUser(spec) && !spec.containers.some(namesUser) && !spec.initContainers?.some(namesUser)) return ROOT;
  const init = spec.initContainers ?? [];
  const together = [...spec.containers, ...init.filter(({ restartPolicy }) => restartPolicy === 'Always')].filter(
    holdsGpu,
  );
  // One after the other: the first that comes to the node.
  const containers = together.length > 0 ? together : init.filter(holdsGpu).slice(0, 1);
  const userOf = (container: Sized) => container.securityContext?.runAsUser ?? spec.securityContext?.runAsUser ?? ROOT;
  const [user = ROOT, ...others] = new Set(containers.map(userOf));
  return others.length > 0 ? SEVERAL_USERS : user;
}

/**
 * The pod's effective request of GPU resources; empty if it asks for none.
 * @throws ApiError InvalidQuantity
 */
export function requestOf({ spec }: SizedPod): ResourceRequest[] {
  // Containers that name no GPU change nothing; of sidecars without GPUs a pod may have many.
  const main = spec.containers.filter(namesGpu);
  const init = spec.initContainers?.filter(namesGpu) ?? [];
  if (main.length + init.length === 0) return [];
  return effectiveRequest(init.map(demandOf), main.map(demandOf));
}

/** Whether the pod asks for a GPU under a name of NVIDIA's that is not known to us. */
export function namesUnknownGpu({ spec }: SizedPod): boolean {
  return spec.containers.some(isOfUnknownGpu) || (spec.initContainers?.some(isOfUnknownGpu) ?? false);
}

function isOfUnknownGpu({ resources }: Sized): boolean {
  return hasUnknownGpu(resources?.requests) || hasUnknownGpu(resources?.limits);
}

function hasUnknownGpu(list: Resources): boolean {
  for (const name in list) if (isUnknownGpuResource(name)) return true;
  return false;
}

function namesUser({ securityContext }: Pick<Sized, 'securityContext'>): boolean {
  return typeof securityContext?.runAsUser === 'number';
}

/** Whether it asks for one or more; what cannot be read is no 0. */
function holdsGpu({ resources }: Sized): boolean {
  const counts = { ...resources?.limits, ...resources?.requests };
  return Object.keys(counts).some((name) => isGpuResource(name) && Number(counts[name]) !== 0);
}

function namesGpu({ resources }: Sized): boolean {
  return hasGpu(resources?.requests) || hasGpu(resources?.limits);
}

function hasGpu(list: Resources): boolean {
  for (const name in list) if (isGpuResource(name)) return true;
  return false;
}

function demandOf({ name, resources, restartPolicy }: Sized): ContainerDemand {
  const counts = new Map<string, number>();
  // A request without a limit is what people write; a limit without a request is defaulted by the API server.
  for (const list of [resources?.limits, resources?.requests]) {
    for (const resource in list) {
      if (isGpuResource(resource)) counts.set(resource, countOf(list[resource] ?? '', resource, name));
    }
  }
  return { resources: counts, sidecar: restartPolicy === 'Always' };
}

/** @throws ApiError InvalidQuantity */
function countOf(text: string, resource: string, container: string | undefined): number {
  const count = parseCount(text);
  if (count.ok) return count.value;
  throw new ApiError('InvalidQuantity', `container ${container ?? '?'}, ${resource}: ${count.reason}`);
}
