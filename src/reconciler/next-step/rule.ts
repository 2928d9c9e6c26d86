/** Rules that are asked one after the other what to do next on a node. */

import type { Step } from '../step.ts';

/** A rule names the next step for the situations that it knows; undefined leaves the others to the next rule. */
export type Rule<Situation> = (situation: Situation) => Step | undefined;

/** The step that the first rule with an answer names. */
export function firstStep<Situation>(rules: readonly Rule<Situation>[], situation: Situation): Step | undefined {
  for (const rule of rules) {
    const step = rule(situation);
    if (step) return step;
  }
  return undefined;
}
