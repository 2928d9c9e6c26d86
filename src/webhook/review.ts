/** One AdmissionReview, from request to reply. Whatever is wrong with a pod, it is admitted. */

import type { AdmissionRequest, AdmissionReviewReply } from '../api/admission-review.ts';
import type { Decision } from '../core/admission/decision-input.ts';
import type { SharedMode } from '../core/sharing-mode.ts';
import { type AdmissionView, evaluateAdmission } from '../state/evaluate-admission.ts';
import { applyDecision } from './mutate.ts';
import { patchOf } from './patch.ts';
import { additionsTo, isSameDecision, type RecentDecisions, undoDecision } from './reinvocation.ts';

/** What became of the pod, for metrics and logs. */
export type ReviewedStrategy = SharedMode | 'exclusive' | 'none' | 'error';

export interface Reviewed {
  readonly reply: AdmissionReviewReply;
  readonly strategy: ReviewedStrategy;
  readonly pod: string;
  readonly reasons: readonly string[];
  /** The GPUSharingPolicy that governs the pod. */
  readonly policy?: string;
}

export interface ReviewContext {
  readonly view: AdmissionView;
  /** Hears of each slot that a pod of that user is promised. */
  readonly promise?: (resource: string, mode: SharedMode, user: number) => void;
  /** Hears of each promise that is taken back. */
  readonly withdraw?: (resource: string, mode: SharedMode, user: number) => void;
  /** What was decided a moment ago; without it no pod is decided anew. */
  readonly recent?: RecentDecisions;
  readonly now: Date;
}

/** A warning header holds 256 characters of text; the API server cuts all of them together at 4,096. */
const MAX_WARNING = 250;

export function review(request: AdmissionRequest, { view, promise, withdraw, recent, now }: ReviewContext): Reviewed {
  if (request.operation !== 'CREATE' || (request.kind?.kind ?? 'Pod') !== 'Pod' || request.subResource) {
    return admit(request, { strategy: 'none', pod: '', reasons: ['only the creation of pods is reviewed'] });
  }
  const namespace = request.namespace ?? undefined;
  const ours = recent?.recall(namespace, request.object);
  const undone = ours && undoDecision(request.object, ours);
  if (undone && ours.promised && !request.dryRun) {
    const { resource, mode, user } = ours.promised;
    withdraw?.(resource, mode, user);
  }
  const object = undone ?? request.object;
  const back = undone ? patchOf(request.object, undone) : [];
  const judged = evaluateAdmission(object, namespace, view);
  if (!judged.ok) {
    const warnings = judged.unreadable ? judged.faults.map((fault) => `not optimized: ${fault}`) : judged.faults;
    return admit(request, { strategy: 'error', pod: judged.pod, reasons: judged.faults }, warnings, back);
  }
  const { pod, decision } = judged;
  const { reasons, warnings, policy } = decision;
  const outcome = { strategy: strategyOf(decision), pod, reasons, ...(policy !== undefined && { policy }) };
  const changed = applyDecision(object, judged, view, now);
  if (changed === undefined) return admit(request, outcome, warnings, back);
  if (annotationBytes(changed) > MAX_ANNOTATIONS) {
    const why = 'not optimized: its annotations and ours would be larger than Kubernetes takes';
    return admit(request, { strategy: 'error', pod, reasons: [why] }, [why], back);
  }
  const promised = decision.action === 'share' ? { ...decision, user: judged.user } : undefined;
  if (promised && !request.dryRun) promise?.(promised.resource, promised.mode, promised.user);
  const isSame = undone !== undefined && isSameDecision(request.object, changed);
  const becomes = isSame ? request.object : changed;
  const additions = additionsTo(object, becomes, promised);
  if (additions) recent?.remember(namespace, becomes, additions);
  return admit(request, outcome, warnings, isSame ? [] : patchOf(request.object, changed));
}

/** Of keys and values together. Source: Kubernetes, `TotalAnnotationSizeLimitB`. */
const MAX_ANNOTATIONS = 256 * 1024;

function annotationBytes(pod: unknown): number {
  const { annotations } = (pod as { metadata: { annotations?: Record<string, string> | null } }).metadata;
  return Object.entries(annotations ?? {}).reduce((sum, entry) => sum + Buffer.byteLength(entry.join('')), 0);
}

/** The reply while we cannot decide: the pod passes as it is, with a warning. */
export function admitUndecided({ uid }: AdmissionRequest, why: string): AdmissionReviewReply {
  return reply(uid, [`not optimized: ${why}`], []);
}

/** How the pod shares, in a word. */
export function strategyOf(decision: Decision): ReviewedStrategy {
  if (decision.action === 'share') return decision.mode;
  const isWhole = decision.action === 'schedule' && decision.decided && decision.wholeGpu !== 'unavailable';
  return isWhole ? 'exclusive' : 'none';
}

function admit(
  { uid }: AdmissionRequest,
  outcome: Omit<Reviewed, 'reply'>,
  warnings: readonly string[] = [],
  patch: readonly object[] = [],
): Reviewed {
  return { reply: reply(uid, warnings, patch), ...outcome };
}

function reply(uid: string, warnings: readonly string[], patch: readonly object[]): AdmissionReviewReply {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed: true,
      ...(patch.length > 0 && {
        patchType: 'JSONPatch',
        patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
      }),
      ...(warnings.length > 0 && {
        warnings: warnings.map((warning) => `gpu-autoscaler: ${warning}`.slice(0, MAX_WARNING)),
      }),
    },
  };
}
