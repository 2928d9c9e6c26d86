/** GPU pods on which the webhook has left no mark, as they were created. */

import type { PodRecord, UnmutatedFacts } from './pod-record.ts';
import { sameData } from './same-data.ts';
import type { Store } from './store.ts';

export interface UnmutatedPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly created: UnmutatedFacts;
}

export class UnmutatedPods {
  readonly #pods = new Map<string, UnmutatedPod>();

  /** @param changed called with the uid after each change of one of them, and when there is one more or less */
  constructor(pods: Store<PodRecord>, changed: (uid: string) => void) {
    pods.follow(({ key, after }) => {
      const created = after?.gpu?.unmutated;
      if (sameData(created, this.#pods.get(key)?.created)) return;
      if (after && created) {
        const { uid, namespace, name } = after;
        this.#pods.set(key, { uid, namespace, name, created });
      } else this.#pods.delete(key);
      changed(key);
    });
  }

  get(uid: string): UnmutatedPod | undefined {
    return this.#pods.get(uid);
  }

  all(): Iterable<UnmutatedPod> {
    return this.#pods.values();
  }
}
