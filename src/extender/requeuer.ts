/**
 * kube-scheduler and we watch the same objects, and it may be ahead: it hears of a change, asks about
 * a pod, is refused because we have not heard yet, and asks no more until something else happens,
 * which may take five minutes. So a pod that was refused everywhere is looked at again a moment
 * later; if it fits by then, its status is touched, and kube-scheduler puts it back into its queue.
 *
 * The same helps a preemptor that kube-scheduler has lost. Since 1.33 it evicts in the background; tried again while that
 * goes on, the preemptor may evict pods that have gone meanwhile, and waits for an event that has been
 * (https://github.com/kubernetes/kubernetes/issues/141694).
 */

import { CONDITIONS, WRITTEN } from '../api/keys.ts';
import { type DelegatedResources, NONE_DELEGATED } from '../core/fit.ts';
import type { Ledger, LedgerNode } from '../core/ledger.ts';
import type { GpuRequest } from '../core/request.ts';
import type { Clock } from '../kube/clock.ts';
import { type KubeClient, STRATEGIC_MERGE_PATCH } from '../kube/kube-client.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { EquivalenceCache } from './equivalence-cache.ts';
import type { ExtenderMetrics } from './metrics.ts';

export interface RequeuerOptions {
  readonly ledger: Ledger;
  readonly equivalenceCache: Pick<EquivalenceCache, 'of'>;
  readonly delegated?: Pick<DelegatedResources, 'changes'>;
  readonly client: Pick<KubeClient, 'json'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly metrics: Pick<ExtenderMetrics, 'secondLooks'>;
  readonly clock: Clock;
}

export interface RefusedPod {
  readonly uid: string;
  /** `namespace/name`. */
  readonly key: string;
  readonly request: GpuRequest;
}

/** A refusal by all nodes that were asked about. */
interface Refusal {
  readonly pod: RefusedPod;
  readonly nodes: readonly string[];
  /** Nodes from which pods are to go for it. */
  readonly preempted: readonly string[];
  /** Changes of the ledger until then. */
  readonly at: number;
  /** Changes of what DRA serves until then. */
  readonly delegations: number;
  /** Looks that are still to come, ms each. */
  readonly looks: number[];
}

/** ms after the refusal, one after the other: a watch is behind by milliseconds, or broken and resumed. */
const LOOKS_MS = [300, 3_000] as const;
/** Each keeps the names of its nodes; one that is bound after all has kube-scheduler try all others again. */
const MAX_CONCURRENT = 200;

export class Requeuer {
  readonly #options: RequeuerOptions;
  readonly #queue: WorkQueue;
  /** By uid, what was refused last: kube-scheduler's own new try ends an earlier one. */
  readonly #refused = new Map<string, Refusal>();

  constructor(options: RequeuerOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      work: (uid) => this.#look(uid),
      // Whatever could not be written has been reported: kube-scheduler tries again by itself, only later.
      failed: () => {},
      concurrency: 8,
      backoff: { baseMs: LOOKS_MS[1], maxMs: LOOKS_MS[1] },
      clock: options.clock,
    });
    this.#queue.start();
  }

  /** filter has answered; without any node that passed, it may have been too early. */
  filtered(pod: RefusedPod, refused: boolean, nodes: readonly string[]): void {
    this.#forget(pod.uid);
    if (refused) this.#lookAfter({ pod, nodes, preempted: [], ...this.#now() });
  }

  /** preempt has answered, and left these nodes, from which pods go now or have gone. */
  preempting(pod: RefusedPod, preempted: readonly string[]): void {
    if (preempted.length === 0) return;
    const { nodes = [], at, delegations } = this.#refused.get(pod.uid) ?? this.#now();
    this.#forget(pod.uid);
    this.#lookAfter({ pod, nodes, preempted, at, delegations });
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  /** What a change since is told by. */
  #now(): Pick<Refusal, 'at' | 'delegations'> & { readonly nodes?: readonly string[] } {
    const { ledger, delegated = NONE_DELEGATED } = this.#options;
    return { at: ledger.changes, delegations: delegated.changes };
  }

  #forget(uid: string): void {
    this.#refused.delete(uid);
    this.#queue.remove(uid);
  }

  #lookAfter(refusal: Omit<Refusal, 'looks'>): void {
    if (this.#refused.size >= MAX_CONCURRENT) return;
    const [first, ...looks] = LOOKS_MS;
    this.#refused.set(refusal.pod.uid, { ...refusal, looks });
    this.#queue.addAfter(refusal.pod.uid, first);
  }

  async #look(uid: string): Promise<void> {
    const refusal = this.#refused.get(uid);
    if (!refusal) return;
    const node = this.#nodeWithRoom(refusal);
    const next = refusal.looks.shift();
    if (node === undefined && next !== undefined) {
      this.#queue.addAfter(uid, next);
      return;
    }
    this.#refused.delete(uid);
    if (node !== undefined) await this.#touch(refusal.pod, node);
  }

  /** A node that has changed since, and fits now; or one from which the victims have gone, before or since. */
  #nodeWithRoom({ pod, nodes, preempted, at, delegations }: Refusal): string | undefined {
    const { ledger, equivalenceCache, delegated = NONE_DELEGATED } = this.#options;
    const isServedAnew = delegated.changes !== delegations;
    if (ledger.changes === at && !isServedAnew && preempted.length === 0) return undefined;
    const table = equivalenceCache.of(pod.request);
    const hasChanged = (node: LedgerNode | undefined) => isServedAnew || (node !== undefined && node.version > at);
    const changed = ledger.findAll(nodes).findIndex((node) => hasChanged(node) && !table.refusalOf(node));
    return nodes[changed] ?? ledger.findAll(preempted).find((each) => each && !table.refusalOf(each))?.name;
  }

  /**
   * Has kube-scheduler try a pod again that we refused, and none but that pod. Since 1.32 any change of the pod does that;
   * before, one of its status does not, and it is the annotation that counts. Both go with the right to write the status.
   */
  async #touch({ uid, key }: RefusedPod, node: string): Promise<void> {
    const { client, log, metrics, clock } = this.#options;
    const [namespace = '', name = ''] = key.split('/').map(encodeURIComponent);
    const now = clock.now().toISOString();
    const condition = {
      type: CONDITIONS.secondLook,
      status: 'True',
      reason: 'NodeChanged',
      message: `${node} has changed while the pod was tried`,
      lastTransitionTime: now,
    };
    // A pod that has gone, or another of its name, is none that waits.
    const body = { metadata: { uid, annotations: { [WRITTEN.secondLook]: now } }, status: { conditions: [condition] } };
    const contentType = STRATEGIC_MERGE_PATCH;
    try {
      await client.json('PATCH', `/api/v1/namespaces/${namespace}/pods/${name}/status`, { body, contentType });
      metrics.secondLooks.inc({ result: 'told' });
      log.info({ pod: key, node }, 'refused too early, kube-scheduler will try again');
    } catch (error) {
      metrics.secondLooks.inc({ result: 'failed' });
      log.warn({ pod: key, node, why: (error as Error).message }, 'refused too early, and could not be requeued');
    }
  }
}
