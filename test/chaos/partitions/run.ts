/**
 * Partitions that change again and again while pods come and go, NVIDIA's components fail, the network between the
 * controller and the API server does its worst, and the controller is killed: nobody may be harmed, and no node may stay
 * behind.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { NODE_CONFIGS } from '#src/api/custom-resources.ts';
import type { RunningController } from '#src/app/controller.ts';
import { randomIndex, seededRandom } from '#src/core/random.ts';
import type { GpuFleet } from '#src/sandbox/gpu-node/fleet.ts';
import { createCustom } from '../../cluster/custom-resources.ts';
import { A100, dropControllerLease, QUICK, QUICK_RECONCILER } from '../../cluster/emulated.ts';
import { isMarked, patchConfig, readConfig, readNode } from '../../cluster/node-configs.ts';
import { createPod, listPods } from '../../cluster/pods.ts';
import { type Stack, startInProcessController, startStack } from '../../cluster/stack.ts';
import { waitFor } from '../../cluster/wait.ts';
import { gpuPod } from '../../objects/pods.ts';
import { FaultProxy } from '../fault-proxy.ts';
import { type FaultRates, NO_FAULTS } from '../faults.ts';

export interface PartitionChaosOptions {
  /** Changes of partitions to be asked for. */
  readonly repartitions: number;
  readonly nodes: number;
  readonly seed: number;
  /** ms between two kills of the controller. */
  readonly killEveryMs: number;
  readonly signal?: AbortSignal;
  readonly log: (line: string) => void;
}

export interface PartitionChaosReport {
  readonly repartitions: number;
  readonly seconds: number;
  readonly pods: number;
  readonly kills: number;
  /** Given up by the controller, and tried anew later. */
  readonly givenUp: number;
  readonly repairs: number;
  readonly faults: ReadonlyMap<string, number>;
  /** Uids of pods: refused by kubelet in a gap, killed or robbed of their device, or sharing a GPU that was theirs alone. */
  readonly refused: readonly string[];
  readonly harmed: readonly string[];
  readonly overlapped: readonly string[];
  /** Nodes that are still in transition, or have not come to what is wanted of them, long after the last fault. */
  readonly wedged: readonly string[];
}

const SPEED = 20;
const TIMING = { ...QUICK, termination: [500, 2_000] } as const;
const CONFIGURATION = { reconciler: { ...QUICK_RECONCILER, maxInTransition: '50%' } };
const RATES: FaultRates = {
  ...NO_FAULTS,
  'too many requests': 0.01,
  'server error': 0.01,
  slow: 0.05,
  'cut reply': 0.02,
  'lost reply': 0.02,
  reset: 0.02,
  'watch dropped': 0.03,
  'watch expired': 0.01,
};
const OFF = { migEnabled: false, migProfiles: null, migLayouts: null, mpsEnabled: false, timeSlicingEnabled: false };

/** A partition, and a resource that pods can ask for then. */
const PARTITIONS: readonly { readonly spec: object; readonly resource: string }[] = [
  { spec: {}, resource: 'nvidia.com/gpu' },
  { spec: { mpsEnabled: true, mpsMaxClients: 8 }, resource: 'nvidia.com/gpu.shared' },
  { spec: { timeSlicingEnabled: true, timeSlicingReplicas: 4 }, resource: 'nvidia.com/gpu.shared' },
  { spec: { migEnabled: true, migProfiles: ['3g.20gb', '3g.20gb'] }, resource: 'nvidia.com/mig-3g.20gb' },
  { spec: { migEnabled: true, migProfiles: new Array(7).fill('1g.5gb') }, resource: 'nvidia.com/mig-1g.5gb' },
  {
    spec: { migEnabled: true, migLayouts: [{ gpus: [1], profiles: ['2g.10gb', '4g.20gb'] }] },
    resource: 'nvidia.com/gpu',
  },
];

