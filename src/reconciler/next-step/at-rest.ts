/** The rules for a node that nothing is under way on. */

import { NODE } from '../../api/keys.ts';
import { samePartition } from '../../core/partitioning/partition.ts';
import { agreement } from '../../state/observed-node.ts';
import { foreignEdit, ready } from '../phase-status.ts';
import type { NodeSituation, Step } from '../step.ts';
import { drift } from '../transitions.ts';
import { begin } from './begin.ts';
import { firstStep, type Rule } from './rule.ts';
import { isLost, type RestSituation } from './situation.ts';
import { nothing } from './steps.ts';

/** In the order in which they are asked. */
const RULES: readonly Rule<RestSituation>[] = [
  changePartition,
  respectForeignEdit,
  retryFailed,
  restoreLost,
  adoptRecord,
  keepReady,
];

/** The next step for a node at rest; nothing where nothing is wanted of it. */
export function stepAtRest(situation: NodeSituation): Step {
  const { desired } = situation;
  return (desired && firstStep(RULES, { ...situation, desired })) ?? nothing(undefined);
}

/** A node that is not as it is wanted is changed. */
function changePartition(situation: RestSituation): Step | undefined {
  const { node, desired } = situation;
  const isWanted = node.lastApplied
    ? samePartition(node.lastApplied.partition, desired.partition)
    : agreement(node, desired.partition) === 'full';
  return isWanted ? undefined : begin(situation);
}

/** Labels that another client has edited are reported, and overwritten only for a changed spec. */
function respectForeignEdit(situation: RestSituation): Step | undefined {
  const { node } = situation;
  const edit = node.lastApplied && drift(node, node.lastApplied);
  if (edit === undefined) return undefined;
  return isNew(situation) ? begin(situation) : nothing(foreignEdit(edit));
}

/** A change that has failed is tried again after a while, for a changed spec, or once the edit behind it is taken back. */
function retryFailed(situation: RestSituation): Step | undefined {
  const { node, elapsed, times } = situation;
  const failed = node.lastApplied?.failed;
  if (!failed) return undefined;
  if (isNew(situation) || failed.reason === 'ForeignEdit' || elapsed >= times.retry) return begin(situation);
  return nothing({ phase: 'Failed', ...failed }, times.retry - elapsed);
}

/**
 * A partition that is offered no more is applied again. A device plugin may be on its way up: that is waited for,
 * unless mig-manager has failed or the spec has changed.
 */
function restoreLost(situation: RestSituation): Step | undefined {
  const { node, desired, elapsed, times } = situation;
  if (!isLost(node)) return undefined;
  const hasFailed = node.lastApplied?.mig !== undefined && node.migState === 'failed';
  if (isNew(situation) || hasFailed || elapsed >= times.pluginDeadline) return begin(situation);
  return nothing(ready(node, desired.partition), times.pluginDeadline - elapsed);
}

/** A changed spec that wants what is there already takes over the record: later edits of the labels concern it. */
function adoptRecord(situation: RestSituation): Step | undefined {
  const { node, desired } = situation;
  const { config, generation, partition } = desired;
  if (!node.lastApplied || !isNew(situation)) return undefined;
  const patch = { annotations: { [NODE.partition]: JSON.stringify({ ...node.lastApplied, config, generation }) } };
  return { do: 'patch', action: 'adopt', patch, phaseStatus: ready(node, partition) };
}

/** A node that is as it is wanted is left alone. */
function keepReady({ node, desired }: RestSituation): Step {
  return nothing(ready(node, desired.partition));
}

/** Whether another spec is wanted than the one that was applied last. */
function isNew({ node, desired }: RestSituation): boolean {
  const { lastApplied } = node;
  return lastApplied?.config !== desired.config || lastApplied.generation !== desired.generation;
}
