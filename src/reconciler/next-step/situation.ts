/** What several rules ask of a situation. */

import { disturbed, type Partition } from '../../core/partitioning/partition.ts';
import { ANYTHING, type GpuPod } from '../../state/gpu-pods.ts';
import { currentPartition, type ObservedNode, offers, type Transition } from '../../state/observed-node.ts';
import type { DesiredState, NodeSituation } from '../step.ts';

/** A node with a desired state, and no transition under way. */
export interface RestSituation extends NodeSituation {
  readonly desired: DesiredState;
}

/** A node in transition. */
export interface TransitionSituation extends NodeSituation {
  readonly transition: Transition;
}

/** Whether the node offers no more what was applied last; a few missing slots do not count. */
export function isLost(node: ObservedNode): boolean {
  return node.lastApplied !== undefined && offers(node, node.lastApplied.partition) === 'no';
}

/** Pods that hold what would change if the node became `partition`. */
export function blockers({ node, gpuPods }: NodeSituation, partition: Partition): GpuPod[] {
  const resources = disturbed(currentPartition(node), partition);
  return gpuPods.filter(
    (holder) =>
      resources === 'all' ||
      Object.keys(holder.resources).some((resource) => resource === ANYTHING || resources.has(resource)),
  );
}

/** Those of the pods that must not be evicted. */
export function nonEvictable(pods: readonly GpuPod[]): GpuPod[] {
  return pods.filter(({ nonEvictableReason }) => nonEvictableReason !== undefined);
}

/** ms for which the youngest of the transition's names has been in its ConfigMap; undefined if one is missing. */
export function ageOfConfigs(
  { age }: NodeSituation,
  { plugin, mig }: Pick<Transition, 'plugin' | 'mig'>,
): number | undefined {
  const ages = [age('plugin', plugin), ...(mig === undefined ? [] : [age('mig', mig)])];
  return ages.reduce((least, each) => (least === undefined || each === undefined ? undefined : Math.min(least, each)));
}
