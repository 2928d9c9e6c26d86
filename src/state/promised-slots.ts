/** Slots that pods were promised at admission and do not hold yet: of those, fewer are free than the ledger has. */

import type { SharingMode } from '../core/sharing-mode.ts';
import type { Clock } from '../kube/clock.ts';
import type { PodRecord } from './pod-record.ts';
import type { Store } from './store.ts';

/** ms for which a pod that waits counts: one that waits longer, while slots are free, cannot have them. */
const WAITING_MS = 60_000;
/** ms after which a pod that was admitted and never seen is taken for one that was not made. */
const UNSEEN_MS = 5_000;

/** Slots that a pod waits for. */
interface Waiting {
  /** ms of the clock. */
  readonly since: number;
  readonly user: number;
  readonly slots: number;
}

/** A slot that a pod was promised before the watch shows the pod. */
interface Unseen {
  /** ms of the clock. */
  readonly at: number;
  readonly user: number;
}

export class PromisedSlots {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** Slots of pods that wait for a node, by kind and by uid; the oldest first. */
  readonly #waiting = new Map<string, Map<string, Waiting>>();
  /** Our own promises to pods that the watch has not shown yet, by kind; the oldest first. */
  readonly #unseen = new Map<string, readonly Unseen[]>();

  constructor(pods: Store<PodRecord>, clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    pods.follow(({ key: uid, before, after }) => {
      // Bound before and after: most changes of pods are.
      if (before?.node !== undefined && after?.node !== undefined) return;
      const waits = [...promisesOf(after)];
      for (const { kind } of promisesOf(before)) {
        if (!waits.some((each) => each.kind === kind)) this.#waiting.get(kind)?.delete(uid);
      }
      for (const { kind, user, slots } of waits) {
        const waiting = this.#waiting.get(kind) ?? new Map<string, Waiting>();
        if (!before) {
          this.#see(kind, user);
          waiting.set(uid, { since: this.#clock.monotonic(), user, slots });
        }
        this.#waiting.set(kind, waiting);
      }
    });
  }

  /** A pod of that user is promised one such slot. */
  promise(resource: string, mode: SharingMode, user: number): void {
    const kind = kindOf(resource, mode);
    const promise = { at: this.#clock.monotonic(), user: relevantUser(mode, user) };
    this.#unseen.set(kind, [...(this.#unseen.get(kind) ?? []), promise]);
  }

  /** A promise of such a slot to a pod of that user is taken back. */
  withdraw(resource: string, mode: SharingMode, user: number): void {
    this.#see(kindOf(resource, mode), relevantUser(mode, user));
  }

  /** Slots promised, and held by no pod yet. */
  count(resource: string, mode: SharingMode): number {
    const kind = kindOf(resource, mode);
    let waiting = 0;
    for (const { slots } of this.#waitingFor(kind)) waiting += slots;
    return waiting + this.#unseenOf(kind).length;
  }

  /** How many users there are, besides this one, whose pods were promised such slots and hold none yet. */
  otherUsers(resource: string, mode: SharingMode, user: number): number {
    const kind = kindOf(resource, mode);
    const users = new Set<number>();
    for (const waiting of this.#waitingFor(kind)) users.add(waiting.user);
    for (const unseen of this.#unseenOf(kind)) users.add(unseen.user);
    users.delete(user);
    return users.size;
  }

  /** Those that may still be made. */
  #unseenOf(kind: string): readonly Unseen[] {
    const all = this.#unseen.get(kind) ?? [];
    const since = this.#clock.monotonic() - UNSEEN_MS;
    const first = all.findIndex(({ at }) => at >= since);
    if (first === 0 || all.length === 0) return all;
    const left = first === -1 ? [] : all.slice(first);
    this.#unseen.set(kind, left);
    return left;
  }

  #see(kind: string, user: number): void {
    const all = this.#unseen.get(kind) ?? [];
    const seen = all.findIndex((each) => each.user === user);
    if (seen >= 0) this.#unseen.set(kind, all.toSpliced(seen, 1));
  }

  #waitingFor(kind: string): Iterable<Waiting> {
    const all = this.#waiting.get(kind);
    const since = this.#clock.monotonic() - WAITING_MS;
    for (const [uid, waiting] of all ?? []) {
      if (waiting.since >= since) break;
      all?.delete(uid);
    }
    return all?.values() ?? [];
  }
}

/** By MPS alone users matter. */
function relevantUser(mode: SharingMode, user: number): number {
  return mode === 'mps' ? user : 0;
}

function kindOf(resource: string, mode: SharingMode): string {
  return `${mode} ${resource}`;
}

interface Promised {
  readonly kind: string;
  /** Where it does not matter, 0. */
  readonly user: number;
  readonly slots: number;
}

/** Kinds and numbers of the slots that a pod was promised and waits for. */
function* promisesOf(record: PodRecord | undefined): Iterable<Promised> {
  if (!record || record.node !== undefined || record.finished || record.terminating) return;
  const { mode, resources = [], user = 0 } = record.gpu?.request ?? {};
  if (!mode) return;
  for (const { resource, count } of resources) yield { kind: kindOf(resource, mode), user, slots: count };
}
