/** A pod, read once from its API object: what it holds or asks for, where it is, and what keeps it there. */

import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import {
  admissionPodSchema,
  controllerOf,
  nodeConstraintsOf,
  unjudgedBy,
  waitingPodSchema,
} from '../api/admission-pod.ts';
import { type AllocationRecord, parseAllocationRecord } from '../api/allocation-record.ts';
import { toApiError } from '../api/errors.ts';
import { PREFIX, WRITTEN } from '../api/keys.ts';
import { formatIssues, hasFinished } from '../api/kubernetes.ts';
import { parsePodOptions, parseSlotOptions } from '../api/pod-options.ts';
import { type StoredPod, storedPodSchema } from '../api/stored-objects.ts';
import { type Workload, workloadOf } from '../api/workload.ts';
import type { NodeConstraints } from '../core/admission/slot-index.ts';
import { FIT_CODES } from '../core/fit.ts';
import { classOf, type GpuRequest, type ResourceRequest } from '../core/request.ts';
import { WHOLE_GPU } from '../core/resources.ts';
import type { Toleration } from '../core/taints.ts';
import { type AdmissionCandidate, admissionCandidate } from './evaluate-admission.ts';
import { gpuRequest, namesUnknownGpu, requestOf } from './gpu-request.ts';
import { type Resources, requestedResources } from './resources.ts';
import type { OnInvalidObject, Reading } from './store.ts';

export interface PodRecord {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** The node that it is bound to. */
  readonly node: string | undefined;
  /** Succeeded or Failed: what it held is free again. A terminating pod is not finished. */
  readonly finished: boolean;
  /** Its containers have started. */
  readonly running: boolean;
  /** Why its kubelet did not take it, though it was bound: `UnexpectedAdmissionError`. */
  readonly refused: string | undefined;
  /** It is on its way out. */
  readonly terminating: boolean;
  /** cpu and memory that it asks for. */
  readonly resources: Resources;
  /** Undefined for a pod that asks for no GPU. */
  readonly gpu: PodGpus | undefined;
}

/** The GPU side of a pod. */
export interface PodGpus {
  /** Undefined if it cannot be read, or names nothing that is known to us. */
  readonly request: GpuRequest | undefined;
  /** Once it is bound it holds GPUs that we cannot count: a quantity cannot be read, or a name of NVIDIA's is not known to us. */
  readonly holdsUnknown: boolean;
  /** What our Binding wrote down. */
  readonly allocation: AllocationRecord | undefined;
  /** The GPUSharingPolicy that governed its admission. */
  readonly policy: string | undefined;
  /** Why it must not be evicted; undefined if it may. */
  readonly nonEvictableReason: string | undefined;
  /** What the webhook would have seen of the pod, where it has left no mark. */
  readonly unmutated: UnmutatedFacts | undefined;
  /** What it waits for, where kube-scheduler could not place it for want of GPUs. */
  readonly pending: PendingDetails | undefined;
}

export interface UnmutatedFacts {
  readonly candidate: AdmissionCandidate;
  /** API version of its controller; undefined if it has none. */
  readonly ownerVersion: string | undefined;
}

export interface PendingDetails {
  readonly priority: number;
  /** ms since the epoch. */
  readonly createdAt: number;
  readonly nodeConstraints: NodeConstraints;
  readonly tolerations: readonly Toleration[];
  /** What kube-scheduler asks besides and we do not judge: whether a slot would help is not sure. */
  readonly unjudged: string | undefined;
  readonly workload: Workload;
}

export interface PodReaderOptions {
  /** Whether pods that ask for no GPU are kept: where their cpu and memory count. */
  readonly podsWithoutGpus: boolean;
}

/** Kinds of requests and of resources that are kept as one object each; a cluster has few. */
const MAX_KINDS = 1_000;
/** Allocation records: a pod that has just been bound changes several times in its first seconds. */
const MAX_ALLOCATIONS = 2_000;
/** Characters of a record that are remembered. */
const MAX_RECORD = 4_096;
/** Pods whose faults have been told. */
const MAX_TOLD = 10_000;

export class PodReader {
  readonly #options: PodReaderOptions;
  readonly #warn: OnInvalidObject;
  readonly #requests = new LRUCache<string, GpuRequest>({ max: MAX_KINDS });
  readonly #resources = new LRUCache<string, Resources>({ max: MAX_KINDS });
  readonly #allocations = new LRUCache<string, AllocationRecord>({ max: MAX_ALLOCATIONS });
  /** By uid: what was said of the pod last. */
  readonly #told = new LRUCache<string, string>({ max: MAX_TOLD });

