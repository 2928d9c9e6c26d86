/** Asks for the next step, and reads what it writes. */

import { nextStep } from '#src/reconciler/next-step.ts';
import type { NodeSituation, Step } from '#src/reconciler/step.ts';
import type { LastApplied, ObservedNode, Transition } from '#src/state/observed-node.ts';
import { PARTITION, PLUGIN, situation, TRANSITION, type target } from '../make.ts';

export const DRAIN = { whenBusy: 'Drain' } as const;
/** Labels as somebody else has edited them. */
export const THEIRS = { [PLUGIN]: 'theirs' };

export const step = (
  node: ObservedNode,
  wanted: ReturnType<typeof target> | undefined,
  more: Partial<NodeSituation> = {},
) => nextStep(situation(node, wanted, more));

export function patchOf(next: Step) {
  if (next.do !== 'patch') throw new Error(`it is to do ${next.do}, ${next.phaseStatus?.reason}`);
  return next.patch;
}

/** The transition that a step writes. */
export function markOf(next: Step): Transition {
  return JSON.parse(patchOf(next).annotations?.[TRANSITION] ?? 'null');
}

/** The record of what was applied that a step writes. */
export function recordOf(next: Step): LastApplied {
  return JSON.parse(patchOf(next).annotations?.[PARTITION] ?? 'null');
}

export const nothing = (phase: string, reason: string) => ({ do: 'nothing', phaseStatus: { phase, reason } });
export const patch = (action: string) => ({ do: 'patch', action });
