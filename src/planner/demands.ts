/** Pending pods → demands: pods that ask for the same as one, and how finely their GPUs may be shared. */

import { optimalReplicas } from '../core/admission/replicas.ts';
import type { NodeConstraints } from '../core/admission/slot-index.ts';
import { type Labels, matches } from '../core/label-selector.ts';
import { describeGuard, guardAgainst } from '../core/namespace-guards.ts';
import type { PlanRefusal, PodDemand } from '../core/partitioning/plan-input.ts';
import { classOf } from '../core/request.ts';
import { SHARED_GPU } from '../core/resources.ts';
import type { Toleration } from '../core/taints.ts';
import type { AdmissionView } from '../state/evaluate-admission.ts';
import type { PendingPod } from '../state/pending-pods.ts';
import type { Resources } from '../state/resources.ts';

/** What of a node matters beside its GPUs: `NodeResourceUsage`. */
export interface HostFacts {
  labelsOf(node: string): Labels;
  roomOn(node: string, size: Resources, tolerations: readonly Toleration[]): number;
}

export interface Demands {
  readonly demands: readonly PodDemand[];
  /** Pods that are not planned for. */
  readonly refused: readonly DemandRefusal[];
}

export interface DemandRefusal extends Omit<PlanRefusal, 'code'> {
  readonly code: 'SeveralResources' | 'UncountedByQuota' | 'Untaken' | 'Unsure';
}

export function demandsOf(pods: readonly PendingPod[], hosts: HostFacts, view: AdmissionView): Demands {
  const classes = new Map<string, { readonly first: PendingPod; readonly replicas: number; readonly keys: string[] }>();
  /** By the sentence that says why. */
  const refused = new Map<string, { readonly pods: string[]; readonly code: DemandRefusal['code'] }>();
  for (const pod of pods) {
    const key = `${pod.namespace}/${pod.name}`;
    const refusal = refusalOf(pod, view);
    if (refusal) {
      const { why, code } = refusal;
      const known = refused.get(why);
      if (known) known.pods.push(key);
      else refused.set(why, { pods: [key], code });
      continue;
    }
    const replicas = maxReplicas(pod, view);
    const { request, nodeConstraints, tolerations, size, priority } = pod;
    const kind = JSON.stringify([classOf(request), nodeConstraints, tolerations, size, priority, replicas]);
    const known = classes.get(kind);
    if (known) known.keys.push(key);
    else classes.set(kind, { first: pod, replicas, keys: [key] });
  }
  return {
    demands: [...classes.values()].flatMap((each) => demandOf(each, hosts) ?? []),
    refused: [...refused].map(([why, each]) => ({ ...each, why })),
  };
}

/** Why no partition is planned for the pod, whatever nodes there are. */
function refusalOf({ namespace, request }: PendingPod, view: AdmissionView): Omit<DemandRefusal, 'pods'> | undefined {
  if (request.resources.length !== 1) {
    const why =
      'it asks for several kinds of GPUs at once, for which no partition is planned: create a GPUNodeConfig yourself';
    return { code: 'SeveralResources', why };
  }
  const resources = request.resources.map(({ resource }) => resource);
  const guard = guardAgainst(view.guardsOf(namespace), resources);
  return guard && { code: 'UncountedByQuota', why: describeGuard(guard, resources.join(', ')) };
}

function demandOf(
  { first, replicas, keys }: { first: PendingPod; replicas: number; keys: readonly string[] },
  hosts: HostFacts,
): PodDemand | undefined {
  const { request, nodeConstraints, tolerations, size, priority } = first;
  const [part] = request.resources;
  if (!part) return undefined;
  return {
    pods: keys,
    resource: part.resource,
    count: part.count,
    largestContainer: part.largestContainer,
    mode: request.mode,
    slotMiB: request.slotMiB,
    slotMilli: request.slotMilli,
    user: request.user,
    maxReplicas: replicas,
    priority,
    roomOn: (node) => (mayGo(nodeConstraints, hosts.labelsOf(node)) ? hosts.roomOn(node, size, tolerations) : 0),
  };
}

function mayGo(constraints: NodeConstraints, labels: Labels): boolean {
  return constraints.length === 0 || constraints.some((selector) => matches(selector, labels));
}

/** The finest row of the specification's table: without a past, and where no setting says less. */
const FINEST = 8;

/** How many may share a GPU with the pod: what its policy or the configuration allows, and what its past bears. */
function maxReplicas({ request, policy: name, workload }: PendingPod, view: AdmissionView): number {
  if (request.resources[0]?.resource !== SHARED_GPU) return 1;
  const policy = view.policies.find((each) => each.name === name);
  const { mps, timeSlicing } = view.settings;
  const allowed =
    request.mode === 'mps' ? (policy?.mps ?? mps).maxClients : (policy?.timeSlicing ?? timeSlicing).replicasPerGpu;
  const past = view.historyOf(workload);
  const bears = past?.known ? optimalReplicas(past.history) : FINEST;
  // Who is to share a GPU shares it with one other at least: the device plugin knows no less.
  return Math.max(2, Math.min(allowed, bears));
}
