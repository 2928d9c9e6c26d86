/** Which policy governs a pod. */

import { type Labels, matches } from '../label-selector.ts';
import type { SharingPolicy } from './policy.ts';

/** The order in which policies are asked: priority, then the more specific selector, then the name. */
export function byPrecedence(policies: Iterable<SharingPolicy>): SharingPolicy[] {
  return [...policies].sort(
    (a, b) => b.priority - a.priority || specificity(b) - specificity(a) || (a.name < b.name ? -1 : 1),
  );
}

function specificity({ podSelector, namespaceSelector }: SharingPolicy): number {
  return podSelector.length + namespaceSelector.length;
}

/**
 * The first that selects the pod.
 * @param policies in order of precedence
 * @param namespaceLabels undefined while they are not known: then no policy that asks for any selects the pod
 */
export function effectivePolicy(
  policies: readonly SharingPolicy[],
  labels: Labels,
  namespaceLabels: Labels | undefined,
): SharingPolicy | undefined {
  return policies.find(
    ({ podSelector, namespaceSelector }) =>
      matches(podSelector, labels) &&
      (namespaceSelector.length === 0 ||
        (namespaceLabels !== undefined && matches(namespaceSelector, namespaceLabels))),
  );
}
