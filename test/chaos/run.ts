/**
 * Binds by the thousand on a real control plane while everything goes wrong between the extender and
 * the API server, and the extender itself is killed again and again: no slot is ever given twice, and
 * in the end none is lost.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { randomIndex, seededRandom } from '#src/core/random.ts';
import type { Cluster } from '../cluster/start.ts';
import { waitFor } from '../cluster/wait.ts';
import { gpuPod } from '../objects/pods.ts';
import { Callers } from './callers.ts';
import { ExtenderProcess } from './extender-process.ts';
import { FaultProxy } from './fault-proxy.ts';
import { type FaultKind, type FaultRates, NO_FAULTS } from './faults.ts';
import { Judge } from './judge.ts';
import { ScheduledPods } from './scheduled-pods.ts';
import type { World } from './world.ts';

export interface ChaosOptions {
  /** Bound pods after which it ends, if every kind of fault has been met by then, and a kill. */
  readonly binds: number;
  readonly seed: number;
  readonly rates?: Partial<FaultRates>;
  /**
   * Mean time from one SIGKILL to the next, ms: longer than a request is frozen, or hardly one would
   * be acted on late.
   */
  readonly killEveryMs: number;
  /** Extenders that bind for the same pods, each behind a proxy of its own; more than one is a mistake. Default 1. */
  readonly replicas?: number;
  /** Whether what a killed extender has sent may still reach the API server after the next one has started. Default false. */
  readonly afterlife?: boolean;
  /** Whether to go on after a breach, to count how many there are. Default false. */
  readonly countBreaches?: boolean;
  /** Ends it early, and in order: what has been bound until then is judged. */
  readonly signal?: AbortSignal;
  readonly log: (line: string) => void;
}

export interface ChaosReport {
  readonly nodes: number;
  readonly slots: number;
  readonly binds: number;
  /** From the first bind to the last. */
  readonly seconds: number;
  /** Bind requests by callers past kube-scheduler. */
  readonly asked: number;
  readonly kills: number;
  /** Pod events judged. */
  readonly events: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** What must not be, a sentence each. */
  readonly breaches: readonly string[];
}

/** A stale list is left out: no API server gives one to who asks for now, and nobody who trusts lists survives it. */
export const RATES: FaultRates = {
  ...NO_FAULTS,
  'too many requests': 0.01,
  'server error': 0.01,
  'invented conflict': 0.01,
  slow: 0.02,
  'very slow': 0.004,
  'cut reply': 0.01,
  'lost reply': 0.01,
  reset: 0.01,
  freeze: 0.012,
  'watch dropped': 0.2,
  'watch expired': 0.2,
};

const WIDTHS = [8, 32, 128];
const MOST = 128;
const WIDTH_MS = 2_000;
/** What a slot bears, about: the fleet is full at so many binds a second for each slot. */
const LIFE_MS_PER_SLOT = 6;
const SETTLE_MS = 90_000;
const PROGRESS_MS = 10_000;
/** Without a bind for so long, something is lost already. */
const STALLED_MS = 60_000;

/** @param cluster with nodes, without pods, and without a scheduler */
export async function runChaos(cluster: Cluster, options: ChaosOptions): Promise<ChaosReport> {
  const { seed, log, replicas = 1 } = options;
  const rates: FaultRates = { ...RATES, ...options.rates };
  const closing: (() => Promise<void> | void)[] = [];
  try {
    const judge = await Judge.start(cluster.client);
    closing.push(() => judge.stop());
    const proxies: FaultProxy[] = [];
    const extenders: ExtenderProcess[] = [];
    for (let i = 0; i < replicas; i += 1) {
      const random = seededRandom(seed + 1000 * (i + 1));
      const proxy = await FaultProxy.start({ upstream: cluster.kubeConfig, rates, random });
      closing.push(() => proxy.close());
      const extender = await ExtenderProcess.start(proxy.kubeConfig);
      closing.push(async () => {
        const keepLogs = judge.breaches.length > 0;
        await extender.stop({ keepLogs });
        if (keepLogs) log(`logs of the extender: ${extender.logs}`);
      });
      proxies.push(proxy);
      extenders.push(extender);
    }
    const [extenderUrl = ''] = extenders.map(({ url }) => url);
    await cluster.startScheduler({ extenderUrl });
    const slots = new Map<string, number>();
    for (const gpus of judge.allocatable.values()) {
      for (const [resource, count] of gpus) slots.set(resource, (slots.get(resource) ?? 0) + count);
    }
    const world: World = {
      client: cluster.client,
      judge,
      extenders,
      random: seededRandom(seed),
      slots,
      nodes: [...judge.allocatable.keys()],
      lifeMs: judge.slots * LIFE_MS_PER_SLOT,
    };
    log(`seed ${seed}: ${world.nodes.length} nodes with ${judge.slots} slots`);
    return await new Chaos(options, rates, world, proxies).run();
  } finally {
    for (const close of closing.toReversed()) await close();
  }
}

class Chaos {
  readonly #options: ChaosOptions;
  readonly #rates: FaultRates;
  readonly #world: World;
  readonly #proxies: readonly FaultProxy[];
  readonly #callers: Callers;
  readonly #scheduled: ScheduledPods;
  readonly #started = performance.now();
  #kills = 0;

  constructor(options: ChaosOptions, rates: FaultRates, world: World, proxies: readonly FaultProxy[]) {
    this.#options = options;
    this.#rates = rates;
    this.#world = world;
    this.#proxies = proxies;
    this.#callers = new Callers(world);
    this.#scheduled = new ScheduledPods(world);
  }

