/** API objects → records of the core. The only place that knows both. */

import { type AllocationRecord, parseAllocationRecord } from '../api/allocation-record.ts';
import { ApiError } from '../api/errors.ts';
import { GFD, NODE, WRITTEN } from '../api/keys.ts';
import { type Container, hasFinished, type Node, type Pod } from '../api/kubernetes.ts';
import { type PodOptions, parsePodOptions } from '../api/pod-options.ts';
import { inventoryOf, type NodeFacts, type NodeInventory } from '../core/inventory.ts';
import { type ContainerDemand, effectiveRequest, type GpuRequest, type ResourceRequest } from '../core/request.ts';
import { isGpuResource, migProfileOf } from '../core/resources.ts';
import { parseCount } from '../core/units.ts';

/** A pod as the scheduler's half sees it. */
export interface PodRecord {
  readonly uid: string;
  /** `namespace/name`. */
  readonly key: string;
  readonly node: string | undefined;
  /** Succeeded or Failed: its GPUs are free again. A terminating pod is not finished. */
  readonly finished: boolean;
  readonly request: GpuRequest;
  /** Sentences about labels and annotations that cannot be read. */
  readonly faults: readonly string[];
  readonly record: AllocationRecord | undefined;
}

/** @throws ApiError InvalidQuantity */
export function projectPod(pod: Pod): PodRecord {
  const { metadata, spec } = pod;
  const wishes = parsePodOptions(metadata.labels, metadata.annotations);
  return {
    uid: metadata.uid ?? '',
    key: `${metadata.namespace ?? ''}/${metadata.name ?? ''}`,
    node: spec.nodeName || undefined,
    finished: hasFinished(pod),
    request: gpuRequestOf(requestOf(pod), wishes),
    faults: wishes.faults,
    record: parseAllocationRecord(metadata.annotations?.[WRITTEN.allocation]),
  };
}

function gpuRequestOf(resources: ResourceRequest[], wishes: PodOptions): GpuRequest {
  return { resources, mode: wishes.promisedMode, slotMiB: wishes.memoryMiB, slotMilli: wishes.fractionMilli };
}

/**
 * The pod's effective request of GPU resources.
 * @throws ApiError InvalidQuantity
 */
export function requestOf({ spec }: Pod): ResourceRequest[] {
  return effectiveRequest((spec.initContainers ?? []).map(demandOf), spec.containers.map(demandOf));
}

function demandOf({ name, resources, restartPolicy }: Container): ContainerDemand {
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

/**
 * A node's inventory; undefined if it offers nothing of a GPU. Labels that cannot be read count as absent.
 * @param oversubscribe whether a time-slice may use the memory of the whole GPU
 */
export function projectNode({ metadata, status }: Node, oversubscribe = false): NodeInventory | undefined {
  const labels = metadata.labels ?? {};
  const allocatable = new Map<string, number>();
  const migMiB = new Map<string, number>();
  for (const [resource, text] of Object.entries(status?.allocatable ?? {})) {
    if (!isGpuResource(resource)) continue;
    const count = parseCount(text);
    allocatable.set(resource, count.ok ? count.value : 0);
    const memory = migProfileOf(resource) && positiveInteger(labels[`${resource}.memory`]);
    if (memory) migMiB.set(resource, memory);
  }
  const strategy = labels[GFD.sharingStrategy];
  const facts: NodeFacts = {
    name: metadata.name,
    createdAt: Date.parse(metadata.creationTimestamp ?? '') || 0,
    product: labels[GFD.product] ?? '',
    gpus: positiveInteger(labels[GFD.count], MAX_GPUS),
    gpuMiB: positiveInteger(labels[GFD.memory]),
    replicas: positiveInteger(labels[GFD.replicas], MAX_REPLICAS) ?? 1,
    sharing: strategy === 'mps' ? 'mps' : strategy === 'time-slicing' ? 'timeslicing' : 'none',
    allocatable,
    migMiB,
    oversubscribe,
    // By our mark, which comes before anything is changed, or by mig-manager's word.
    inTransition:
      metadata.annotations?.[NODE.transition] !== undefined || IN_TRANSITION.has(labels[GFD.migConfigState] ?? ''),
  };
  return inventoryOf(facts);
}

/** States of mig-manager in which instances may vanish; `failed` leaves things as they are. */
const IN_TRANSITION: ReadonlySet<string> = new Set(['pending', 'rebooting']);

/** Far above any machine; a label is only text, and must not size an array without bound. */
const MAX_GPUS = 1024;
const MAX_REPLICAS = 1024;

function positiveInteger(text: string | undefined, max = Number.MAX_SAFE_INTEGER): number | undefined {
  const value = /^\d{1,15}$/.test(text ?? '') ? Number(text) : 0;
  return value > 0 && value <= max ? value : undefined;
}
