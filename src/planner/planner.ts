/**
 * Answers pods that cannot be placed: plans (`core/planning`), and asks for what is planned by GPUNodeConfigs of its own,
 * or only recommends it. The reconciler carries them out.
 */

import { type Configuration, milliseconds } from '../api/configuration.ts';
import { parseNodeConfig } from '../api/node-config.ts';
import { describePartition } from '../core/partitioning/partition.ts';
import { plan } from '../core/partitioning/plan.ts';
import type { Change, Plan, PlanningNode } from '../core/partitioning/plan-input.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { holding, type Lease, LeaseError } from '../kube/lease.ts';
import type { Reconciler } from '../reconciler/reconciler.ts';
import { ClusterState, type Feed, type OnInvalidObject } from '../state/cluster-state.ts';
import type { AdmissionView } from '../state/evaluate-admission.ts';
import { fanOut } from '../state/fan-out.ts';
import { NodeResourceUsage } from '../state/node-resource-usage.ts';
import { type PendingPod, PendingPods } from '../state/pending-pods.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { PlannerMetrics } from '../telemetry/metrics.ts';
import { Batcher } from './batcher.ts';
import { demandsOf, refuseSeveral } from './demands.ts';
import { applyChange, isOutdated } from './node-config-writer.ts';
import { PlanEvents } from './plan-events.ts';
import { planningNodeOf } from './planning-node.ts';

export interface PlannerOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly lease: Pick<Lease, 'hold' | 'isHeld'>;
  readonly reconciler: Pick<Reconciler, 'nodes' | 'configs' | 'recommend'>;
  readonly view: () => AdmissionView;
  readonly configuration: () => Configuration;
  readonly complain: OnInvalidObject;
  readonly log: Logger;
  readonly metrics: PlannerMetrics;
  /** ms of a clock that never goes back. */
  readonly now: () => number;
  readonly date: () => Date;
  /** For tests on nodes whose clock runs that much faster; default 1. */
  readonly speed?: number | undefined;
}

/** While pods wait, time alone may change the answer: a node has rested, another process has written. */
const AGAIN_MS = 60_000;

export class Planner {
  readonly nodes: Feed;
  readonly pods: Feed;
  readonly #options: PlannerOptions;
  readonly #state: ClusterState;
  readonly #hosts = new NodeResourceUsage();
  readonly #pending: PendingPods;
  readonly #batch = new Batcher();
  readonly #news: PlanEvents;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #ready = false;

