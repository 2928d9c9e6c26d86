/** The rules for a node in transition. */

import { GFD, NODE, TRIGGERS } from '../../api/keys.ts';
import { samePartition } from '../../core/partitioning/partition.ts';
import type { GpuPod } from '../../state/gpu-pods.ts';
import { UNREADABLE } from '../../state/observed-node.ts';
import { cannotDrain, changing, names, notReadyReason, queued, TRIED_AGAIN } from '../phase-status.ts';
import type { DesiredState, NodePatch, Step } from '../step.ts';
import { isApplied, isReapplied } from '../transitions.ts';
import { stepWhenApplied } from './applied.ts';
import { firstStep, type Rule } from './rule.ts';
import { ageOfConfigs, blockers, nonEvictable, type TransitionSituation } from './situation.ts';
import { end, nothing, retarget, rollback, writeConfigs } from './steps.ts';

/** In the order in which they are asked. After `awaitComponents`, nothing has been applied yet. */
const RULES: readonly Rule<TransitionSituation>[] = [
  abortUnreadable,
  awaitComponents,
  rollbackUnwanted,
  followDesired,
  rollbackBusy,
  writeMissingConfigs,
  drain,
  awaitPropagation,
];

/** The next step for a node in transition. */
export function stepInTransition(situation: TransitionSituation): Step {
  return firstStep(RULES, situation) ?? apply(situation);
}

/** A transition that cannot be read is taken away. */
function abortUnreadable({ node, transition, desired }: TransitionSituation): Step | undefined {
  if (transition.config !== '') return undefined;
  return end(node, UNREADABLE, 'abort', undefined, desired && queued());
}

/** A configuration that has been applied is seen to its end. */
function awaitComponents(situation: TransitionSituation): Step | undefined {
  return isApplied(situation.node, situation.transition) ? stepWhenApplied(situation) : undefined;
}

/** A transition that is not wanted any more is taken back. */
function rollbackUnwanted({ node, transition, desired }: TransitionSituation): Step | undefined {
  return desired ? undefined : rollback(node, transition, undefined);
}

/** A transition to another partition than the one that is wanted now is replaced. */
function followDesired({ node, transition, desired }: TransitionSituation): Step | undefined {
  if (!desired || samePartition(transition.partition, desired.partition)) return undefined;
  return retarget(node, transition, desired);
}

/** Where pods are waited for, one that came at the last moment gets the node back. */
function rollbackBusy(situation: TransitionSituation): Step | undefined {
  const { node, transition, desired } = situation;
  if (desired?.whenBusy !== 'Wait') return undefined;
  const busy = podsInTheWay(situation, desired);
  return busy.length > 0 ? rollback(node, transition, notReadyReason(busy, false)) : undefined;
}

/** Names that the ConfigMaps lack are written. */
function writeMissingConfigs(situation: TransitionSituation): Step | undefined {
  const { transition, desired } = situation;
  if (!desired || ageOfConfigs(situation, transition) !== undefined) return undefined;
  return writeConfigs(transition, desired);
}

/** Pods in the way are evicted until the deadline gives the node back to them. */
function drain(situation: TransitionSituation): Step | undefined {
  const { node, transition, desired, elapsed, times } = situation;
  if (!desired) return undefined;
  const busy = podsInTheWay(situation, desired);
  if (busy.length === 0) return undefined;
  const staying = nonEvictable(busy);
  if (staying.length > 0) return rollback(node, transition, cannotDrain(staying));
  const { drainMs } = desired;
  if (elapsed >= drainMs) {
    const message = `not drained within ${drainMs / 1000} s, the node is given back: ${names(busy)} did not go; ${TRIED_AGAIN}`;
    return { ...rollback(node, transition, { phase: 'Failed', reason: 'DrainTimeout', message }), gaveUpDrain: true };
  }
  const phaseStatus = changing(transition, 'Draining', `evicting ${names(busy)}`);
  const pods = busy.filter(({ terminating }) => !terminating);
  return { do: 'evict', pods, wakeMs: Math.min(times.evict, drainMs - elapsed), phaseStatus };
}

/** Kubelets need their time to show a changed ConfigMap, and pods that were bound before the transition to arrive. */
function awaitPropagation(situation: TransitionSituation): Step | undefined {
  const { transition, elapsed, times } = situation;
  const age = ageOfConfigs(situation, transition) ?? 0;
  const left = Math.max(times.settle - elapsed, times.propagation - age);
  if (left <= 0) return undefined;
  const what = times.propagation > age ? 'the configuration is on its way to the node' : 'what is under way arrives';
  return nothing(changing(transition, 'Propagating', what), left);
}

/** The configuration is applied by labels, and the record of it is written in the same patch. */
function apply({ node, transition }: TransitionSituation): Step {
  const { attempt: _, cordoned: __, ...lastApplied } = transition;
  const touchesMig = transition.mig !== undefined && node.mig !== transition.mig;
  const patch: NodePatch = {
    labels: {
      [TRIGGERS.plugin]: transition.plugin,
      // What it said of the last run would be taken for this one's.
      ...(touchesMig && { [TRIGGERS.mig]: transition.mig ?? null, [GFD.migConfigState]: null }),
    },
    annotations: { [NODE.partition]: JSON.stringify(lastApplied) },
  };
  const phaseStatus = changing(transition, 'Told', "NVIDIA's components are configured");
  return { do: 'patch', action: 'apply', patch, phaseStatus };
}

/** Pods in the way of the transition; none where the same is applied again, since GPUs in use do not change. */
function podsInTheWay(situation: TransitionSituation, { partition }: DesiredState): GpuPod[] {
  return isReapplied(situation.node, situation.transition) ? [] : blockers(situation, partition);
}
