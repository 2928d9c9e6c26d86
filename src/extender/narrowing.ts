/** When the strategy's best node alone is answer enough. */

import type { Pod } from '../api/kubernetes.ts';
import { hasPreferences, repelledBy } from '../api/pod-preferences.ts';
import type { ClusterState } from '../state/cluster-state.ts';

/** True if kube-scheduler's own scores could not make a difference: then it need not compute them. */
export function mayNarrow(pod: Pod, { softTaints }: Pick<ClusterState, 'softTaints'>): boolean {
  if (hasPreferences(pod)) return false;
  for (const taints of softTaints.values()) if (repelledBy(pod, taints)) return false;
  return true;
}
