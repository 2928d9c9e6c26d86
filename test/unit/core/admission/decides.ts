/** A table of decisions: each row a test of its own. */

import tap from 'tap';
import { decide } from '#src/core/admission/decide.ts';
import type { PodFacts } from '#src/core/admission/decision-input.ts';
import type { SlotOffer } from '#src/core/admission/slot-offer.ts';
import { admission, type Circumstances, EVERY_KIND, short } from './make.ts';

export interface Setting extends Circumstances {
  /** Everywhere; default: every kind. */
  readonly offers?: readonly SlotOffer[];
}

export type Row = readonly [
  says: string,
  pod: Partial<PodFacts>,
  setting: Setting,
  /** As `short` has it. */
  becomes: string,
  /** What decides: the last word of the trail. */
  because: string,
  /** What its author is told; nothing by default. */
  ...warnings: string[],
];

export function decides(rows: readonly Row[]): void {
  for (const [says, pod, { offers = EVERY_KIND, ...circumstances }, becomes, because, ...warnings] of rows) {
    tap.test(says, async (t) => {
      const decision = decide(admission(pod, offers, circumstances));
      t.equal(short(decision), becomes);
      t.equal(decision.reasons.at(-1), because, decision.reasons.join('; '));
      t.strictSame(decision.warnings, warnings);
    });
  }
}