  async run(): Promise<ChaosReport> {
    const { judge } = this.#world;
    this.#callers.start(MOST);
    this.#scheduled.start();
    const killing = this.#killAndRestart().catch((error: Error) => void judge.breaches.push(error.message));
    await this.#untilEnough();
    const seconds = (performance.now() - this.#started) / 1000;
    const binds = judge.bound.size;
    await killing;
    for (const proxy of this.#proxies) proxy.heal();
    this.#options.log('all faults end here');
    try {
      await this.#comeToRest();
    } catch (error) {
      judge.breaches.push((error as Error).message);
    }
    for (const [uid, node] of this.#callers.claims) {
      const truth = judge.bound.get(uid);
      if (truth !== node) judge.breaches.push(`a caller was told that ${uid} is bound to ${node}; it is ${truth}`);
    }
    return {
      nodes: this.#world.nodes.length,
      slots: judge.slots,
      binds,
      seconds,
      asked: this.#callers.asked,
      kills: this.#kills,
      events: judge.events,
      faults: this.#faults(),
      breaches: judge.breaches,
    };
  }

  async #untilEnough(): Promise<void> {
    const { judge, random } = this.#world;
    let told = performance.now();
    let widened = Number.NEGATIVE_INFINITY;
    let progress = { at: told, binds: 0 };
    while (!this.#enough()) {
      const now = performance.now();
      if (now - widened > WIDTH_MS) {
        this.#callers.width = WIDTHS[randomIndex(random, WIDTHS.length)] ?? 0;
        widened = now;
      }
      if (judge.bound.size > progress.binds) progress = { at: now, binds: judge.bound.size };
      if (now - progress.at > STALLED_MS) judge.breaches.push(`no bind for ${STALLED_MS / 1000} s`);
      if (now - told > PROGRESS_MS) {
        told = now;
        const rate = judge.bound.size / ((now - this.#started) / 1000);
        const met = [...this.#faults().values()].reduce((sum, count) => sum + count, 0);
        this.#options.log(
          `${judge.bound.size} binds (${rate.toFixed(0)}/s), ${met} faults, ${this.#kills} kills, ${judge.held} of ${judge.slots} slots held, ${judge.breaches.length} breaches`,
        );
      }
      await sleep(50);
    }
  }

  #enough(): boolean {
    const { judge } = this.#world;
    const { signal, countBreaches } = this.#options;
    if (signal?.aborted || (judge.breaches.length > 0 && !countBreaches)) return true;
    return judge.bound.size >= this.#options.binds && this.#kills > 0 && this.#unmet().length === 0;
  }

  /** Kinds of faults that should have been met, and have not. */
  #unmet(): string[] {
    const met = this.#faults();
    return Object.entries(this.#rates).flatMap(([kind, rate]) => (rate > 0 && !met.has(kind as FaultKind) ? kind : []));
  }

  #faults(): Map<FaultKind, number> {
    const sums = new Map<FaultKind, number>();
    for (const { counts } of this.#proxies) {
      for (const [kind, count] of counts) sums.set(kind, (sums.get(kind) ?? 0) + count);
    }
    return sums;
  }

  async #killAndRestart(): Promise<void> {
    const { random, extenders } = this.#world;
    const { killEveryMs, afterlife = false } = this.#options;
    for (let next = performance.now() + killEveryMs * (0.5 + random()); !this.#enough(); await sleep(50)) {
      if (performance.now() < next) continue;
      const victim = randomIndex(random, extenders.length);
      const proxy = this.#proxies[victim];
      await extenders[victim]?.kill();
      this.#kills += 1;
      if (!afterlife) {
        proxy?.abandon();
        await waitFor('the API server has done with what the dead one asked for', () => proxy?.underWay === 0);
      }
      await extenders[victim]?.start();
      next = performance.now() + killEveryMs * (0.5 + random());
    }
  }

  /** Every pod that fits is bound; and once all are gone, every slot is free. */
  async #comeToRest(): Promise<void> {
    const { judge, extenders, nodes } = this.#world;
    await this.#callers.stop();
    await this.#scheduled.settle(SETTLE_MS);
    await waitFor('frozen requests have been acted on', () => this.#proxies.every(({ held }) => held === 0));
    await this.#scheduled.clear();
    await waitFor('all pods are gone', () => judge.pods.size === 0).catch((error: Error) => {
      throw new Error(`${error.message}; ${judge.pods.size} are left`);
    });
    for (const extender of extenders) {
      await waitFor('no reservation outlives its pod', async () => (await extender.reservations()) === 0);
      for (const name of nodes) {
        const all = Object.fromEntries(judge.allocatable.get(name) ?? []);
        // In containers of one slot each it would fit on MPS as well: one GPU pod asks for all of them.
        const manifest = gpuPod({ name: 'probe', spec: { containers: containersOf(all) } });
        await waitFor(`all of ${name} is free`, async () => {
          return (await extender.filter({ name: 'probe', uid: 'probe', manifest }, [name]))?.length === 1;
        });
      }
    }
  }
}

/** A container for each slot. */
function containersOf(gpus: Readonly<Record<string, number>>): object[] {
  return Object.entries(gpus).flatMap(([resource, count]) =>
    Array.from({ length: count }, (_, i) => ({
      name: `${resource.replace(/\W/g, '-')}-${i}`,
      resources: { requests: { [resource]: '1' }, limits: { [resource]: '1' } },
    })),
  );
}
