/**
 * What is to be done next on one node, from nothing but what the API server shows and how long that has been so. Each
 * step is one write; after it, or after a restart anywhere in between, the same question is asked again. Rules answer
 * it: one list for a node at rest, one for a node in transition.
 */

import type { ObservedNode } from '../state/observed-node.ts';
import { stepAtRest } from './next-step/at-rest.ts';
import { stepInTransition } from './next-step/in-transition.ts';
import { isLost } from './next-step/situation.ts';
import type { NodeSituation, Step } from './step.ts';
import { isApplied } from './transitions.ts';

/** The phase of a node; deadlines are measured by the time in it. */
export function phaseOf(node: ObservedNode): string {
  const { transition, lastApplied } = node;
  if (!transition && lastApplied?.failed) return `failed ${lastApplied.plugin} ${lastApplied.mig}`;
  if (!transition) return isLost(node) ? 'lost' : 'rest';
  const names = `${transition.plugin} ${transition.mig}`;
  return isApplied(node, transition) ? `applied ${names} ${node.migState}` : `pending ${names}`;
}

/** The step that the rules name for the situation. */
export function nextStep(situation: NodeSituation): Step {
  const { transition } = situation.node;
  return transition ? stepInTransition({ ...situation, transition }) : stepAtRest(situation);
}
