/** Pods that the real kube-scheduler places: always some, coming and going, never more than would all fit at once. */

import { setTimeout as sleep } from 'node:timers/promises';
import { randomIndex } from '#src/core/random.ts';
import { waitFor } from '../cluster/wait.ts';
import { drawWish, type PodWish } from './fleet.ts';
import { create, end, type LivePod, lifetime, remove, type World } from './world.ts';

const AT_ONCE = 40;
/** Nodes have four slots or more: where a third is taken, one has two left. */
const SHARE = 3;
const BINDS_PAST_SCHEDULER = 0.02;

export class ScheduledPods {
  readonly #world: World;
  /** With the time of its end, once it is bound. */
  readonly #pods = new Map<LivePod, number | undefined>();
  readonly #ending = new Set<Promise<void>>();
  #loop: Promise<void> = Promise.resolve();
  #created = 0;
  #stopping = false;

  constructor(world: World) {
    this.#world = world;
  }

  start(): void {
    this.#loop = this.#run();
    this.#loop.catch(() => {});
  }

  /** No more come or go; resolves once all that are there are bound. */
  async settle(timeoutMs: number): Promise<void> {
    this.#stopping = true;
    await this.#loop;
    await Promise.all(this.#ending);
    const { bound } = this.#world.judge;
    const waiting = () => [...this.#pods.keys()].filter(({ uid }) => !bound.has(uid)).map(({ name }) => name);
    await waitFor('every pod that fits is bound', () => waiting().length === 0, { timeoutMs }).catch((error: Error) => {
      throw new Error(`${error.message}; ${waiting()} wait`);
    });
  }

  async clear(): Promise<void> {
    await Promise.all([...this.#pods.keys()].map((pod) => remove(this.#world, pod)));
  }

  async #run(): Promise<void> {
    const { judge, random, extenders, nodes } = this.#world;
    while (!this.#stopping) {
      const now = performance.now();
      for (const [pod, until] of this.#pods) {
        const bound = judge.bound.has(pod.uid);
        // A scheduler that believes to lead still, beside the one that does.
        if (!bound && random() < BINDS_PAST_SCHEDULER) {
          void extenders[0]?.bind(pod, nodes[randomIndex(random, nodes.length)] ?? '');
        }
        if (bound && until === undefined) this.#pods.set(pod, now + 2 * lifetime(this.#world));
        if (until !== undefined && now > until) this.#end(pod);
      }
      while (this.#pods.size < AT_ONCE) {
        const wish = this.#drawWish();
        if (!wish) break;
        const name = `scheduled-${this.#created}`;
        this.#created += 1;
        this.#pods.set(await create(this.#world, name, wish), undefined);
      }
      await sleep(100);
    }
  }

  #end(pod: LivePod): void {
    this.#pods.delete(pod);
    const ending = end(this.#world, pod)
      .then((successor) => {
        if (successor) this.#pods.set(successor, undefined);
      })
      .catch((error: Error) => void this.#world.judge.breaches.push(`the end of ${pod.name} failed: ${error.message}`));
    this.#ending.add(ending);
    void ending.then(() => this.#ending.delete(ending));
  }

  /** Undefined if chance wanted more of something than its share. */
  #drawWish(): PodWish | undefined {
    const { slots, random } = this.#world;
    const { resource, containers } = drawWish(slots, random);
    const total = (wish: PodWish) => wish.containers.reduce((sum, count) => sum + count, 0);
    // In containers of one slot each it fits on MPS, too.
    const wish = { resource, containers: containers.flatMap((count) => Array.from({ length: count }, () => 1)) };
    let taken = total(wish);
    for (const pod of this.#pods.keys()) if (pod.wish.resource === resource) taken += total(pod.wish);
    return taken <= (slots.get(resource) ?? 0) / SHARE ? wish : undefined;
  }
}
