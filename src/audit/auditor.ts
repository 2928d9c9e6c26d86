/** Looks for pods that slipped past the webhook, a while after whatever may have changed the answer, and reports them. */

import type { Clock } from '../kube/clock.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { AdmissionView } from '../state/evaluate-admission.ts';
import { sameOffer } from '../state/node-record.ts';
import { UnmutatedPods } from '../state/unmutated-pods.ts';
import type { Logger } from '../telemetry/logger.ts';
import { audit, type MissedPod, type UnclearPod } from './audit.ts';
import type { AuditReporter } from './audit-reporter.ts';

export interface AuditorOptions {
  readonly state: ClusterState;
  readonly view: () => AdmissionView;
  /** Resolves when the history of workloads is known, if any is kept: without its past a pod might seem to share. */
  readonly historyKnown: () => Promise<unknown>;
  readonly reporter: Pick<AuditReporter, 'report'>;
  readonly log: Logger;
  readonly clock: Clock;
  /** ms from a change to the look; many changes are one. */
  readonly settleMs: number;
}

/** The one key of the queue. */
const LOOK = 'look';

export class Auditor {
  readonly #options: AuditorOptions;
  readonly #queue: WorkQueue;
  readonly #pods: UnmutatedPods;
  /** What was found so far, by uid. */
  readonly #missed = new Map<string, MissedPod>();
  readonly #unclear = new Map<string, UnclearPod>();
  /** Pods that are to be judged; `all` of them once what decisions are made from has changed. */
  #due: Set<string> | 'all' = 'all';

  constructor(options: AuditorOptions) {
    const { state, log, clock } = options;
    this.#options = options;
    this.#queue = new WorkQueue({
      work: () => this.#look(),
      failed: (_key, error) => log.warn({ error: error.message }, 'could not write to the API server, trying again'),
      backoff: { baseMs: 5_000, maxMs: 60_000 },
      clock,
    });
    this.#pods = new UnmutatedPods(state.pods, (uid) => {
      if (this.#due !== 'all') this.#due.add(uid);
      this.#lookSoon();
    });
    state.nodes.follow(({ before, after }) => {
      if (!sameOffer(before, after)) this.lookAgain();
    });
    const { policies, namespaces, limitRanges, quotas, queues } = state;
    const { localQueues, clusterQueues } = queues;
    for (const store of [policies, namespaces, limitRanges, quotas, localQueues, clusterQueues])
      store.follow(() => this.lookAgain());
  }

  /** Everything has been listed. */
  begin(): void {
    this.lookAgain();
    this.#queue.start();
  }

  /** Something that decisions are made from has changed. */
  lookAgain(): void {
    this.#due = 'all';
    this.#lookSoon();
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  #lookSoon(): void {
    this.#queue.addAfter(LOOK, this.#options.settleMs);
  }

  async #look(): Promise<void> {
    const { view, historyKnown, reporter } = this.#options;
    await historyKnown();
    await this.#judge(view());
    await reporter.report({ missed: [...this.#missed.values()], unclear: [...this.#unclear.values()] });
  }

  async #judge(view: AdmissionView): Promise<void> {
    const due = this.#due;
    this.#due = new Set();
    const pods = due === 'all' ? this.#pods.all() : [...due].flatMap((uid) => this.#pods.get(uid) ?? []);
    const { missed, unclear } = await audit(pods, view).catch((error: unknown) => {
      this.#due = 'all';
      throw error;
    });
    for (const found of [this.#missed, this.#unclear]) {
      if (due === 'all') found.clear();
      else for (const uid of due) found.delete(uid);
    }
    for (const pod of missed) this.#missed.set(pod.uid, pod);
    for (const pod of unclear) this.#unclear.set(pod.uid, pod);
  }
}
