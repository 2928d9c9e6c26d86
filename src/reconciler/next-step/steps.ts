/** Steps that several rules name. */

import { NODE } from '../../api/keys.ts';
import { agreement, type LastApplied, type ObservedNode, type Transition } from '../../state/observed-node.ts';
import { changing } from '../phase-status.ts';
import type { DesiredState, NodePatch, PhaseStatus, Step, StepOf } from '../step.ts';
import { drift, resumed, transitionTo } from '../transitions.ts';

/** Nothing is written; the node is looked at again after `wakeMs`, or when something changes. */
export function nothing(phaseStatus: PhaseStatus | undefined, wakeMs?: number): StepOf<'nothing'> {
  return { do: 'nothing', phaseStatus, wakeMs };
}

/** The texts that the transition names are written into the ConfigMaps. */
export function writeConfigs(transition: Transition, desired: DesiredState): Step {
  const plugin = { ...desired.plugin, name: transition.plugin };
  const mig = transition.mig === undefined ? undefined : { ...desired.mig, name: transition.mig };
  const phaseStatus = changing(transition, 'WritingKeys', 'the configuration is being written');
  return { do: 'write-configs', plugin, mig, phaseStatus };
}

/** The transition leads to what is wanted now; a cordon of ours stays. */
export function retarget(node: ObservedNode, transition: Transition, desired: DesiredState): Step {
  const { cordoned, repairs } = transition;
  const next = transitionTo(node, desired, { cordoned, repairs, attempt: 0 });
  const patch = { annotations: { [NODE.transition]: JSON.stringify(next) } };
  return { do: 'patch', action: 'retarget', patch, phaseStatus: changing(next, 'Marked', 'the wish has changed') };
}

/** The transition ends: pods that were refused for it are tried again, since an annotation has changed. */
export function end(
  node: ObservedNode,
  transition: Transition,
  action: 'finish' | 'abort' | 'fail',
  failed: LastApplied['failed'],
  phaseStatus: PhaseStatus | undefined,
): StepOf<'patch'> {
  const { attempt: _, cordoned, ...applied } = transition;
  const lastApplied = action === 'abort' ? undefined : { ...applied, ...(failed && { failed }) };
  const patch: NodePatch = {
    ...(action === 'fail' && { labels: resumed(node) }),
    annotations: { [NODE.transition]: null, ...(lastApplied && { [NODE.partition]: JSON.stringify(lastApplied) }) },
    ...(cordoned && { unschedulable: null }),
  };
  return { do: 'patch', action, patch, phaseStatus };
}

/**
 * A transition that was not applied is taken back. The partition applied before it may not be there yet: then that one
 * becomes the transition again, and is seen to its end.
 */
export function rollback(
  node: ObservedNode,
  transition: Transition,
  phaseStatus: PhaseStatus | undefined,
): StepOf<'patch'> {
  const { lastApplied } = node;
  if (!lastApplied || !isUnfinished(node, lastApplied)) return end(node, transition, 'abort', undefined, phaseStatus);
  const { attempt, repairs, cordoned } = transition;
  const before: Transition = { ...lastApplied, attempt, repairs, cordoned };
  const patch = { annotations: { [NODE.transition]: JSON.stringify(before) } };
  return { do: 'patch', action: 'retarget', patch, phaseStatus };
}

function isUnfinished(node: ObservedNode, lastApplied: LastApplied): boolean {
  if (lastApplied.failed || drift(node, lastApplied) !== undefined) return false;
  const isCut = lastApplied.mig === undefined || node.migState === 'success';
  return !isCut || agreement(node, lastApplied.partition) === 'no';
}
