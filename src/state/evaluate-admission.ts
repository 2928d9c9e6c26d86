/**
 * What is known of the cluster for admission, and the decision for any pod: the webhook, `decide` and the search for
 * missed pods all ask here.
 */

import {
  type AdmissionPod,
  admissionPodSchema,
  isPinned,
  nodeConstraintsOf,
  workloadSignals,
} from '../api/admission-pod.ts';
import { toApiError } from '../api/errors.ts';
import { formatIssues } from '../api/kubernetes.ts';
import { memoryShareOf } from '../api/memory-share.ts';
import { parsePodOptions } from '../api/pod-options.ts';
import { type ClusterQueue, type QueueSigns, queueSignsOf } from '../api/queues.ts';
import { queueObstacle, sharingObstacles } from '../api/sharing-obstacles.ts';
import { type Workload, workloadOf } from '../api/workload.ts';
import { decide } from '../core/admission/decide.ts';
import type {
  AdmissionSettings,
  Decision,
  PodFacts,
  SlotRoom,
  WorkloadHistory,
} from '../core/admission/decision-input.ts';
import { exemption } from '../core/admission/gates.ts';
import type { SharingPolicy } from '../core/admission/policy.ts';
import type { NodeConstraints } from '../core/admission/slot-index.ts';
import type { SlotOffer } from '../core/admission/slot-offer.ts';
import { type InferredWorkloadType, inferWorkloadType } from '../core/admission/workload-type.ts';
import { equalTo, type Labels } from '../core/label-selector.ts';
import type { NamespaceGuards } from '../core/namespace-guards.ts';
import type { Toleration } from '../core/taints.ts';
import { mpsUserOf, requestOf } from './gpu-request.ts';

/** What a decision is made from besides the pod, as of now. */
export interface AdmissionView {
  readonly settings: AdmissionSettings;
  /** @param tolerations of the pod; undefined: taints do not matter */
  readonly offers: (placement: NodeConstraints, tolerations?: readonly Toleration[]) => readonly SlotOffer[];
  /** In order of precedence. */
  readonly policies: readonly SharingPolicy[];
  readonly namespaceLabels: (namespace: string) => Labels | undefined;
  readonly guardsOf: (namespace: string) => NamespaceGuards;
  /**
   * What of an offer is left for a pod of that user; undefined where it is not known which pods hold what.
   * @param tolerations of the pod
   */
  readonly roomFor: (
    offer: SlotOffer,
    placement: NodeConstraints,
    tolerations: readonly Toleration[],
    user: number,
  ) => SlotRoom | undefined;
  /** The DeviceClass by which DRA serves a resource; undefined: none does. */
  readonly deviceClassOf: (resource: string) => string | undefined;
  /** The ClusterQueue behind a LocalQueue of Kueue's; undefined if it is not known. */
  readonly clusterQueueOf: (namespace: string, localQueue: string) => ClusterQueue | undefined;
  readonly historyOf: HistoryOf;
}

/** What is known of a workload's past, or why nothing is; undefined where no history is kept. */
export type HistoryOf = (
  workload: Workload,
) =>
  | { readonly known: true; readonly history: WorkloadHistory }
  | { readonly known: false; readonly why: string }
  | undefined;

export type AdmissionResult =
  | {
      readonly ok: true;
      /** `namespace/name`, for people. */
      readonly pod: string;
      readonly workload: Workload;
      readonly decision: Decision;
      /** GPU resources asked for, by name. */
      readonly requested: ReadonlyMap<string, number>;
      /** User of its containers with GPUs. */
      readonly user: number;
    }
  /** The pod, or what it asks of us, cannot be read: one sentence for each fault. */
  | { readonly ok: false; readonly pod: string; readonly faults: readonly string[]; readonly unreadable: boolean };

/**
 * @param object a Pod, as JSON
 * @param namespace where it is made; its own metadata may lack it
 */
export function evaluateAdmission(
  object: unknown,
  namespace: string | undefined,
  view: AdmissionView,
): AdmissionResult {
  const parsed = admissionPodSchema.safeParse(object);
  if (!parsed.success) return { ok: false, pod: '', faults: [formatIssues(parsed.error)], unreadable: true };
  try {
    return judge(admissionCandidate(parsed.data, namespace), view);
  } catch (error) {
    const pod = nameOf(parsed.data, namespace ?? parsed.data.metadata.namespace ?? '');
    return { ok: false, pod, faults: [toApiError(error).message], unreadable: true };
  }
}