  constructor(options: PodReaderOptions, warn: OnInvalidObject) {
    this.#options = options;
    this.#warn = warn;
  }

  /** Undefined for what cannot be read: what a pod holds by what was known of it before, it holds. */
  read(object: unknown): Reading<PodRecord> | undefined {
    const parsed = storedPodSchema.safeParse(object);
    if (!parsed.success) {
      this.#warn('an object cannot be read and is left out', { faults: formatIssues(parsed.error) });
      return undefined;
    }
    const { uid, resourceVersion } = parsed.data.metadata;
    return { key: uid, resourceVersion, record: this.#record(parsed.data, object) };
  }

  #record(pod: StoredPod, object: unknown): PodRecord | undefined {
    const { metadata, spec } = pod;
    const gpu = this.#gpus(pod, object);
    if (!gpu && !this.#options.podsWithoutGpus) return undefined;
    return {
      uid: metadata.uid,
      namespace: metadata.namespace ?? '',
      name: metadata.name ?? '',
      node: spec.nodeName || undefined,
      finished: hasFinished(pod),
      running: pod.status?.phase === 'Running',
      refused: refusalOf(pod),
      terminating: Boolean(metadata.deletionTimestamp),
      resources: this.#sharedResources(requestedResources(pod)),
      gpu,
    };
  }

  #gpus(pod: StoredPod, object: unknown): PodGpus | undefined {
    let resources: ResourceRequest[] | undefined;
    try {
      resources = requestOf(pod);
    } catch (error) {
      this.#tell(pod, toApiError(error).message);
    }
    const namesUnknown = namesUnknownGpu(pod);
    if (resources?.length === 0 && !namesUnknown) return undefined;
    if (resources?.length === 0) resources = undefined;
    const { labels, annotations } = pod.metadata;
    const isOver = hasFinished(pod) || Boolean(pod.metadata.deletionTimestamp);
    return {
      request: resources && this.#sharedRequest(gpuRequest(pod, resources, parseSlotOptions(labels, annotations))),
      holdsUnknown: namesUnknown || !resources,
      allocation: this.#allocation(annotations?.[WRITTEN.allocation]),
      policy: annotations?.[WRITTEN.policy],
      nonEvictableReason: nonEvictableReason(pod.metadata),
      unmutated: !isOver && mayBeMissed(pod.metadata, resources) ? asCreated(object) : undefined,
      pending: resources && !isOver && !pod.spec.nodeName ? pendingDetails(pod, object) : undefined,
    };
  }

  /** Once for each fault: a pod that cannot be read changes as often as any other. */
  #tell({ metadata: { namespace, name, uid } }: StoredPod, error: string): void {
    if (this.#told.get(uid) === error) return;
    this.#told.set(uid, error);
    this.#warn('a pod cannot be read and is left out', { pod: { namespace, name, uid }, error });
  }

  #allocation(text: string | undefined): AllocationRecord | undefined {
    if (text === undefined) return undefined;
    const known = this.#allocations.get(text) ?? parseAllocationRecord(text);
    // Of ours, none is longer: what others write is not kept.
    if (known && text.length <= MAX_RECORD) this.#allocations.set(text, known);
    return known;
  }

  #sharedRequest(request: GpuRequest): GpuRequest {
    return shared(this.#requests, classOf(request), request);
  }

  #sharedResources(resources: Resources): Resources {
    return shared(this.#resources, `${resources.cpu} ${resources.memory}`, resources);
  }
}

/** The kubelet's words for devices that it does not have. Source: Kubernetes, `pkg/kubelet/lifecycle/predicate.go` and `cm/admission`. */
const NO_DEVICES = /^(UnexpectedAdmissionError|OutOfnvidia\.com\/.*)$/;

function refusalOf({ status }: StoredPod): string | undefined {
  const reason = status?.phase === 'Failed' ? (status.reason ?? '') : '';
  return NO_DEVICES.test(reason) ? reason : undefined;
}

function shared<T extends object>(known: LRUCache<string, T>, key: string, value: T): T {
  const same = known.get(key);
  if (same) return same;
  known.set(key, value);
  return value;
}

