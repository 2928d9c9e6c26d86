/**
 * Pods that slipped past the webhook while it was away, and hold a whole GPU that they would have shared. A running pod
 * cannot be changed; what repairs it is a command for its owner.
 */

import { setImmediate as turn } from 'node:timers/promises';
import type { Workload } from '../api/workload.ts';
import type { SharedMode } from '../core/sharing-mode.ts';
import { type AdmissionView, judge } from '../state/evaluate-admission.ts';
import type { UnmutatedPod } from '../state/unmutated-pods.ts';

export interface MissedPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly workload: Workload;
  /** How it would share. */
  readonly mode: SharedMode;
  readonly reasons: readonly string[];
  /** What repairs it, for a shell. */
  readonly repair: string;
}

/** A pod whose label or annotation of ours cannot be read; its author may never have seen the webhook's warning. */
export interface UnclearPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** One sentence for each. */
  readonly faults: readonly string[];
}

export interface Findings {
  readonly missed: readonly MissedPod[];
  readonly unclear: readonly UnclearPod[];
}

/** Pods judged in one turn of the event loop: a few ms. */
const PODS_PER_TURN = 50;

/** Findings on the pods without a decision; other work gets its turns in between. */
export async function audit(pods: Iterable<UnmutatedPod>, view: AdmissionView): Promise<Findings> {
  const missed: MissedPod[] = [];
  const unclear: UnclearPod[] = [];
  let judged = 0;
  for (const { uid, namespace, name, created } of [...pods]) {
    judged += 1;
    if (judged % PODS_PER_TURN === 0) await turn();
    const result = judge(created.candidate, view);
    if (!result.ok) {
      unclear.push({ uid, namespace, name, faults: result.faults });
      continue;
    }
    const { workload, decision } = result;
    if (decision.action !== 'share') continue;
    const { mode, reasons } = decision;
    const repair = repairOf(created.ownerVersion, workload, namespace, name);
    missed.push({ uid, namespace, name, workload, mode, reasons, repair });
  }
  return { missed, unclear };
}

const ROLLED_OUT: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet']);

/** Names as in Kubernetes, which checks those of pods and namespaces, but not of owners: any client may write these. */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/**
 * A command that creates the pod again, through the webhook. Users paste it into a shell: only valid names get in.
 * @param owner API version of the pod's controller
 */
function repairOf(owner: string | undefined, { kind, name }: Workload, namespace: string, pod: string): string {
  const where = `-n ${namespace}`;
  if (owner?.startsWith('apps/') && ROLLED_OUT.has(kind) && NAME.test(name)) {
    return `kubectl rollout restart ${kind.toLowerCase()}/${name} ${where}`;
  }
  // The owner of the pod creates another.
  if (owner) return `kubectl delete pod ${pod} ${where}`;
  const drop = 'del(.spec.nodeName, .status, .metadata.uid, .metadata.resourceVersion, .metadata.creationTimestamp)';
  return `kubectl get pod ${pod} ${where} -o json | jq '${drop}' | kubectl replace --force -f -`;
}
