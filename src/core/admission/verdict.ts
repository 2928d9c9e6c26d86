/** What the rules of a decision work on, and what they say. */

import type { AdmissionFacts, Scheduled, Shared } from './facts.ts';
import type { Terms } from './slots.ts';

export interface Case {
  readonly facts: AdmissionFacts;
  readonly terms: Terms;
  readonly reasons: string[];
  readonly warnings: string[];
}
export type Verdict = { readonly action: 'leave' } | Scheduled | Shared;
export type Rule = (case_: Case) => Verdict | undefined;

export const LEAVE: Verdict = { action: 'leave' };
export const EXCLUSIVE: Scheduled = { action: 'schedule', decided: true, nodeSelector: {} };
