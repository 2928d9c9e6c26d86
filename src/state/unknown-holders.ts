/** Nodes on which pods hold GPUs that we cannot count: under names that are not known to us, or in quantities that cannot be read. */

import type { PodRecord } from './pod-record.ts';
import type { Store } from './store.ts';

export class UnknownHolders {
  /** By node: uids of the pods. */
  readonly #byNode = new Map<string, Set<string>>();

  constructor(pods: Store<PodRecord>) {
    pods.follow(({ key, before, after }) => {
      const [from, to] = [nodeHeld(before), nodeHeld(after)];
      if (from === to) return;
      if (from !== undefined) this.#remove(from, key);
      if (to !== undefined) this.#byNode.set(to, (this.#byNode.get(to) ?? new Set()).add(key));
    });
  }

  has(node: string): boolean {
    return this.#byNode.has(node);
  }

  #remove(node: string, uid: string): void {
    const there = this.#byNode.get(node);
    there?.delete(uid);
    if (there?.size === 0) this.#byNode.delete(node);
  }
}

function nodeHeld(record: PodRecord | undefined): string | undefined {
  return record?.gpu?.holdsUnknown && !record.finished ? record.node : undefined;
}
