/**
 * Carries GPUNodeConfigs out: asks of each node that has changed, or whose time has come, what is to be done next
 * (`nextStep`), and does it. All that it knows stands in the API server; what it remembers beside that is since when
 * something has been so.
 */

import type { NodeConfig } from '../api/node-config.ts';
import { SHARED_GPU } from '../core/resources.ts';
import { type KubeClient, KubeError } from '../kube/kube-client.ts';
import { holding, type Lease, LeaseError } from '../kube/lease.ts';
import { Loop } from '../kube/loop.ts';
import { GpuPods } from '../state/gpu-pods.ts';
import { NodeConfigStore, NodeStore } from '../state/node-config-store.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ReconcilerMetrics, SharingFigures } from '../telemetry/metrics.ts';
import { ConfigMapStoreError } from './config-map-store.ts';
import { ConfigMapStoreProvider } from './config-map-store-provider.ts';
import { conflict, desiredStateOf, SWITCHED_OFF, unknownNode } from './desired-state.ts';
import { evict } from './evict.ts';
import { nextStep, phaseOf } from './next-step.ts';
import type { ReconcilerSettings } from './settings.ts';
import { StatusReporter } from './status-reporter.ts';
import type { Action, NodePatch, PhaseStatus, Step } from './step.ts';

export interface ReconcilerOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly lease: Pick<Lease, 'hold' | 'isHeld'>;
  readonly settings: () => ReconcilerSettings;
  readonly log: Logger;
  readonly metrics: ReconcilerMetrics;
  /** ms of a clock that never goes back. */
  readonly now: () => number;
  readonly date: () => Date;
  /** ms from a change to what follows from it; default 100. */
  readonly settleMs?: number;
}

const MERGE = 'application/merge-patch+json';
const RETRY_MS = 5_000;
/** Nodes that are dealt with at the same time: one slow answer must not hold the others back. */
const CONCURRENCY = 8;
/** After a write that somebody else was quicker than. */
const AGAIN_MS = 100;

interface Memory {
  readonly phase: string;
  readonly since: number;
}