/** A static pod, as its kubelet shows it to the API server. */
const MIRROR = 'kubernetes.io/config.mirror';

/** As `kubectl drain` refuses them without --force. */
function nonEvictableReason(metadata: StoredPod['metadata']): string | undefined {
  if (metadata.annotations?.[MIRROR] !== undefined) return 'is a static pod of its kubelet';
  const owner = controllerOf(metadata);
  if (!owner) return 'has no controller that would make it again elsewhere: delete it yourself';
  if (owner.kind === 'DaemonSet') return `belongs to DaemonSet ${owner.name}, which would make it again on the node`;
  return undefined;
}

/** Who wrote which field: `nodeName` is in there only if the pod was created with it; a Binding leaves no trace. */
const managedSchema = z.object({
  metadata: z.object({
    managedFields: z.array(z.object({ fieldsV1: z.record(z.string(), z.unknown()).nullish() })).nullish(),
  }),
});

/**
 * Whether there may be anything to say of a pod on which the webhook has left no mark: it asks for whole GPUs, or what it
 * asks of us cannot be read. Pods that ask for slots by name are only placed.
 */
function mayBeMissed(
  { labels, annotations }: StoredPod['metadata'],
  resources: readonly ResourceRequest[] | undefined,
): boolean {
  if (annotations?.[WRITTEN.optimized] !== undefined || !resources) return false;
  if (resources.some(({ resource }) => resource === WHOLE_GPU)) return true;
  return (hasOption(labels) || hasOption(annotations)) && parsePodOptions(labels, annotations).faults.length > 0;
}

/** Most pods have none: a look at the names is all that they cost. */
function hasOption(keys: Readonly<Record<string, string>> | null | undefined): boolean {
  for (const key in keys) if (key.startsWith(PREFIX)) return true;
  return false;
}

/** As the webhook would have seen the pod: not placed yet, unless its author had; undefined if it cannot be read. */
function asCreated(object: unknown): UnmutatedFacts | undefined {
  const parsed = admissionPodSchema.safeParse(object);
  if (!parsed.success) return undefined;
  const { metadata, spec } = parsed.data;
  const { nodeName: _, ...unplaced } = spec;
  const created = !spec.nodeName || isBoundByAuthor(object) ? { metadata, spec } : { metadata, spec: unplaced };
  const ownerVersion = controllerOf(metadata)?.apiVersion;
  return { candidate: admissionCandidate(created, metadata.namespace), ownerVersion };
}

function isBoundByAuthor(object: unknown): boolean {
  const managed = managedSchema.safeParse(object).data?.metadata.managedFields ?? [];
  return managed.some(({ fieldsV1 }) => Object.hasOwn((fieldsV1?.['f:spec'] ?? {}) as object, 'f:nodeName'));
}

const verdictSchema = z.object({
  status: z.object({
    conditions: z.array(
      z.object({
        type: z.string(),
        status: z.string().nullish(),
        reason: z.string().nullish(),
        message: z.string().nullish(),
      }),
    ),
  }),
});

/** Undefined for a pod that others keep back, that was not tried yet, or that waits for something other than GPUs. */
function pendingDetails({ metadata }: StoredPod, object: unknown): PendingDetails | undefined {
  const conditions = verdictSchema.safeParse(object).data?.status.conditions;
  const verdict = conditions?.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  if (verdict?.reason !== 'Unschedulable' || !wantsGpus(verdict.message ?? '')) return undefined;
  const spec = waitingPodSchema.safeParse(object).data?.spec;
  if (!spec || (spec.schedulingGates?.length ?? 0) > 0) return undefined;
  return {
    priority: spec.priority ?? 0,
    createdAt: Date.parse(metadata.creationTimestamp ?? '') || 0,
    nodeConstraints: nodeConstraintsOf(spec),
    tolerations: spec.tolerations ?? [],
    unjudged: unjudgedBy(spec),
    workload: workloadOf(metadata, metadata.namespace ?? ''),
  };
}

/** kube-scheduler counts too few of a resource, or our extender has refused nodes for what their GPUs are. */
const WANTS_GPUS = new RegExp(`\\bInsufficient nvidia\\.com/|\\b(?:${FIT_CODES.join('|')}): `);

/**
 * Whether more slots, or other ones, would help on at least one node.
 * @param message of the pod's PodScheduled condition
 */
function wantsGpus(message: string): boolean {
  return WANTS_GPUS.test(message);
}
