/** The MIG strategy: only `mixed` gives instances names of their own. */

import { GFD, GKE } from '../../../api/keys.ts';
import { covers, devicePluginIn } from '../../../api/nvidia-components.ts';
import type { WorkloadResource } from '../../../api/workload-resource.ts';
import { WHOLE_GPU } from '../../../core/resources.ts';
import type { NodeRecord } from '../../../state/node-record.ts';
import { type CheckContext, defineCheck, type Finding } from '../check.ts';
import { countOf, namesBy } from '../phrases.ts';
import { repartitionable, wouldCut } from '../repartitionable.ts';

/** Wins over the configuration that we write; the GPU operator sets it. Source: k8s-device-plugin, its README. */
const STRATEGY = 'MIG_STRATEGY';
const FIX =
  "set the strategy to mixed: mig.strategy=mixed in the GPU operator, migStrategy=mixed in the device plugin's chart";

export const migStrategy = defineCheck({
  name: 'mig-strategy',
  about: 'MIG strategy single (or none), under which instances have no names of their own',
  needs: ['nodes'],
  uses: ['daemonSets'],
  run: ({ nodes, daemonSets = [] }, { configuration }) => [
    ...instances(nodes),
    ...partitions(nodes, daemonSets, configuration),
  ],
});

function instances(nodes: readonly NodeRecord[]): Finding[] {
  const fixOf = ({ facts, labels }: NodeRecord) => {
    if (!facts.instance) return undefined;
    return labels[GKE.accelerator] === undefined ? FIX : 'use node pools without a GPU partition size for whole GPUs';
  };
  return namesBy(nodes, fixOf).map(([fix, names]) => ({
    severity: 'warning',
    message: `${WHOLE_GPU} is a MIG instance on ${countOf('node', names)}: pods that ask for a whole GPU get a part of one there, and the planner leaves the nodes alone`,
    fix,
    objects: names,
  }));
}

/** Nodes that we would cut by MIG: what the device plugin then offers is not what was planned. */
function partitions(
  nodes: readonly NodeRecord[],
  daemonSets: readonly WorkloadResource[],
  configuration: CheckContext['configuration'],
): Finding[] {
  const candidates = repartitionable(nodes, configuration).filter((node) => wouldCut(node, configuration));
  return namesBy(candidates, (node) => strategyOn(node, daemonSets)).map(([strategy, names]) => ({
    severity: 'warning',
    message: `the MIG strategy is ${strategy} on ${countOf('node', names)}: MIG partitions by GPUNodeConfig would not be offered there by profile`,
    fix: FIX,
    objects: names,
  }));
}

/** The strategy that stands in the way; undefined if none does, as far as one can see. */
function strategyOn(node: NodeRecord, daemonSets: readonly WorkloadResource[]): string | undefined {
  const plugin = daemonSets.filter((set) => covers(set, node.labels)).flatMap((set) => devicePluginIn(set) ?? [])[0];
  const forced = plugin?.env[STRATEGY];
  if (forced) return forced === 'mixed' ? undefined : forced;
  // Where nothing forces the strategy, our configuration sets it.
  if (plugin) return undefined;
  return node.labels[GFD.migStrategy] === 'single' ? 'single' : undefined;
}
