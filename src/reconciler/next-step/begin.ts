/** The beginning of a change, and what it waits for. */

import { NODE } from '../../api/keys.ts';
import { cannotDrain, changing, notReadyReason } from '../phase-status.ts';
import type { DesiredState, NodeSituation, Step } from '../step.ts';
import { transitionTo } from '../transitions.ts';
import { ageOfConfigs, blockers, isLost, nonEvictable, type RestSituation } from './situation.ts';
import { nothing, writeConfigs } from './steps.ts';

/** The node gets its transition as soon as no pod is in the way, it is its turn, and the configuration is written. */
export function begin(situation: RestSituation): Step {
  const { node, desired } = situation;
  const waiting = waitForPods(situation, desired) ?? waitForTurn(situation);
  if (waiting) return waiting;
  const drains = desired.whenBusy === 'Drain' && blockers(situation, desired.partition).length > 0;
  const cordoned = drains && !node.cordoned;
  const transition = transitionTo(node, desired, { cordoned, attempt: 0, repairs: [], isLost: isLost(node) });
  // A ConfigMap that cannot be used must not keep the node from its pods.
  if (ageOfConfigs(situation, transition) === undefined) return writeConfigs(transition, desired);
  const patch = {
    annotations: { [NODE.transition]: JSON.stringify(transition) },
    ...(cordoned && { unschedulable: true as const }),
  };
  const phaseStatus = changing(transition, 'Marked', 'no pod is placed on it any more');
  return { do: 'patch', action: 'begin', patch, phaseStatus };
}

/** Pods that hold what would change are waited for, unless they may be evicted. */
export function waitForPods(situation: NodeSituation, desired: DesiredState): Step | undefined {
  const { drainGivenUp, times } = situation;
  const busy = blockers(situation, desired.partition);
  if (busy.length === 0) return undefined;
  const drains = desired.whenBusy === 'Drain';
  if (!drains || drainGivenUp) return nothing(notReadyReason(busy, drains), drains ? times.retry : undefined);
  const staying = nonEvictable(busy);
  return staying.length > 0 ? nothing(cannotDrain(staying)) : undefined;
}

/** Only so many nodes are in transition at the same time. */
function waitForTurn({ mayBegin }: NodeSituation): Step | undefined {
  if (mayBegin) return undefined;
  const message = 'waits for its turn: as many nodes are changing as reconciler.maxInTransition allows';
  return { ...nothing({ phase: 'Pending', reason: 'Queued', message }), waitsForTurn: true };
}