export class Reconciler {
  readonly nodes: NodeStore;
  readonly configs: NodeConfigStore;
  readonly pods: GpuPods;
  readonly #options: ReconcilerOptions;
  readonly #loop: Loop;
  readonly #reports: StatusReporter;
  readonly #keys: ConfigMapStoreProvider;
  readonly #due = new Set<string>();
  /** When to look at a node again, ms. */
  readonly #wakes = new Map<string, number>();
  readonly #phases = new Map<string, Memory>();
  /** By node: when, and for which wish. */
  readonly #drainsGivenUp = new Map<string, { readonly at: number; readonly wish: string }>();
  readonly #queued = new Set<string>();
  readonly #recommendations = new Map<string, string>();
  /** About to be marked. */
  readonly #beginning = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #follower = false;
  #ready = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    const changed = (node: string) => this.#look(node);
    let marked = 0;
    this.nodes = new NodeStore((node) => {
      changed(node);
      const { size } = this.nodes.inTransition;
      options.metrics.inTransition.set(size);
      // Also of a node that is gone, and its mark with it.
      if (size < marked) this.#nextInQueue();
      marked = size;
    });
    this.configs = new NodeConfigStore(changed);
    // Pods come and go all day on nodes that nobody wants anything of.
    this.pods = new GpuPods((node) => {
      if (this.configs.of(node).length > 0 || this.nodes.get(node)?.transition) changed(node);
    });
    const { nodes, configs, pods } = this;
    this.#keys = new ConfigMapStoreProvider({ ...options, nodes });
    this.#reports = new StatusReporter({ ...options, nodes, configs, pods, recommendations: this.#recommendations });
    this.#loop = new Loop({
      work: () => this.#work(),
      failed: (error) => options.log.warn({ error: error.message }, 'partitions: could not go on, trying again'),
      settleMs: options.settleMs ?? 100,
      retryMs: RETRY_MS,
    });
  }

  /** Everything has been listed: from now on nodes are dealt with. */
  begin(): void {
    this.#ready = true;
    for (const { nodeName } of this.configs.all()) if (nodeName !== undefined) this.#due.add(nodeName);
    for (const name of this.nodes.inTransition) this.#due.add(name);
    this.#loop.start();
    this.#loop.trigger();
  }

  /** The configuration has changed. */
  configured(): void {
    for (const { nodeName } of this.configs.all()) if (nodeName !== undefined) this.#look(nodeName);
  }

  /** What the planner would make of nodes, if it might: said in the status of their GPUNodeConfigs. @param all by node */
  recommend(all: ReadonlyMap<string, string>): void {
    for (const node of new Set([...this.#recommendations.keys(), ...all.keys()])) {
      const text = all.get(node);
      if (this.#recommendations.get(node) === text) continue;
      if (text === undefined) this.#recommendations.delete(node);
      else this.#recommendations.set(node, text);
      if (this.configs.of(node).length > 0) this.#look(node);
    }
  }

  /** What nodes share, all together. */
  figures(): SharingFigures {
    let [mpsClients, virtualGpus] = [0, 0];
    for (const { name, sharing, allocatable } of this.nodes.all()) {
      const slots = allocatable[SHARED_GPU] ?? 0;
      if (sharing === 'time-slicing') virtualGpus += slots;
      if (sharing !== 'mps' || slots === 0) continue;
      for (const { resources } of this.pods.on(name)) mpsClients += resources[SHARED_GPU] ?? 0;
    }
    return { mpsClients, virtualGpus };
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#loop.stop();
  }

  #look(node: string): void {
    this.#due.add(node);
    this.#loop.trigger();
  }

  #nextInQueue(): void {
    for (const waiting of this.#queued) this.#look(waiting);
    this.#queued.clear();
  }

  #wake(node: string, ms: number): void {
    this.#wakes.set(node, this.#options.now() + ms);
  }

  async #work(): Promise<void> {
    const { lease, now, log } = this.#options;
    if (!this.#ready) return;
    for (const [node, at] of this.#wakes) {
      if (at > now()) continue;
      this.#wakes.delete(node);
      this.#due.add(node);
    }
    const matters = (node: string) =>
      this.configs.of(node).length > 0 || this.nodes.get(node)?.transition !== undefined;
    if (this.#keys.mayCollect || [...this.#due].some(matters)) {
      try {
        await holding(lease);
        this.#follower = false;
      } catch (error) {
        if (!(error instanceof LeaseError)) throw error;
        if (!this.#follower) log.info({ why: error.message }, 'partitions are not changed by this controller');
        this.#follower = true;
        this.#setTimer(RETRY_MS);
        return;
      }
    }
    const due = [...this.#due].filter(matters);
    this.#due.clear();
    const queue = due.values();
    let failure: Error | undefined;
    const worker = async () => {
      for (const node of queue) {
        this.#wakes.delete(node);
        await this.#dealWith(node).catch((error: Error) => {
          this.#wake(node, RETRY_MS);
          failure = error;
        });
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    await this.#keys.collect();
    const next = Math.min(...this.#wakes.values());
    if (next < Number.POSITIVE_INFINITY) this.#setTimer(Math.max(1, next - now()));
    if (failure) log.warn({ error: failure.message }, 'partitions: a step failed, it is tried again');
  }

  #setTimer(ms: number): void {
    clearTimeout(this.#timer);
    // A longer time than a timer takes would be none at all.
    this.#timer = setTimeout(() => this.#loop.trigger(), Math.min(ms, 2 ** 31 - 1));
    this.#timer.unref();
  }

  async #dealWith(name: string): Promise<void> {
    const { settings, now } = this.#options;
    const node = this.nodes.get(name);
    const [config, ...others] = this.configs.of(name);
    for (const other of others) await this.#reports.report(other, conflict(other, config));
    if (!node) {
      this.#phases.delete(name);
      if (config) await this.#reports.report(config, unknownNode(name));
      return;
    }
    const { enabled, times, most, defaultProfile } = settings();
    // What is under way is brought to an end all the same, or taken back.
    if (!enabled && !node.transition) {
      if (config) await this.#reports.report(config, SWITCHED_OFF);
      return;
    }
    const wish = enabled && config ? desiredStateOf(config, node, defaultProfile) : undefined;
    const phase = phaseOf(node);
    const memory = this.#phases.get(name);
    const since = memory?.phase === phase ? memory.since : now();
    if (memory?.phase !== phase) this.#phases.set(name, { phase, since });
    const marked = new Set([...this.nodes.inTransition, ...this.#beginning]);
    const step = nextStep({
      node,
      desired: wish?.desired,
      gpuPods: this.pods.on(name),
      elapsed: now() - since,
      age: this.#keys.ages(),
      mayBegin: marked.has(name) || marked.size < most(this.nodes.size),
      drainGivenUp: this.#hasGivenUp(name, config, times.retry),
      times,
    });
    const phaseStatus = step.phaseStatus ?? wish?.phaseStatus;
    const more = await this.#carryOut(name, config, step);
    // What follows at once is told at once: only where it comes to a rest does anybody read it.
    if (config && phaseStatus && (step.do === 'nothing' || step.do === 'evict')) {
      const message = more === undefined ? phaseStatus.message : `${phaseStatus.message}; ${more}`;
      await this.#reports.report(config, wish?.phaseStatus ?? { ...phaseStatus, message }, wish?.rejection);
    }
  }

  #hasGivenUp(name: string, config: NodeConfig | undefined, ms: number): boolean {
    const last = this.#drainsGivenUp.get(name);
    return last !== undefined && last.wish === wishKey(config) && this.#options.now() - last.at < ms;
  }

  /** What is to be said besides the step's own sentence. */
  async #carryOut(name: string, config: NodeConfig | undefined, step: Step): Promise<string | undefined> {
    const { client, lease, settings } = this.#options;
    if (step.phaseStatus?.reason === 'Queued') this.#queued.add(name);
    switch (step.do) {
      case 'nothing':
        if (step.wakeMs !== undefined) this.#wake(name, step.wakeMs);
        return undefined;
      case 'write-keys': {
        try {
          await this.#keys.add(step.plugin, step.mig);
        } catch (error) {
          if (!(error instanceof ConfigMapStoreError) && !isForGood(error)) throw error;
          const phase = this.nodes.get(name)?.transition ? 'Configuring' : 'Pending';
          const { namespace, configMaps } = settings();
          const message = `${(error as Error).message} (ConfigMaps ${configMaps.plugin} and ${configMaps.mig} in ${namespace})`;
          if (config) await this.#reports.report(config, { phase, reason: 'ConfigMapUnusable', message });
          this.#wake(name, settings().times.evict);
          return undefined;
        }
        this.#look(name);
        return undefined;
      }
      case 'evict': {
        this.#wake(name, step.wakeMs);
        const refusals = new Set<string>();
        for (const pod of step.pods) {
          const refused = await evict(client, pod, () => lease.isHeld);
          if (refused !== undefined) refusals.add(`${pod.namespace}/${pod.name}: ${refused}`);
        }
        return [...refusals].sort()[0];
      }
      case 'patch': {
        const mark = this.nodes.get(name)?.transition;
        if (step.doing === 'tell' && mark && !(await this.#keys.has(mark))) this.#look(name);
        else await this.#patch(name, config, step.doing, step.patch, step.phaseStatus);
        return undefined;
      }
    }
  }

  /** One request, on the very object that the step was found for: if that has changed, it is found anew. */
  async #patch(
    name: string,
    config: NodeConfig | undefined,
    doing: Action,
    { unschedulable, ...metadata }: NodePatch,
    phaseStatus: PhaseStatus | undefined,
  ): Promise<void> {
    const { client, lease, log, metrics, now, settings } = this.#options;
    if (doing === 'begin') this.#beginning.add(name);
    try {
      const resourceVersion = this.nodes.versionOf(name);
      const body = {
        metadata: { ...metadata, resourceVersion },
        ...(unschedulable !== undefined && { spec: { unschedulable } }),
      };
      const path = `/api/v1/nodes/${encodeURIComponent(name)}`;
      const reply = await client.json('PATCH', path, { body, contentType: MERGE, maySend: () => lease.isHeld });
      this.nodes.feed.changed(reply);
    } catch (error) {
      // Others have waited for it.
      if (doing === 'begin') this.#nextInQueue();
      if (!(error instanceof KubeError) || (error.status !== 409 && error.status !== 404)) throw error;
      this.#wake(name, AGAIN_MS);
      return;
    } finally {
      this.#beginning.delete(name);
    }
    if (phaseStatus?.reason === 'DrainTimeout') this.#drainsGivenUp.set(name, { at: now(), wish: wishKey(config) });
    const message =
      phaseStatus?.message ?? (settings().enabled ? 'nothing is wanted of it any more' : SWITCHED_OFF.message);
    log.info(
      { node: name, config: config?.name, doing, reason: phaseStatus?.reason },
      `partition of ${name}: ${message}`,
    );
    const news = NEWS[doing];
    if (doing === 'repair') metrics.repairs.inc({ reason: reasonOfLast(this.nodes.get(name)?.transition?.repairs) });
    if (news?.result) {
      metrics.transitions.inc({ result: news.result });
    }
    if (news && config) await this.#reports.event(config, { ...news, message });
  }
}

const NEWS: Readonly<Record<Action, { type: 'Normal' | 'Warning'; reason: string; result?: string } | undefined>> = {
  begin: { type: 'Normal', reason: 'PartitionChanging' },
  retarget: undefined,
  adopt: undefined,
  tell: undefined,
  repair: { type: 'Warning', reason: 'PartitionRepaired' },
  finish: { type: 'Normal', reason: 'PartitionReady', result: 'finished' },
  abort: { type: 'Normal', reason: 'PartitionPostponed', result: 'postponed' },
  fail: { type: 'Warning', reason: 'PartitionFailed', result: 'failed' },
};

function reasonOfLast(repairs: readonly string[] | undefined): string {
  return repairs?.at(-1)?.split(': ')[0] ?? 'unknown';
}

function wishKey(config: NodeConfig | undefined): string {
  return `${config?.uid} ${config?.generation}`;
}

/** Refused, and no matter of time: a namespace that is not there, a permission, an immutable ConfigMap. */
function isForGood(error: unknown): boolean {
  return error instanceof KubeError && [400, 403, 404, 422].includes(error.status ?? 0);
}
