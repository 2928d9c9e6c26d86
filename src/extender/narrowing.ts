/** When the strategy's best node alone is answer enough. */

import type { Pod } from '../api/kubernetes.ts';
import { hasPreferences, shuns } from '../api/pod-preferences.ts';
import type { ClusterState } from '../cluster/cluster-state.ts';

/** True if kube-scheduler's own scores could not make a difference: then it need not compute them. */
export function mayNarrow(pod: Pod, { softTaints }: Pick<ClusterState, 'softTaints'>): boolean {
  if (hasPreferences(pod)) return false;
  for (const taints of softTaints.values()) if (shuns(pod, taints)) return false;
  return true;
}
