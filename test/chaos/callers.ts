/**
 * Callers that ask the extender past kube-scheduler, many at once, as a second scheduler in a change
 * of leaders would: each sees a pod through from its creation to its Binding, or gives it up.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { randomIndex } from '#src/core/random.ts';
import { drawWish } from './fleet.ts';
import { create, end, type LivePod, lifetime, remove, type World } from './world.ts';

/** A scheduler that is not there: only our callers act for its pods. */
const NOBODY = 'second-scheduler';
const TURNS = 40;
/** They all want the same node, mostly: that is where races are. */
const TAKES_FIRST = 0.5;
const ASKS_ALTHOUGH_FULL = 0.1;
const ASKS_FOR_TWO_NODES = 0.05;
/** A Binding that fails so late may still arrive: a pod that is left alone meanwhile must not take a slot that went to another. */
const LATE_MS = 1_000;
const LONGEST_BACKOFF_MS = 8_000;

export class Callers {
  /** How many act at once. */
  width = 0;
  /** What the extender said: uid → node. */
  readonly claims = new Map<string, string>();
  /** Bind requests sent. */
  asked = 0;
  readonly #world: World;
  /** Replaced by another of the same name, which nobody looks after yet. */
  readonly #orphans: LivePod[] = [];
  readonly #running = new Set<Promise<void>>();
  #callers: Promise<unknown> = Promise.resolve();
  #created = 0;
  #stopping = false;

  constructor(world: World) {
    this.#world = world;
  }

  /** @param most callers, of which `width` act */
  start(most: number): void {
    this.#callers = Promise.all(Array.from({ length: most }, (_, i) => this.#call(i)));
    // Who waits for the end learns of it.
    this.#callers.catch(() => {});
  }

  /** Resolves once all have come to an end with what they are at; rejects if one could not go on. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#callers;
    await Promise.all(this.#running);
    for (const orphan of this.#orphans) await remove(this.#world, orphan);
  }

  async #call(rank: number): Promise<void> {
    const { random, slots } = this.#world;
    while (!this.#stopping) {
      if (rank >= this.width) {
        await sleep(50);
        continue;
      }
      const wish = drawWish(slots, random);
      const name = `direct-${this.#created}`;
      this.#created += 1;
      const pod = this.#orphans.pop() ?? (await create(this.#world, name, wish, NOBODY));
      if (await this.#place(pod)) this.#letRun(pod);
      else await remove(this.#world, pod);
    }
  }

  #letRun(pod: LivePod): void {
    const run = async () => {
      await sleep(lifetime(this.#world));
      const successor = await end(this.#world, pod, NOBODY);
      if (successor) this.#orphans.push(successor);
    };
    const running = run().catch((error: Error) => {
      this.#world.judge.breaches.push(`the end of ${pod.name} failed: ${error.message}`);
    });
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  /** True once the pod is bound, whoever said so. */
  async #place(pod: LivePod): Promise<boolean> {
    const { judge, random, extenders, nodes } = this.#world;
    for (let turn = 0; turn < TURNS && !this.#stopping; turn += 1) {
      if (judge.bound.has(pod.uid)) return true;
      const extender = extenders[randomIndex(random, extenders.length)];
      const passed = await extender?.filter(pod, nodes);
      const node = passed && this.#choose(passed);
      if (node === undefined) {
        await sleep(50 + random() * 150);
        continue;
      }
      const second = random() < ASKS_FOR_TWO_NODES ? passed?.at(-1) : undefined;
      const askedAt = performance.now();
      const answers = await Promise.all(
        [node, ...(second !== undefined && second !== node ? [second] : [])].map(async (wanted) => {
          this.asked += 1;
          const fault = await extender?.bind(pod, wanted);
          if (fault === '') this.claims.set(pod.uid, wanted);
          return fault === '';
        }),
      );
      if (answers.includes(true)) return true;
      if (performance.now() - askedAt > LATE_MS) await sleep(random() * LONGEST_BACKOFF_MS);
    }
    return judge.bound.has(pod.uid);
  }

  #choose(passed: readonly string[]): string | undefined {
    const { random, nodes } = this.#world;
    if (passed.length === 0)
      return random() < ASKS_ALTHOUGH_FULL ? nodes[randomIndex(random, nodes.length)] : undefined;
    return random() < TAKES_FIRST ? passed[0] : passed[randomIndex(random, passed.length)];
  }
}
