/**
 * kube-scheduler and we watch the same objects, and it may be ahead: it hears of a change, asks about
 * a pod, is refused because we have not heard yet, and asks no more until something else happens,
 * which may take five minutes. So a pod that was refused everywhere is looked at again a moment
 * later; if it fits by then, its status is touched, and kube-scheduler tries again.
 */

import { setTimeout as timeout } from 'node:timers/promises';
import { CONDITIONS } from '../api/keys.ts';
import type { Ledger } from '../core/ledger.ts';
import type { GpuRequest } from '../core/request.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ExtenderMetrics } from '../telemetry/metrics.ts';
import type { EquivalenceCache } from './equivalence-cache.ts';

export interface RequeuerOptions {
  readonly ledger: Ledger;
  readonly equivalenceCache: Pick<EquivalenceCache, 'of'>;
  readonly client: Pick<KubeClient, 'json'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly metrics: Pick<ExtenderMetrics, 'secondLooks'>;
  /** Ends all looks. */
  readonly signal: AbortSignal;
  readonly now?: () => Date;
  /** Resolves after so many ms, or rejects when the signal aborts. */
  readonly sleep?: (ms: number) => Promise<void>;
}

export interface RefusedPod {
  readonly uid: string;
  /** `namespace/name`. */
  readonly key: string;
  readonly request: GpuRequest;
}

/** ms after the refusal, one after the other: a watch is behind by milliseconds, or broken and resumed. */
const LOOKS_MS = [300, 3_000] as const;
/** Each keeps the names of its nodes; one that is bound after all has kube-scheduler try all others again. */
const MAX_CONCURRENT = 200;

export class Requeuer {
  readonly #options: RequeuerOptions;
  /** By uid, what was refused last: kube-scheduler's own new try makes an earlier one idle. */
  readonly #refused = new Map<string, object>();

  constructor(options: RequeuerOptions) {
    this.#options = options;
  }

  /** filter has answered; without any node that passed, it may have been too early. */
  filtered(pod: RefusedPod, refused: boolean, nodes: readonly string[]): void {
    this.#refused.delete(pod.uid);
    if (refused && this.#refused.size < MAX_CONCURRENT) void this.#look(pod, nodes);
  }

  async #look(pod: RefusedPod, nodes: readonly string[]): Promise<void> {
    const { ledger, equivalenceCache } = this.#options;
    const at = ledger.changes;
    const refusal = {};
    this.#refused.set(pod.uid, refusal);
    for (const ms of LOOKS_MS) {
      const slept = await this.#slept(ms);
      if (!slept || this.#refused.get(pod.uid) !== refusal) return;
      if (ledger.changes === at) continue;
      const table = equivalenceCache.of(pod.request);
      const node = ledger.findAll(nodes).find((each) => each && each.version > at && !table.refusalOf(each));
      if (node === undefined) continue;
      await this.#touch(pod, node.name);
      break;
    }
    this.#refused.delete(pod.uid);
  }

  /** Any change of its status has kube-scheduler try a pod again that we refused, and none but that pod. */
  async #touch({ uid, key }: RefusedPod, node: string): Promise<void> {
    const { client, log, metrics, now = () => new Date() } = this.#options;
    const [namespace = '', name = ''] = key.split('/').map(encodeURIComponent);
    const condition = {
      type: CONDITIONS.secondLook,
      status: 'True',
      reason: 'NodeChanged',
      message: `${node} has changed while the pod was tried`,
      lastTransitionTime: now().toISOString(),
    };
    // A pod that has gone, or another of its name, is none that waits.
    const body = { metadata: { uid }, status: { conditions: [condition] } };
    const contentType = 'application/strategic-merge-patch+json';
    try {
      await client.json('PATCH', `/api/v1/namespaces/${namespace}/pods/${name}/status`, { body, contentType });
      metrics.secondLooks.inc({ result: 'told' });
      log.info({ pod: key, node }, 'refused too early, kube-scheduler will try again');
    } catch (error) {
      metrics.secondLooks.inc({ result: 'failed' });
      log.warn({ pod: key, node, why: (error as Error).message }, 'refused too early, and it could not be told');
    }
  }

  /** False if it is time to end. */
  async #slept(ms: number): Promise<boolean> {
    const { signal, sleep = (ms) => timeout(ms, undefined, { signal, ref: false }) } = this.#options;
    await sleep(ms).catch(() => {});
    return !signal.aborted;
  }
}