/** What admission needs of a pod: the rest of it may be large, and is not kept. */
export interface AdmissionCandidate {
  /** `namespace/name`, for people. */
  readonly pod: string;
  readonly facts: Omit<PodFacts, 'queueGrants'>;
  /** What it asks of us cannot be read: one sentence for each fault. */
  readonly faults: readonly string[];
  readonly workload: Workload;
  readonly constraints: NodeConstraints;
  readonly tolerations: readonly Toleration[];
  /** User of its containers with GPUs. */
  readonly user: number;
  readonly inferred: InferredWorkloadType | undefined;
  readonly queue: QueueSigns | undefined;
}

/** @throws ApiError for a quantity that cannot be read */
export function admissionCandidate(parsed: AdmissionPod, namespace: string | undefined): AdmissionCandidate {
  const { metadata, spec } = parsed;
  const home = namespace ?? metadata.namespace ?? '';
  const requested = new Map(requestOf(parsed).map(({ resource, count }) => [resource, count]));
  const { faults, promisedMode: _, ...wishes } = parsePodOptions(metadata.labels, metadata.annotations);
  return {
    pod: nameOf(parsed, home),
    facts: {
      ...wishes,
      namespace: home,
      labels: metadata.labels ?? {},
      requested,
      schedulerName: spec.schedulerName || 'default-scheduler',
      pinned: isPinned(parsed),
      priority: spec.priority ?? 0,
      // By its label it says that it can do with a slot, and takes its share of that.
      memoryShareMilli: wishes.workloadType === undefined ? memoryShareOf(parsed) : undefined,
      obstacles: sharingObstacles(parsed),
    },
    faults,
    workload: workloadOf(metadata, home),
    constraints: nodeConstraintsOf(spec),
    tolerations: spec.tolerations ?? [],
    user: mpsUserOf(parsed),
    inferred: inferWorkloadType(workloadSignals(parsed)),
    queue: queueSignsOf(parsed),
  };
}

/** What becomes of the pod, as of now. */
export function judge(candidate: AdmissionCandidate, view: AdmissionView): AdmissionResult {
  const { pod, facts, faults, workload, constraints, tolerations, user, inferred } = candidate;
  const { namespace, requested } = facts;
  const namespaceLabels = view.namespaceLabels(namespace);
  // In an exempt namespace they are not read: the API server does not even send such pods.
  const isRead = exemption(view.settings, namespace, namespaceLabels) === undefined;
  if (requested.size > 0 && faults.length > 0 && isRead) return { ok: false, pod, faults, unreadable: false };
  const past = view.historyOf(workload);
  const decision = decide({
    pod: { ...facts, ...queueFactsOf(candidate, view) },
    namespaceLabels,
    guards: view.guardsOf(namespace),
    policies: view.policies,
    offersOn: (nodeSelector) => view.offers(confine(constraints, nodeSelector), tolerations),
    offersAnywhere: (nodeSelector) => view.offers(confine([], nodeSelector)),
    roomFor: (offer, nodeSelector) => view.roomFor(offer, confine(constraints, nodeSelector), tolerations, user),
    deviceClassOf: view.deviceClassOf,
    history: past?.known ? past.history : undefined,
    ...(past && !past.known && { noHistory: past.why }),
    inferred,
    settings: view.settings,
  });
  return { ok: true, pod, workload, decision, requested, user };
}

/** What the queue that counts the pod, if any, makes of it. */
function queueFactsOf({ facts, queue }: AdmissionCandidate, view: AdmissionView): Partial<PodFacts> {
  if (!queue) return {};
  const { localQueue } = queue;
  const clusterQueue = localQueue === undefined ? undefined : view.clusterQueueOf(facts.namespace, localQueue);
  const obstacle = queueObstacle(queue, clusterQueue);
  return {
    obstacles: [...(obstacle ? [obstacle] : []), ...(facts.obstacles ?? [])],
    queueGrants: clusterQueue && new Set(clusterQueue.grants),
  };
}

function nameOf({ metadata }: AdmissionPod, namespace: string): string {
  return `${namespace}/${metadata.name ?? `${metadata.generateName ?? ''}*`}`;
}

/** The placement, and these labels besides. */
export function confine(placement: NodeConstraints, nodeSelector: Labels): NodeConstraints {
  const more = equalTo(nodeSelector);
  if (more.length === 0) return placement;
  return placement.length === 0 ? [more] : placement.map((selector) => [...selector, ...more]);
}