export async function runPartitionChaos(options: PartitionChaosOptions): Promise<PartitionChaosReport> {
  const { nodes, seed, log } = options;
  const names = Array.from({ length: nodes }, (_, i) => `n${i}`);
  const stack = await startStack({
    label: 'partition-chaos',
    webhook: false,
    controller: true,
    edit: (config) => ({ ...config, podInitialBackoffSeconds: 1, podMaxBackoffSeconds: 1 }),
    fleet: {
      nodes: names.map((name) => ({ name, ...A100 })),
      speed: SPEED,
      seed,
      timing: TIMING,
      configuration: CONFIGURATION,
    },
  });
  let keepLogs = true;
  try {
    if (!stack.fleet) throw new Error('there is no fleet');
    // Its own controller is in the way: ours are behind a proxy.
    await stack.controller?.close();
    const report = await new Chaos(stack, stack.fleet, names, options).run();
    keepLogs = false;
    return report;
  } finally {
    if (keepLogs) log(`logs: ${stack.cluster.dir}/logs`);
    await stack.stop({ keepLogs });
  }
}

class Chaos {
  readonly #stack: Stack;
  readonly #fleet: GpuFleet;
  readonly #names: readonly string[];
  readonly #options: PartitionChaosOptions;
  readonly #random: () => number;
  readonly #faults = new Map<string, number>();
  #asked = 0;
  #pods = 0;
  #kills = 0;
  #givenUp = 0;
  #repairs = 0;
  #controller: { readonly running: RunningController; readonly proxy: FaultProxy } | undefined;

