/** Nodes in the planner's eyes: what they offer and hold, what becomes of them, and whether we may change them. */

import type { Configuration } from '../api/configuration.ts';
import { NODE_CONFIG } from '../api/keys.ts';
import type { NodeConfig } from '../api/node-config.ts';
import { migClassOf } from '../core/gpu-catalog.ts';
import type { NodeInventory } from '../core/inventory.ts';
import { equalTo, type Labels, matches } from '../core/label-selector.ts';
import { cooldownOf } from '../core/partitioning/cooldown.ts';
import { desiredOf } from '../core/partitioning/desired-partition.ts';
import { inventoryWith, type Partition, samePartition } from '../core/partitioning/partition.ts';
import type { PlanningNode } from '../core/partitioning/plan-input.ts';
import { SHARED_MODES, SHARING_MODES, type SharingMode } from '../core/sharing-mode.ts';
import { keepsWholeGpu, whyOthersDecide } from '../state/changeable.ts';
import { currentPartition, type ObservedNode } from '../state/observed-node.ts';

export interface NodeFactsForPlanning {
  readonly inventory: NodeInventory;
  readonly labels: Labels;
  readonly observed: ObservedNode;
  /** The GPUNodeConfig that counts for it. */
  readonly config: NodeConfig | undefined;
  readonly held: ReadonlyMap<string, number>;
  /** Whether pods on it hold GPUs that we cannot count. */
  readonly holdsUnknown: boolean;
  /** Users of the pods that may hold slots by MPS. */
  readonly users?: readonly number[];
  /** Its last change served no pod: it need not rest. */
  readonly servedNobody?: boolean;
}

/** @param now ms since the epoch */
export function planningNodeOf(facts: NodeFactsForPlanning, configuration: Configuration, now: number): PlanningNode {
  const { inventory, observed, config, held, labels, users = [], servedNobody = false } = facts;
  const keepsWhole = configuration.reconciler.planner.keepWholeGpu && keepsWholeGpu(labels);
  const hasFailed = observed.lastApplied?.failed !== undefined;
  const partition = hasFailed ? undefined : currentPartition(observed);
  const coming = comingTo(facts, partition, configuration);
  return {
    // The mark may be removed before the labels follow: the node then offers its partition again.
    inventory: partition && !coming && inventory.inTransition ? inventoryWith(inventory, partition) : inventory,
    partition,
    coming,
    held,
    users,
    modes: modesOn(inventory, labels, configuration, keepsWhole),
    keepsWholeGpu: keepsWhole,
    onlyRecommend: (mode) => whyOnlyRecommended(mode, facts, configuration),
    cooldownMs: servedNobody ? 0 : cooldownOf({ lastChanges: changesOf(config).map((at) => Math.max(0, now - at)) }),
  };
}

function comingTo(
  { observed, config }: NodeFactsForPlanning,
  partition: Partition | undefined,
  configuration: Configuration,
) {
  if (observed.transition) return observed.transition.partition;
  if (observed.lastApplied?.failed) return undefined;
  const wanted = wantedBy(config, observed, configuration);
  return wanted && partition && samePartition(partition, wanted) ? undefined : wanted;
}

function wantedBy(config: NodeConfig | undefined, { gpus }: ObservedNode, { sharing }: Configuration) {
  if (!config?.spec.ok || !gpus) return undefined;
  const desired = desiredOf(config.spec.value, gpus, sharing.mig.defaultProfile);
  return desired.ok ? desired.partition : undefined;
}

/** Of GPUs without MIG all but that: where they will do, they are taken before GPUs that could be cut. */
function modesOn(
  { product, gpus, noMig }: NodeInventory,
  labels: Labels,
  { sharing }: Configuration,
  keepsWhole: boolean,
): ReadonlySet<SharingMode> {
  const modes = new Set<SharingMode>(['exclusive']);
  for (const mode of SHARED_MODES) {
    const { enabled, nodeSelector } = sharing[SHARING_MODES[mode].key];
    if (mode === 'mig' && (noMig || !migClassOf(product))) continue;
    // Sharing is of all GPUs without MIG.
    if (keepsWhole && (mode !== 'mig' || gpus < 2)) continue;
    if (enabled && matches(equalTo(nodeSelector), labels)) modes.add(mode);
  }
  return modes;
}

function whyOnlyRecommended(
  mode: SharingMode,
  { config, observed, holdsUnknown }: NodeFactsForPlanning,
  { reconciler, sharing }: Configuration,
): string | undefined {
  if (!reconciler.enabled) return 'reconciler.enabled is false';
  const others = whyOthersDecide(observed, config);
  if (others !== undefined) return others;
  if (holdsUnknown) return 'pods on the node hold GPUs under names or in quantities that are not known to us';
  if (mode === 'exclusive') return undefined;
  const { key } = SHARING_MODES[mode];
  return sharing[key].autoConfig ? undefined : `sharing.${key}.autoConfig is false`;
}

/** Times of the planner's changes, ms since the epoch, the newest first. */
export function changesOf(config: NodeConfig | undefined): number[] {
  return (config?.annotations[NODE_CONFIG.plannedAt] ?? '')
    .split(',')
    .map((text) => Date.parse(text))
    .filter(Number.isFinite)
    .slice(0, MAX_CHANGES);
}

export const MAX_CHANGES = 8;
