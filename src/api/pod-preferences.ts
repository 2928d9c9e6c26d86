/**
 * Does a pod say where it would rather be? Then kube-scheduler has to weigh all nodes, and we only
 * rank them. What is left aside, and why, stands in docs/reference/scheduler-configuration.md.
 */

import { type Taint, tolerates } from '../core/taints.ts';
import type { Pod } from './kubernetes.ts';

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