  constructor(options: PlannerOptions) {
    this.#options = options;
    this.#state = new ClusterState(options.complain);
    this.#pending = new PendingPods(() => this.#changed());
    this.#news = new PlanEvents(options);
    this.nodes = fanOut(this.#state.nodes, this.#hosts.nodes);
    this.pods = fanOut(this.#state.pods, this.#hosts.pods, this.#pending.feed);
  }

  /** Everything has been listed. */
  begin(): void {
    this.#ready = true;
    this.#changed();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #changed(): void {
    if (this.#pending.size === 0) {
      this.#batch.clear();
      this.#recommend([]);
      return;
    }
    this.#batch.add(this.#options.now());
    this.#schedule();
  }

  #schedule(atMost = Number.POSITIVE_INFINITY): void {
    const { configuration, now, speed = 1 } = this.#options;
    if (!this.#ready || this.#stopped || this.#running) return;
    const { idle, longest } = configuration().reconciler.planner;
    const times = { idleDuration: milliseconds(idle) / speed, maxDuration: milliseconds(longest) / speed };
    const due = Math.min(atMost, this.#batch.due(now(), times) ?? Number.POSITIVE_INFINITY);
    clearTimeout(this.#timer);
    if (due === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
        this.#schedule(this.#pending.size > 0 ? AGAIN_MS / speed : undefined);
      });
    }, due);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    const { lease, log } = this.#options;
    this.#batch.clear();
    if (this.#pending.size === 0) {
      this.#recommend([]);
      return;
    }
    try {
      await holding(lease);
      await this.#answer(this.#pending.inOrder());
    } catch (error) {
      // Another controller plans; or the API server does not answer, and the next round is not far.
      if (error instanceof LeaseError) return;
      log.warn({ error: (error as Error).message }, 'planner: could not go on, trying again');
    }
  }

  async #answer(pods: readonly PendingPod[]): Promise<void> {
    const { view, now, log, metrics } = this.#options;
    const started = now();
    const { demands, several } = demandsOf(pods, this.#hosts, view());
    const found = plan({ nodes: this.#planningNodes(), demands });
    metrics.duration.observe((now() - started) / 1_000);
    const toDo = found.changes.filter(({ recommendOnly }) => recommendOnly === undefined);
    let done = 0;
    for (const change of toDo) if (await this.#carryOut(change)) done += 1;
    const refused = [...found.refused, ...(several.length > 0 ? [refuseSeveral(several)] : [])];
    const level = done > 0 || refused.length > 0 ? 'info' : 'debug';
    log[level](
      {
        pending: pods.length,
        changes: done,
        recommended: found.changes.length - toDo.length,
        servedByFree: found.servedByFree.length,
        refused: refused.reduce((sum, each) => sum + each.pods.length, 0),
      },
      `planner: ${pods.length} pods wait for GPUs`,
    );
    this.#gauge(found);
    this.#recommend(found.changes);
    await this.#news.tell(
      pods,
      found.changes.filter(({ recommendOnly }) => recommendOnly !== undefined),
      refused,
    );
  }

  #planningNodes(): PlanningNode[] {
    const { reconciler, configuration, date } = this.#options;
    const now = date().getTime();
    const nodes: PlanningNode[] = [];
    for (const observed of reconciler.nodes.all()) {
      const { name } = observed;
      const inventory = this.#state.ledger.load(name)?.inventory;
      if (!inventory) continue;
      const held = new Map<string, number>();
      for (const { holdings } of this.#state.ledger.allocationsOn(name)) {
        for (const { resource, count } of holdings) held.set(resource, (held.get(resource) ?? 0) + count);
      }
      const [config] = reconciler.configs.of(name);
      const facts = { inventory, labels: this.#hosts.labelsOf(name), observed, config, held };
      nodes.push(planningNodeOf(facts, configuration(), now));
    }
    return nodes;
  }

  /** False if somebody was quicker. */
  async #carryOut(change: Change): Promise<boolean> {
    const { client, lease, reconciler, date, log, metrics } = this.#options;
    const [existing] = reconciler.configs.of(change.node);
    try {
      const stored = await applyChange(change, {
        client,
        maySend: () => lease.isHeld,
        now: date(),
        existing,
        isTaken: (name) => reconciler.configs.get(name) !== undefined,
      });
      // What was just written is on its way: the next plan must know of it.
      reconciler.configs.feed.changed(stored);
      const config = parseNodeConfig(stored);
      log.info(
        { node: change.node, to: describePartition(change.to), serves: change.serves.length },
        `planner: ${change.why}`,
      );
      metrics.changes.inc({ result: 'carried-out' });
      if (config) await this.#news.planned(config, change);
      return true;
    } catch (error) {
      if (!isOutdated(error)) throw error;
      metrics.changes.inc({ result: 'outdated' });
      log.info({ node: change.node, why: (error as Error).message }, 'planner: the node is planned for anew');
      return false;
    }
  }

  #recommend(changes: readonly Change[]): void {
    const recommended = changes.filter(({ recommendOnly }) => recommendOnly !== undefined);
    this.#options.reconciler.recommend(
      new Map(recommended.map(({ node, to, why }) => [node, `${describePartition(to)}: ${why}`])),
    );
  }

  #gauge({ changes, servedByFree, refused }: Plan): void {
    const { metrics } = this.#options;
    metrics.pods.set({ answer: 'free' }, servedByFree.length);
    metrics.pods.set(
      { answer: 'change' },
      changes.reduce((sum, { serves }) => sum + serves.length, 0),
    );
    metrics.pods.set(
      { answer: 'refused' },
      refused.reduce((sum, { pods }) => sum + pods.length, 0),
    );
  }
}