  constructor(stack: Stack, fleet: GpuFleet, names: readonly string[], options: PartitionChaosOptions) {
    this.#stack = stack;
    this.#fleet = fleet;
    this.#names = names;
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  async run(): Promise<PartitionChaosReport> {
    const { client } = this.#stack.cluster;
    const started = performance.now();
    for (const name of this.#names) await createCustom(client, NODE_CONFIGS, name, { nodeName: name });
    await this.#startController();
    const stopping = new AbortController();
    const killing = this.#killAgainAndAgain(stopping.signal);
    await Promise.all(this.#names.map((name) => this.#useNode(name)));
    stopping.abort();
    await killing;
    const wedged = await this.#settle();
    await this.#stopController();
    const all = (what: 'refused' | 'harmed' | 'overlapped') =>
      this.#names.flatMap((name) => [...this.#fleet.node(name)[what]]);
    return {
      repartitions: this.#asked,
      seconds: (performance.now() - started) / 1_000,
      pods: this.#pods,
      kills: this.#kills,
      givenUp: this.#givenUp,
      repairs: this.#repairs,
      faults: this.#faults,
      refused: all('refused'),
      harmed: all('harmed'),
      overlapped: all('overlapped'),
      wedged,
    };
  }

  /** Asks for one partition after the other, and for pods that use what is there, or what comes. */
  async #useNode(name: string): Promise<void> {
    const { repartitions, signal, log } = this.#options;
    const { client } = this.#stack.cluster;
    let last = 0;
    while (this.#asked < repartitions && !signal?.aborted) {
      this.#asked += 1;
      if (this.#asked % 50 === 0)
        log(`${this.#asked} repartitions asked for, ${this.#pods} pods, ${this.#kills} kills`);
      const before = PARTITIONS[last]?.resource ?? '';
      last = (last + 1 + randomIndex(this.#random, PARTITIONS.length - 1)) % PARTITIONS.length;
      const { spec = {}, resource = '' } = PARTITIONS[last] ?? {};
      this.#injectFault(name);
      await patchConfig(client, name, { ...OFF, ...spec });
      // Some come early, while the node still changes, and wait; some are bound when the next change is asked for.
      const early = randomIndex(this.#random, 3);
      for (let i = 0; i < early; i += 1) await this.#createPod(name, resource);
      const arrived = this.#arrive(name);
      // They ask for what is there no more, or not yet: between label and allocatable nobody may let them in.
      const intruding = this.#intrude(name, [before, resource], arrived);
      await Promise.all([arrived, intruding]);
      for (let i = randomIndex(this.#random, 3); i > 0; i -= 1) await this.#createPod(name, resource);
      await sleep(200 + 800 * this.#random());
    }
  }

  async #intrude(node: string, resources: readonly string[], until: Promise<void>): Promise<void> {
    const done = until.then(
      () => true,
      () => true,
    );
    for (let left = MOST_INTRUDERS; left > 0; left -= 1) {
      if (await Promise.race([done, sleep(50 + 350 * this.#random(), false)])) return;
      await this.#createPod(node, resources[randomIndex(this.#random, resources.length)] ?? '');
    }
  }

  async #createPod(node: string, resource: string): Promise<void> {
    const { client } = this.#stack.cluster;
    const name = `${node}-p${this.#pods}`;
    this.#pods += 1;
    const spec = { nodeSelector: { 'kubernetes.io/hostname': node } };
    await createPod(client, gpuPod({ name, resources: { [resource]: 1 }, spec }));
    // Each for a while, however it fares.
    const path = `/api/v1/namespaces/default/pods/${name}`;
    void sleep(1_500 + 2_500 * this.#random())
      .then(() => client.json('DELETE', path))
      .catch(() => {});
  }

  /** Until the node is what was wanted, or the controller gave up. */
  async #arrive(name: string): Promise<void> {
    const { client } = this.#stack.cluster;
    const config = await waitFor(
      `${name} arrives`,
      async () => {
        const now = await readConfig(client, name);
        const ready = now.status?.conditions?.find(({ type }) => type === 'Ready');
        const isOfNow = ready?.observedGeneration === now.generation;
        return isOfNow && (now.status?.phase === 'Ready' || now.status?.phase === 'Failed') && now;
      },
      { timeoutMs: 180_000, everyMs: 200 },
    );
    if (config.status?.phase === 'Failed') {
      this.#givenUp += 1;
      // Somebody has looked at the node, and mended it.
      Object.assign(this.#fleet.faults(name), NO_HARM);
    }
    if (config.status?.conditions?.some(({ type }) => type === 'Repaired')) this.#repairs += 1;
  }

  #injectFault(name: string): void {
    const faults = this.#fleet.faults(name);
    const inject = (what: string, fault: object) => {
      Object.assign(faults, fault);
      this.#faults.set(what, (this.#faults.get(what) ?? 0) + 1);
    };
    Object.assign(faults, NO_HARM);
    const dice = this.#random();
    if (dice < 0.05) inject('mig-manager fails', { migFails: 1 + randomIndex(this.#random, 3) });
    else if (dice < 0.08) inject('mig-manager sticks', { migSticks: 1 });
    else if (dice < 0.12) inject('node reboots for MIG', { migReboots: true });
    else if (dice < 0.15) {
      inject('config-manager does not act', { pluginIgnores: true });
      setTimeout(() => Object.assign(faults, { pluginIgnores: false }), 2_000);
    } else if (dice < 0.17) {
      inject('GPU Feature Discovery is away', { featureDiscoveryAway: true });
      setTimeout(() => Object.assign(faults, { featureDiscoveryAway: false }), 2_000);
    }
  }

  async #killAgainAndAgain(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.#options.killEveryMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      await this.#stopController();
      this.#kills += 1;
      await this.#startController();
    }
  }

  async #startController(): Promise<void> {
    const { cluster, configurationFile } = this.#stack;
    const proxy = await FaultProxy.start({ upstream: cluster.kubeConfig, rates: RATES, random: this.#random });
    const running = await startInProcessController(cluster, {
      configurationFile,
      speed: SPEED,
      kubeConfig: proxy.kubeConfig,
    });
    this.#controller = { running, proxy };
  }

  /** Its connections break first: it cannot give anything back. */
  async #stopController(): Promise<void> {
    if (!this.#controller) return;
    const { running, proxy } = this.#controller;
    this.#controller = undefined;
    for (const [kind, count] of proxy.counts) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + count);
    await proxy.close();
    await running.close();
    await dropControllerLease(this.#stack.cluster.client);
  }

  /** Nothing goes wrong any more: what has not arrived in the end never will. */
  async #settle(): Promise<string[]> {
    const { client } = this.#stack.cluster;
    this.#controller?.proxy.heal();
    for (const name of this.#names) Object.assign(this.#fleet.faults(name), NO_HARM);
    const behind = async () => {
      const wedged: string[] = [];
      for (const name of this.#names) {
        const { status } = await readConfig(client, name);
        if (status?.phase !== 'Ready' || isMarked(await readNode(client, name)))
          wedged.push(`${name}: ${status?.phase} ${status?.message}`);
      }
      return wedged;
    };
    // What was given up is tried anew after 15 minutes.
    await waitFor('all nodes are what they should be', async () => (await behind()).length === 0, {
      timeoutMs: 120_000,
      everyMs: 500,
    }).catch(() => {});
    const left = (await listPods(client)).filter(({ status }) => status.phase === 'Failed');
    this.#options.log(`${left.length} pods have failed`);
    return behind();
  }
}

/** For each change. */
const MOST_INTRUDERS = 6;

const NO_HARM = { migFails: 0, migSticks: 0, migReboots: false, pluginIgnores: false, featureDiscoveryAway: false };
