/**
 * Carries GPUNodeConfigs out: asks of each node that has changed, or whose time has come, what is to be done next
 * (`nextStep`), and has it done (`StepPerformer`). All that it knows stands in the API server; what it remembers beside
 * that is since when something has been so.
 */

import type { NodeConfig } from '../api/node-config.ts';
import { SHARED_GPU } from '../core/resources.ts';
import type { Clock } from '../kube/clock.ts';
import type { EventRecorder } from '../kube/event-recorder.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { holding, type Lease, LeaseError } from '../kube/lease.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { GpuPods } from '../state/gpu-pods.ts';
import { NodeConfigs } from '../state/node-configs.ts';
import type { ObservedNode } from '../state/observed-node.ts';
import type { Logger } from '../telemetry/logger.ts';
import { ConfigMapStoreProvider } from './config-map-store-provider.ts';
import { conflict, desiredStateOf, SWITCHED_OFF, unknownNode } from './desired-state.ts';
import type { ReconcilerMetrics, SharingFigures } from './metrics.ts';
import { nextStep, phaseOf } from './next-step.ts';
import type { ReconcilerSettings } from './settings.ts';
import { StatusReporter } from './status-reporter.ts';
import type { Step } from './step.ts';
import { type Outcome, StepPerformer } from './step-performer.ts';

export interface ReconcilerOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly state: Pick<ClusterState, 'nodes' | 'pods' | 'nodeConfigs'>;
  readonly lease: Pick<Lease, 'hold' | 'isHeld'>;
  readonly settings: () => ReconcilerSettings;
  readonly log: Logger;
  readonly metrics: ReconcilerMetrics;
  readonly clock: Clock;
  /** ms from a change to what follows from it; default 100. */
  readonly settleMs?: number;
}

const RETRY_MS = 5_000;
/** Nodes that are worked on at the same time. */
const CONCURRENCY = 8;
/** The key, which no node can have, under which unused names in the ConfigMaps are looked for. */
const COLLECT = '';

interface Memory {
  readonly phase: string;
  readonly since: number;
}

