/**
 * Answers pods that cannot be placed: plans (`core/partitioning`), and asks for what is planned by GPUNodeConfigs of its
 * own, or only recommends it. The reconciler carries them out.
 */

import { type Configuration, milliseconds } from '../api/configuration.ts';
import { describePartition } from '../core/partitioning/partition.ts';
import { plan } from '../core/partitioning/plan.ts';
import type { Change, Plan, PlanningNode } from '../core/partitioning/plan-input.ts';
import type { Clock } from '../kube/clock.ts';
import type { EventRecorder } from '../kube/event-recorder.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { holding, type Lease, LeaseError } from '../kube/lease.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { AdmissionView } from '../state/evaluate-admission.ts';
import { NodeConfigs } from '../state/node-configs.ts';
import { type PendingPod, PendingPods } from '../state/pending-pods.ts';
import { UnknownHolders } from '../state/unknown-holders.ts';
import type { Logger } from '../telemetry/logger.ts';
import { Batcher } from './batcher.ts';
import { ChangeOutcomes } from './change-outcomes.ts';
import { demandsOf } from './demands.ts';
import type { PlannerMetrics } from './metrics.ts';
import { applyChange, isOutdated } from './node-config-writer.ts';
import { PlanEvents } from './plan-events.ts';
import { planningNodeOf } from './planning-node.ts';

export interface PlannerOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly lease: Pick<Lease, 'hold' | 'isHeld'>;
  /** Must keep pods without GPUs as well: their cpu and memory count. */
  readonly state: ClusterState;
  /** Takes what would be made of nodes, if we might: by node, a sentence. */
  readonly recommend: (all: ReadonlyMap<string, string>) => void;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly view: () => AdmissionView;
  readonly configuration: () => Configuration;
  readonly log: Logger;
  readonly metrics: PlannerMetrics;
  readonly clock: Clock;
  /** For tests on nodes whose clock runs that much faster; default 1. */
  readonly speed?: number | undefined;
}

/** While pods wait, time alone may change the answer: a node has rested, another process has written. */
const AGAIN_MS = 60_000;
const RETRY_MS = 5_000;
/** The one key of the queue. */
const PLAN = 'plan';

export class Planner {
  readonly #options: PlannerOptions;
  readonly #configs: NodeConfigs;
  readonly #unknownHolders: UnknownHolders;
  readonly #pending: PendingPods;
  readonly #batch = new Batcher();
  readonly #outcomes: ChangeOutcomes;
  readonly #events: PlanEvents;
  readonly #queue: WorkQueue;

