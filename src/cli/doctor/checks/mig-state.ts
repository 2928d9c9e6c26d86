/** Nodes on which mig-manager says that it is at work, and does not run. */

import { GFD } from '../../../api/keys.ts';
import { covers, isMigManager } from '../../../api/nvidia-components.ts';
import type { WorkloadResource } from '../../../api/workload-resource.ts';
import type { NodeRecord } from '../../../state/node-record.ts';
import { defineCheck } from '../check.ts';
import { countOf } from '../phrases.ts';

export const migState = defineCheck({
  name: 'mig-state',
  about: 'a mig-manager that says that it is at work, where none runs',
  needs: ['nodes', 'daemonSets'],
  run: ({ nodes, daemonSets }) => {
    const names = nodes.filter((node) => isAbandoned(node, daemonSets)).map(({ name }) => name);
    if (names.length === 0) return [];
    return [
      {
        severity: 'error',
        message: `the label ${GFD.migConfigState} of ${countOf('node', names)} says that mig-manager is at work, and no DaemonSet of it runs there: after each start of ours no pod is placed there for 15 minutes`,
        fix: `take the label away: kubectl label node NODE ${GFD.migConfigState}-`,
        objects: names,
      },
    ];
  },
});

/** Whether mig-manager says that it is at work on the node, and no DaemonSet of it runs there. */
export function isAbandoned({ facts, observed, labels }: NodeRecord, daemonSets: readonly WorkloadResource[]): boolean {
  if (!facts.inTransition || observed.transition) return false;
  return !daemonSets.some((set) => isMigManager(set) && covers(set, labels));
}
