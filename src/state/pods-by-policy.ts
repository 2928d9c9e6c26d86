/** How many pods each GPUSharingPolicy governs, by the annotation that admission left on them. */

import type { PodRecord } from './pod-record.ts';
import type { Store } from './store.ts';

export class PodsByPolicy {
  readonly #counts = new Map<string, number>();

  /** @param changed called with the policy that governs another number of pods than before */
  constructor(pods: Store<PodRecord>, changed: (policy: string) => void) {
    pods.follow(({ before, after }) => {
      const [was, is] = [policyOf(before), policyOf(after)];
      if (was === is) return;
      for (const [policy, by] of [[was, -1] as const, [is, 1] as const]) {
        if (policy === undefined) continue;
        this.#count(policy, by);
        changed(policy);
      }
    });
  }

  /** Number of pods that are not over and that the policy governs. */
  governedBy(policy: string): number {
    return this.#counts.get(policy) ?? 0;
  }

  #count(policy: string, by: 1 | -1): void {
    const count = this.governedBy(policy) + by;
    if (count > 0) this.#counts.set(policy, count);
    else this.#counts.delete(policy);
  }
}

function policyOf(record: PodRecord | undefined): string | undefined {
  return record && !record.finished && !record.terminating ? record.gpu?.policy : undefined;
}