  constructor(options: PlannerOptions) {
    const { state, log, clock, speed } = options;
    this.#options = options;
    this.#outcomes = new ChangeOutcomes(state, clock, speed);
    this.#configs = new NodeConfigs(state.nodeConfigs, () => {});
    this.#unknownHolders = new UnknownHolders(state.pods);
    this.#events = new PlanEvents(options);
    this.#queue = new WorkQueue({
      work: () => this.#work(),
      // The API server does not answer, and the next round is not far.
      failed: (_key, error) => log.warn({ error: error.message }, 'planner: could not go on, trying again'),
      backoff: { baseMs: RETRY_MS, maxMs: RETRY_MS },
      clock,
    });
    this.#pending = new PendingPods(state.pods, () => this.#changed());
    // Views that plans are made from: they follow from the first object on.
    void state.ledger;
    void state.usage;
  }

  /** Everything has been listed: from now on it plans. */
  begin(): void {
    this.#changed();
    this.#queue.start();
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  #changed(): void {
    if (this.#pending.size === 0) {
      this.#batch.clear();
      this.#queue.remove(PLAN);
      this.#recommend([]);
      return;
    }
    this.#batch.add(this.#options.clock.monotonic());
    this.#queue.addAfter(PLAN, this.#due() ?? 0);
  }

  /** ms until it is time to plan; undefined if nothing has changed. */
  #due(): number | undefined {
    const { configuration, clock, speed = 1 } = this.#options;
    const { idle, longest } = configuration().reconciler.planner;
    const times = { idleDuration: milliseconds(idle) / speed, maxDuration: milliseconds(longest) / speed };
    return this.#batch.due(clock.monotonic(), times);
  }

  async #work(): Promise<void> {
    const { lease, speed = 1 } = this.#options;
    const due = this.#due() ?? 0;
    if (due > 0) {
      this.#queue.addAfter(PLAN, due);
      return;
    }
    this.#batch.clear();
    if (this.#pending.size === 0) {
      this.#recommend([]);
      return;
    }
    try {
      await holding(lease);
      await this.#answer(this.#pending.inOrder());
    } catch (error) {
      // Another controller plans.
      if (!(error instanceof LeaseError)) throw error;
    }
    if (this.#pending.size > 0) this.#queue.addAfter(PLAN, AGAIN_MS / speed);
  }

  async #answer(pods: readonly PendingPod[]): Promise<void> {
    const { state, view, clock, log, metrics } = this.#options;
    const started = clock.monotonic();
    const { planned, refused: unsure } = this.#outcomes.admit(pods);
    const { demands, refused: unplanned } = demandsOf(planned, state.usage, view());
    const found = plan({ nodes: this.#planningNodes(), demands });
    metrics.duration.observe((clock.monotonic() - started) / 1_000);
    const toDo = found.changes.filter(({ recommendOnly }) => recommendOnly === undefined);
    const recommended = found.changes.filter(({ recommendOnly }) => recommendOnly !== undefined);
    let done = 0;
    for (const change of toDo) if (await this.#apply(change)) done += 1;
    const refused = [...found.refused, ...unplanned, ...unsure];
    const level = done > 0 || refused.length > 0 ? 'info' : 'debug';
    log[level](
      {
        pending: pods.length,
        changes: done,
        recommended: recommended.length,
        servedByFree: found.servedByFree.length,
        refused: refused.reduce((sum, each) => sum + each.pods.length, 0),
      },
      `planner: ${pods.length} pods wait for GPUs`,
    );
    this.#gauge(found);
    this.#recommend(recommended);
    await this.#events.record(pods, recommended, refused);
  }

  #planningNodes(): PlanningNode[] {
    const { state, configuration, clock } = this.#options;
    const now = clock.now().getTime();
    const nodes: PlanningNode[] = [];
    for (const { name, inventory, labels, observed } of state.nodes.values()) {
      if (!inventory) continue;
      const held = new Map<string, number>();
      for (const { holdings } of state.ledger.allocationsOn(name)) {
        for (const { resource, count } of holdings) held.set(resource, (held.get(resource) ?? 0) + count);
      }
      const [config] = this.#configs.of(name);
      const users = [...state.ledger.users(name)];
      const holdsUnknown = this.#unknownHolders.has(name);
      const servedNobody = held.size === 0 && this.#outcomes.servedNobody(name);
      const facts = { inventory, labels, observed, config, held, holdsUnknown, users, servedNobody };
      nodes.push(planningNodeOf(facts, configuration(), now));
    }
    return nodes;
  }

  /** False if another client was quicker. */
  async #apply(change: Change): Promise<boolean> {
    const { client, lease, state, clock, log, metrics } = this.#options;
    const [existing] = this.#configs.of(change.node);
    try {
      const stored = await applyChange(change, {
        client,
        maySend: () => lease.isHeld,
        now: clock.now(),
        existing,
        isTaken: (name) => state.nodeConfigs.get(name) !== undefined,
      });
      // What was just written is on its way: the next plan must know of it.
      const config = state.nodeConfigs.accept(stored);
      if (config) this.#outcomes.asked(change.node, config, change.serves.map(namespaceOf));
      log.info(
        { node: change.node, to: describePartition(change.to), serves: change.serves.length },
        `planner: ${change.why}`,
      );
      metrics.changes.inc({ result: 'carried-out' });
      if (config) await this.#events.planned(config, change);
      return true;
    } catch (error) {
      if (!isOutdated(error)) throw error;
      metrics.changes.inc({ result: 'outdated' });
      log.info({ node: change.node, why: (error as Error).message }, 'planner: the node is planned for again');
      return false;
    }
  }

  #recommend(recommended: readonly Change[]): void {
    this.#options.recommend(
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

/** Of `namespace/name`. */
function namespaceOf(pod: string): string {
  return pod.slice(0, pod.indexOf('/'));
}
