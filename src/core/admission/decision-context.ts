/** What the rules of a decision work on, and what they say. */

import type { AdmissionFacts, Scheduled, Shared } from './decision-input.ts';
import type { SharingConstraints } from './find-slot.ts';

export interface DecisionContext {
  readonly facts: AdmissionFacts;
  readonly constraints: SharingConstraints;
  readonly reasons: string[];
  readonly warnings: string[];
}
export type Verdict = { readonly action: 'leave' } | Scheduled | Shared;
export type Rule = (context: DecisionContext) => Verdict | undefined;

export const LEAVE: Verdict = { action: 'leave' };
export const EXCLUSIVE: Scheduled = { action: 'schedule', decided: true, wholeGpu: 'preferred', nodeSelector: {} };
/** The same by the word of its author or a policy. */
export const EXCLUSIVE_BY_WORD: Scheduled = { ...EXCLUSIVE, wholeGpu: 'promised' };
