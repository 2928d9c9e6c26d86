/** One AdmissionReview, from request to reply. Whatever is wrong with a pod, it is admitted. */

import { createPatch } from 'rfc6902';
import type { AdmissionRequest, AdmissionReviewReply } from '../api/admission-review.ts';
import { toApiError } from '../api/errors.ts';
import { faults, type Pod, podSchema } from '../api/kubernetes.ts';
import { parseWishes } from '../api/pod-wishes.ts';
import { requestOf } from '../cluster/projection.ts';
import { decide } from '../core/admission/decide.ts';
import type { AdmissionSettings, Decision, Offer, PodFacts, SharedMode } from '../core/admission/facts.ts';
import { WHOLE_GPU } from '../core/resources.ts';
import { mutate } from './mutate.ts';

/** What became of the pod, for metrics and logs. */
export type ReviewedStrategy = SharedMode | 'exclusive' | 'none' | 'error';

export interface Reviewed {
  readonly reply: AdmissionReviewReply;
  readonly strategy: ReviewedStrategy;
  readonly pod: string;
  readonly reasons: readonly string[];
}

export interface ReviewContext {
  readonly offers: readonly Offer[];
  readonly settings: AdmissionSettings;
  readonly now: Date;
}

/** A warning header holds 256 characters of text; the API server cuts all of them together at 4,096. */
const LONGEST_WARNING = 250;

export function review(request: AdmissionRequest, { offers, settings, now }: ReviewContext): Reviewed {
  if (request.operation !== 'CREATE' || (request.kind?.kind ?? 'Pod') !== 'Pod' || request.subResource) {
    return admit(request, '', 'none', ['only the creation of pods is reviewed'], []);
  }
  const parsed = podSchema.safeParse(request.object);
  if (!parsed.success) return unreadable(request, '', faults(parsed.error));
  const { metadata, spec } = parsed.data;
  const namespace = request.namespace ?? metadata.namespace ?? '';
  const pod = `${namespace}/${metadata.name ?? `${metadata.generateName ?? ''}*`}`;

  let requested: Map<string, number>;
  try {
    requested = new Map(requestOf(parsed.data).map(({ resource, count }) => [resource, count]));
  } catch (error) {
    return unreadable(request, pod, toApiError(error).message);
  }
  const { faults: wishFaults, ...wishes } = parseWishes(metadata.labels, metadata.annotations);
  if (requested.size > 0 && wishFaults.length > 0) {
    return admit(request, pod, 'error', wishFaults, wishFaults);
  }
  const schedulerName = spec.schedulerName || DEFAULT_SCHEDULER;
  const facts: PodFacts = { ...wishes, namespace, requested, schedulerName, pinned: isPinned(spec) };
  const decision = decide({ pod: facts, offers, settings });
  const { reasons, warnings } = decision;
  if (decision.action === 'leave') return admit(request, pod, 'none', reasons, warnings);
  const changed = mutate({
    pod: request.object,
    decision,
    schedulerName: settings.schedulerName,
    originalRequest: requested.get(WHOLE_GPU) ?? 0,
    now,
  });
  return admit(request, pod, strategyOf(decision), reasons, warnings, createPatch(request.object, changed));
}

const DEFAULT_SCHEDULER = 'default-scheduler';

/** Bound by hand, or as a DaemonSet binds its pods: by the name of the node, as a field. */
function isPinned({ nodeName, affinity }: Pod['spec']): boolean {
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return Boolean(nodeName) || terms.some(({ matchFields }) => (matchFields ?? []).length > 0);
}

/** The reply while we cannot decide: the pod passes as it is, and whoever made it is told. */
export function admitUndecided({ uid }: AdmissionRequest, why: string): AdmissionReviewReply {
  return reply(uid, [`not optimized: ${why}`], []);
}

function unreadable(request: AdmissionRequest, pod: string, why: string): Reviewed {
  return admit(request, pod, 'error', [why], [`not optimized: ${why}`]);
}

function strategyOf(decision: Exclude<Decision, { action: 'leave' }>): ReviewedStrategy {
  if (decision.action === 'share') return decision.mode;
  return decision.decided ? 'exclusive' : 'none';
}

function admit(
  { uid }: AdmissionRequest,
  pod: string,
  strategy: ReviewedStrategy,
  reasons: readonly string[],
  warnings: readonly string[],
  patch: readonly object[] = [],
): Reviewed {
  return { reply: reply(uid, warnings, patch), strategy, pod, reasons };
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
        warnings: warnings.map((warning) => `gpu-autoscaler: ${warning}`.slice(0, LONGEST_WARNING)),
      }),
    },
  };
}
