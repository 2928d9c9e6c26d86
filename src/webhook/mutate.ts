/**
 * A decision, carried out on a pod: resources, scheduler and annotations. Works on the pod as it
 * came, so that nothing we do not know is lost.
 */

import { WRITTEN } from '../api/keys.ts';
import type { Decision } from '../core/admission/facts.ts';
import { isGpuResource, WHOLE_GPU } from '../core/resources.ts';

export interface Mutation {
  /** The pod as JSON, as `podSchema` has accepted it; it is not changed. */
  readonly pod: unknown;
  readonly decision: Exclude<Decision, { action: 'leave' }>;
  readonly schedulerName: string;
  /** Whole GPUs that the pod asked for. */
  readonly originalRequest: number;
  readonly now: Date;
}

type Json = Record<string, unknown>;

/** A changed copy of the pod. */
export function mutate({ pod, decision, schedulerName, originalRequest, now }: Mutation): unknown {
  const copy = structuredClone(pod) as { metadata: Json; spec: Json };
  const { metadata, spec } = copy;
  spec.schedulerName = schedulerName;
  for (const list of [spec.initContainers, spec.containers]) {
    for (const container of (list ?? []) as Json[]) rewriteResources(container, decision);
  }
  if (decision.action === 'share' || decision.decided) {
    metadata.annotations = {
      ...(metadata.annotations as Json | undefined),
      [WRITTEN.originalGpuRequest]: String(originalRequest),
      [WRITTEN.optimized]: 'true',
      [WRITTEN.strategy]: decision.action === 'share' ? decision.mode : 'exclusive',
      [WRITTEN.timestamp]: now.toISOString(),
      [WRITTEN.reason]: decision.reasons.join('; '),
    };
  }
  return copy;
}

/** Extended resources must have request = limit; people write only one of them. */
function rewriteResources(container: Json, decision: Mutation['decision']): void {
  const resources = container.resources as { requests?: Json | null; limits?: Json | null } | null | undefined;
  if (!resources) return;
  const { requests, limits } = resources;
  for (const name of Object.keys({ ...limits, ...requests }).filter(isGpuResource)) {
    const target = decision.action === 'share' && name === WHOLE_GPU ? decision.resource : name;
    // Where both are given and differ, the API server says so: that is not ours to mend.
    resources.requests = { ...without(resources.requests, name), [target]: requests?.[name] ?? limits?.[name] };
    resources.limits = { ...without(resources.limits, name), [target]: limits?.[name] ?? requests?.[name] };
  }
}

function without(resources: Json | null | undefined, name: string): Json {
  return Object.fromEntries(Object.entries(resources ?? {}).filter(([key]) => key !== name));
}
