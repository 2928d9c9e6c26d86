/** Nodes whose kubelet refused pods after they were bound: other nodes are tried first, until a pod starts there or time has passed. */

import type { AvoidedNodes } from '../core/scoring/equivalence-class.ts';
import { type Backoff, delayOf } from '../kube/backoff.ts';
import type { Clock } from '../kube/clock.ts';
import type { PodRecord } from './pod-record.ts';
import type { Store } from './store.ts';

/** How long others are tried first: longer with each refusal in a row. */
const AVOIDED: Backoff = { baseMs: 120_000, maxMs: 600_000 };
/** ms after which a refusal is no longer one in a row. */
const REMEMBERED_MS = 600_000;

export interface Refusal {
  readonly node: string;
  /** `namespace/name` of the pod. */
  readonly pod: string;
  /** The kubelet's reason: `UnexpectedAdmissionError`. */
  readonly reason: string;
  /** ms for which other nodes are tried first from now on. */
  readonly forMs: number;
}

interface Refusing {
  readonly inRow: number;
  /** ms of the clock. */
  readonly until: number;
}

export class RefusingNodes implements AvoidedNodes {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #nodes = new Map<string, Refusing>();
  readonly #listeners: ((refusal: Refusal) => void)[] = [];

  constructor(pods: Pick<Store<PodRecord>, 'subscribe'>, clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    pods.subscribe(({ before, after }) => {
      // What ended before we looked says nothing of now.
      if (!before || !after?.gpu || after.node === undefined) return;
      if (after.refused !== undefined && before.refused === undefined) this.#refused(after, after.node, after.refused);
      else if (after.running && !before.running) this.#nodes.delete(after.node);
    });
  }

  /** Calls the listener after each refusal. */
  onRefused(listener: (refusal: Refusal) => void): void {
    this.#listeners.push(listener);
  }

  has(node: string): boolean {
    const refusing = this.#nodes.get(node);
    return refusing !== undefined && refusing.until > this.#clock.monotonic();
  }

  get size(): number {
    let size = 0;
    if (this.#nodes.size === 0) return size;
    const now = this.#clock.monotonic();
    for (const [node, { until }] of this.#nodes) {
      if (until > now) size += 1;
      else if (until + REMEMBERED_MS <= now) this.#nodes.delete(node);
    }
    return size;
  }

  #refused({ namespace, name }: PodRecord, node: string, reason: string): void {
    const now = this.#clock.monotonic();
    const before = this.#nodes.get(node);
    const inRow = before && before.until + REMEMBERED_MS > now ? before.inRow + 1 : 0;
    const forMs = delayOf(AVOIDED, inRow);
    this.#nodes.set(node, { inRow, until: now + forMs });
    for (const listener of this.#listeners) listener({ node, pod: `${namespace}/${name}`, reason, forMs });
  }
}
