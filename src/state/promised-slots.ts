/** Slots that pods were promised at admission and do not hold yet: of those, fewer are free than the ledger has. */

import type { SharingMode } from '../core/sharing-mode.ts';
import type { Clock } from '../kube/clock.ts';
import type { PodRecord } from './pod-record.ts';
import type { Store } from './store.ts';

/** ms after which a pod that was admitted and never seen is taken for one that was not made. */
const UNSEEN_MS = 5_000;

export class PromisedSlots {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** Slots of pods that wait for a node, by kind. */
  readonly #waiting = new Map<string, number>();
  /** Times of our own promises to pods that the watch has not shown yet, by kind; the oldest first. */
  readonly #unseen = new Map<string, number[]>();

  constructor(pods: Store<PodRecord>, clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    pods.follow(({ before, after }) => {
      for (const [kind, slots] of promisesOf(before)) this.#add(kind, -slots);
      for (const [kind, slots] of promisesOf(after)) {
        this.#add(kind, slots);
        if (!before) this.#unseen.get(kind)?.shift();
      }
    });
  }

  /** A pod is promised one such slot. */
  promise(resource: string, mode: SharingMode): void {
    const kind = kindOf(resource, mode);
    this.#unseen.set(kind, [...(this.#unseen.get(kind) ?? []), this.#clock.monotonic()]);
  }

  /** The newest of the promises of such a slot is taken back. */
  withdraw(resource: string, mode: SharingMode): void {
    this.#unseen.get(kindOf(resource, mode))?.pop();
  }

  /** Slots promised, and held by no pod yet. */
  count(resource: string, mode: SharingMode): number {
    const kind = kindOf(resource, mode);
    const since = this.#clock.monotonic() - UNSEEN_MS;
    const unseen = this.#unseen.get(kind) ?? [];
    while ((unseen[0] ?? Number.POSITIVE_INFINITY) < since) unseen.shift();
    return (this.#waiting.get(kind) ?? 0) + unseen.length;
  }

  #add(kind: string, slots: number): void {
    const left = (this.#waiting.get(kind) ?? 0) + slots;
    if (left === 0) this.#waiting.delete(kind);
    else this.#waiting.set(kind, left);
  }
}

function kindOf(resource: string, mode: SharingMode): string {
  return `${mode} ${resource}`;
}

/** Kinds and numbers of the slots that a pod was promised and waits for. */
function* promisesOf(record: PodRecord | undefined): Iterable<[kind: string, slots: number]> {
  if (!record || record.node !== undefined || record.finished || record.terminating) return;
  const { mode, resources = [] } = record.gpu?.request ?? {};
  if (!mode) return;
  for (const { resource, count } of resources) yield [kindOf(resource, mode), count];
}