export class Reconciler {
  readonly configs: NodeConfigs;
  readonly #options: ReconcilerOptions;
  readonly #settleMs: number;
  readonly #pods: GpuPods;
  readonly #queue: WorkQueue;
  readonly #reports: StatusReporter;
  readonly #performer: StepPerformer;
  readonly #configMaps: ConfigMapStoreProvider;
  readonly #phases = new Map<string, Memory>();
  /** By node: when, and for which desired state. */
  readonly #drainsGivenUp = new Map<string, { readonly at: number; readonly desired: string }>();
  /** Nodes that wait for their turn to change. */
  readonly #queued = new Set<string>();
  readonly #recommendations = new Map<string, string>();
  readonly #inTransition = new Set<string>();
  /** Nodes whose transition is about to be written. */
  readonly #beginning = new Set<string>();
  #isFollower = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#settleMs = options.settleMs ?? 100;
    const { state, log, clock } = options;
    this.#queue = new WorkQueue({
      work: (key) => (key === COLLECT ? this.#collect() : this.#work(key)),
      failed: (node, error) => log.warn({ node, error: error.message }, 'partitions: a step failed, it is tried again'),
      concurrency: CONCURRENCY,
      backoff: { baseMs: RETRY_MS, maxMs: RETRY_MS },
      clock,
    });
    const changed = (node: string) => this.#look(node);
    state.nodes.follow(({ key, before, after }) => {
      if (before?.observed === after?.observed) return;
      this.#follow(key, after?.observed);
      changed(key);
    });
    this.configs = new NodeConfigs(state.nodeConfigs, changed);
    // Pods come and go all day on nodes of which nothing is wanted.
    this.#pods = new GpuPods(state.pods, (node) => {
      if (this.#matters(node)) changed(node);
    });
    this.#configMaps = new ConfigMapStoreProvider(options);
    this.#reports = new StatusReporter({
      ...options,
      pods: this.#pods,
      recommendations: this.#recommendations,
    });
    this.#performer = new StepPerformer({
      ...options,
      configMaps: this.#configMaps,
      reports: this.#reports,
      settleMs: this.#settleMs,
    });
  }

  /** Everything has been listed: from now on nodes are dealt with. */
  begin(): void {
    this.configured();
    for (const name of this.#inTransition) this.#queue.add(name);
    this.#queue.addAfter(COLLECT, this.#configMaps.collectMs);
    this.#queue.start();
  }

  /** The configuration has changed. */
  configured(): void {
    for (const { nodeName } of this.#options.state.nodeConfigs.values())
      if (nodeName !== undefined) this.#look(nodeName);
  }

  /** What the planner would make of nodes, if it might: said in the status of their GPUNodeConfigs. @param all by node */
  recommend(all: ReadonlyMap<string, string>): void {
    for (const node of new Set([...this.#recommendations.keys(), ...all.keys()])) {
      const text = all.get(node);
      if (this.#recommendations.get(node) === text) continue;
      if (text === undefined) this.#recommendations.delete(node);
      else this.#recommendations.set(node, text);
      if (this.configs.has(node)) this.#look(node);
    }
  }

  /** What nodes share, all together. */
  figures(): SharingFigures {
    let [mpsClients, virtualGpus] = [0, 0];
    for (const { name, observed } of this.#options.state.nodes.values()) {
      const { sharing, allocatable } = observed;
      const slots = allocatable[SHARED_GPU] ?? 0;
      if (sharing === 'timeslicing') virtualGpus += slots;
      if (sharing !== 'mps' || slots === 0) continue;
      for (const { resources } of this.#pods.on(name)) mpsClients += resources[SHARED_GPU] ?? 0;
    }
    return { mpsClients, virtualGpus };
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  #follow(name: string, node: ObservedNode | undefined): void {
    const before = this.#inTransition.size;
    if (node?.transition) this.#inTransition.add(name);
    else this.#inTransition.delete(name);
    const { size } = this.#inTransition;
    if (size === before) return;
    this.#options.metrics.inTransition.set(size);
    // Also of a node that is gone, and its transition with it.
    if (size < before) this.#nextInQueue();
  }

  #look(node: string): void {
    this.#queue.addAfter(node, this.#settleMs);
  }

  #nextInQueue(): void {
    for (const waiting of this.#queued) this.#look(waiting);
    this.#queued.clear();
  }

  #node(name: string): ObservedNode | undefined {
    return this.#options.state.nodes.get(name)?.observed;
  }

  /** Whether anything is wanted of the node, or under way on it. */
  #matters(node: string): boolean {
    return this.configs.has(node) || this.#inTransition.has(node);
  }

  async #work(node: string): Promise<void> {
    if (!this.#matters(node)) return;
    if (await this.#leads()) await this.#reconcile(node);
    else this.#queue.addAfter(node, RETRY_MS);
  }

  async #collect(): Promise<void> {
    this.#queue.addAfter(COLLECT, this.#configMaps.collectMs);
    if (this.#configMaps.mayCollect && (await this.#leads())) await this.#configMaps.collect();
  }

  /** Whether this controller is the one that acts. */
  async #leads(): Promise<boolean> {
    const { lease, log } = this.#options;
    try {
      await holding(lease);
      this.#isFollower = false;
      return true;
    } catch (error) {
      if (!(error instanceof LeaseError)) throw error;
      if (!this.#isFollower) log.info({ why: error.message }, 'partitions are not changed by this controller');
      this.#isFollower = true;
      return false;
    }
  }

  async #reconcile(name: string): Promise<void> {
    const { settings, clock, state } = this.#options;
    const now = clock.monotonic();
    const node = this.#node(name);
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
    const wanted = enabled && config ? desiredStateOf(config, node, defaultProfile) : undefined;
    const phase = phaseOf(node);
    const memory = this.#phases.get(name);
    const since = memory?.phase === phase ? memory.since : now;
    if (memory?.phase !== phase) this.#phases.set(name, { phase, since });
    const changing = new Set([...this.#inTransition, ...this.#beginning]);
    const step = nextStep({
      node,
      desired: wanted?.desired,
      gpuPods: this.#pods.on(name),
      elapsed: now - since,
      age: this.#configMaps.ages(),
      mayBegin: changing.has(name) || changing.size < most(state.nodes.size),
      drainGivenUp: this.#hasGivenUp(name, config, times.retry),
      times,
    });
    const phaseStatus = step.phaseStatus ?? wanted?.phaseStatus;
    const outcome = await this.#perform(name, config, step);
    if (!config) return;
    if (outcome.phaseStatus) await this.#reports.report(config, outcome.phaseStatus);
    // What follows at once is reported at once: people only read where it comes to a rest.
    else if (phaseStatus && (step.do === 'nothing' || step.do === 'evict')) {
      const { addition } = outcome;
      const message = addition === undefined ? phaseStatus.message : `${phaseStatus.message}; ${addition}`;
      await this.#reports.report(config, wanted?.phaseStatus ?? { ...phaseStatus, message }, wanted?.rejection);
    }
  }

  #hasGivenUp(name: string, config: NodeConfig | undefined, ms: number): boolean {
    const last = this.#drainsGivenUp.get(name);
    return last !== undefined && last.desired === desiredKey(config) && this.#options.clock.monotonic() - last.at < ms;
  }

  /** The step, and when the node is looked at again. */
  async #perform(name: string, config: NodeConfig | undefined, step: Step): Promise<Outcome> {
    if (step.do === 'nothing' && step.waitsForTurn) this.#queued.add(name);
    // Before the step, which may take its time or fail.
    if ((step.do === 'nothing' || step.do === 'evict') && step.wakeMs !== undefined)
      this.#queue.addAfter(name, step.wakeMs);
    const outcome = begins(step)
      ? await this.#performBegin(name, config, step)
      : await this.#performer.perform(name, config, step);
    if (outcome.wakeMs !== undefined) this.#queue.addAfter(name, outcome.wakeMs);
    if (step.do === 'patch' && step.gaveUpDrain && !outcome.isOutdated) {
      this.#drainsGivenUp.set(name, { at: this.#options.clock.monotonic(), desired: desiredKey(config) });
    }
    return outcome;
  }

  /** The node counts as in transition from here on; if it could not begin after all, others have waited for it. */
  async #performBegin(name: string, config: NodeConfig | undefined, step: Step): Promise<Outcome> {
    this.#beginning.add(name);
    let hasBegun = false;
    try {
      const outcome = await this.#performer.perform(name, config, step);
      hasBegun = !outcome.isOutdated;
      return outcome;
    } finally {
      this.#beginning.delete(name);
      if (!hasBegun) this.#nextInQueue();
    }
  }
}

function begins(step: Step): boolean {
  return step.do === 'patch' && step.action === 'begin';
}

function desiredKey(config: NodeConfig | undefined): string {
  return `${config?.uid} ${config?.generation}`;
}
