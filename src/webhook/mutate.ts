/**
 * A decision, carried out on a pod: resources, scheduler, environment and annotations. Works on the pod as it
 * came, so that nothing we do not know is lost.
 */

import { DECISION_ANNOTATIONS, READ, WRITTEN } from '../api/keys.ts';
import type { Decision, Shared } from '../core/admission/decision-input.ts';
import { isGpuResource, WHOLE_GPU } from '../core/resources.ts';
import { formatMiB } from '../core/units.ts';
import type { AdmissionResult, AdmissionView } from '../state/evaluate-admission.ts';

export interface Mutation {
  /** The pod as JSON, as `admissionPodSchema` has accepted it; it is not changed. */
  readonly pod: unknown;
  readonly decision: Exclude<Decision, { action: 'leave' }>;
  readonly schedulerName: string;
  /** Whole GPUs that the pod asked for. */
  readonly originalRequest: number;
  readonly now: Date;
}

type Json = Record<string, unknown>;

/**
 * The pod as decided; undefined if it stays as it is.
 * @param object the pod as JSON, as it was judged
 */
export function applyDecision(
  object: unknown,
  judged: AdmissionResult,
  { settings }: AdmissionView,
  now: Date,
): unknown {
  if (!judged.ok || judged.decision.action === 'leave') return undefined;
  const originalRequest = judged.requested.get(WHOLE_GPU) ?? 0;
  const { schedulerName } = settings;
  return mutate({ pod: object, decision: judged.decision, schedulerName, originalRequest, now });
}

/** A changed copy of the pod: what does not change is the same object. */
export function mutate({ pod, decision, schedulerName, originalRequest, now }: Mutation): unknown {
  const before = pod as { metadata: Json; spec: Json };
  const metadata = { ...before.metadata };
  const spec: Json = { ...before.spec, schedulerName };
  for (const list of ['initContainers', 'containers']) {
    if (Array.isArray(spec[list])) spec[list] = spec[list].map((container) => rewritten(container, decision));
  }
  if (Object.keys(decision.nodeSelector).length > 0) {
    spec.nodeSelector = { ...decision.nodeSelector, ...(spec.nodeSelector as Json | null) };
  }
  if (decision.action === 'share' || decision.decided) {
    const { assumedMiB, assumedMilli } = decision.action === 'share' ? decision : {};
    const besides = {
      ...wordOf(decision),
      // The scheduler must count on it as well.
      ...(assumedMiB !== undefined && { [READ.gpuMemory]: formatMiB(assumedMiB) }),
      ...(assumedMilli !== undefined && { [READ.gpuFraction]: String(assumedMilli / 1_000) }),
    };
    const own = Object.entries((metadata.annotations ?? {}) as Json);
    metadata.annotations = {
      ...Object.fromEntries(own.filter(([key]) => !DECISION_ANNOTATIONS.includes(key))),
      [WRITTEN.originalGpuRequest]: String(originalRequest),
      [WRITTEN.optimized]: 'true',
      ...strategyOf(decision),
      [WRITTEN.timestamp]: now.toISOString(),
      [WRITTEN.reason]: decision.reasons.join('; '),
      ...(decision.policy !== undefined && { [WRITTEN.policy]: decision.policy }),
      ...besides,
    };
  }
  return { ...before, metadata, spec };
}

/** What the scheduler must hold to. */
function strategyOf(decision: Mutation['decision']): Readonly<Record<string, string>> {
  if (decision.action === 'share') return { [WRITTEN.strategy]: decision.mode };
  return decision.wholeGpu === 'unavailable' ? {} : { [WRITTEN.strategy]: 'exclusive' };
}

/** A whole GPU by the word of a policy is written as the pod's own. */
function wordOf(decision: Mutation['decision']): Readonly<Record<string, string>> {
  return decision.action === 'schedule' && decision.wholeGpu === 'promised' ? { [READ.sharingMode]: 'exclusive' } : {};
}

/** Extended resources must have request = limit; people write only one of them. */
function rewritten(container: Json, decision: Mutation['decision']): Json {
  const resources = container.resources as { requests?: Json | null; limits?: Json | null } | null | undefined;
  if (!resources) return container;
  const { requests, limits } = resources;
  // The whole GPU last: the name that it gets may be there already, with a count of 0.
  const names = Object.keys({ ...limits, ...requests }).filter(isGpuResource);
  names.sort((a, b) => Number(a === WHOLE_GPU) - Number(b === WHOLE_GPU));
  if (names.length === 0) return container;
  const target = (name: string) => (decision.action === 'share' && name === WHOLE_GPU ? decision.resource : name);
  // Where both are given and differ, the API server says so: that is not ours to mend.
  const completed = (own: Json | null | undefined, other: Json | null | undefined): Json => {
    const rest = Object.entries(own ?? {}).filter(([name]) => !isGpuResource(name));
    return Object.fromEntries([...rest, ...names.map((name) => [target(name), own?.[name] ?? other?.[name]])]);
  };
  const after = {
    ...container,
    resources: { ...resources, requests: completed(requests, limits), limits: completed(limits, requests) },
  };
  const holdsGpu = Number(requests?.[WHOLE_GPU] ?? limits?.[WHOLE_GPU] ?? 0) !== 0;
  return decision.action === 'share' && holdsGpu ? withMpsLimits(after, decision) : after;
}

/** What the author has set stays. */
function withMpsLimits(container: Json, { mpsLimits }: Shared): Json {
  // What it takes from a ConfigMap or Secret cannot be read here, and a variable of ours would win over it.
  if (((container.envFrom ?? []) as readonly Json[]).length > 0) return container;
  const env = (container.env ?? []) as readonly Json[];
  const added = Object.entries(mpsLimits).filter(([name]) => !env.some((variable) => variable.name === name));
  return added.length === 0
    ? container
    : { ...container, env: [...env, ...added.map(([name, value]) => ({ name, value }))] };
}
