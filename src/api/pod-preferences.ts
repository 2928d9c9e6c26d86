/**
 * Does a pod say where it would rather be? Then kube-scheduler has to weigh all nodes, and we only
 * rank them. What is left aside, and why, stands in docs/reference/scheduler-configuration.md.
 */

import type { Pod, Taint, Toleration } from './kubernetes.ts';

/** Preferred affinity or anti-affinity to nodes or pods, soft spreading, or devices that are claimed in an order of preference. */
export function hasPreferences({ spec }: Pod): boolean {
  const { affinity, topologySpreadConstraints, resourceClaims } = spec;
  const preferred = [affinity?.nodeAffinity, affinity?.podAffinity, affinity?.podAntiAffinity];
  return (
    preferred.some((rules) => (rules?.preferredDuringSchedulingIgnoredDuringExecution?.length ?? 0) > 0) ||
    (topologySpreadConstraints ?? []).some(({ whenUnsatisfiable }) => whenUnsatisfiable === 'ScheduleAnyway') ||
    (resourceClaims?.length ?? 0) > 0
  );
}

/** True if one of the taints makes its node less welcome to the pod. */
export function repelledBy({ spec }: Pod, softTaints: readonly Taint[]): boolean {
  return !tolerates(spec.tolerations ?? [], softTaints);
}

export function tolerates(tolerations: readonly Toleration[], taints: readonly Taint[]): boolean {
  return taints.every((taint) => tolerations.some((toleration) => toleratesTaint(toleration, taint)));
}

/** The taints that only make a node less welcome. */
export function softTaintsOf(taints: readonly Taint[] | null | undefined): Taint[] {
  return (taints ?? []).filter(({ effect }) => effect === SOFT);
}

/** The taints that keep pods off. */
export function hardTaintsOf(taints: readonly Taint[] | null | undefined): Taint[] {
  return (taints ?? []).filter(({ effect }) => effect !== SOFT);
}

const SOFT = 'PreferNoSchedule';

/** Source: Kubernetes, "Taints and Tolerations". Operators that we do not know tolerate nothing. */
function toleratesTaint({ key, operator, value, effect }: Toleration, taint: Taint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (key ? key !== taint.key : operator !== 'Exists') return false;
  if (operator === 'Exists') return true;
  return (!operator || operator === 'Equal') && (value ?? '') === (taint.value ?? '');
}
