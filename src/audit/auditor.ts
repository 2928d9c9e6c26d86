/** Looks for pods that slipped past the webhook, a while after whatever may have changed the answer, and reports them. */

import type { Clock } from '../kube/clock.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { AdmissionView } from '../state/evaluate-admission.ts';
import { sameOffer } from '../state/node-record.ts';
import { UnmutatedPods } from '../state/unmutated-pods.ts';
import type { Logger } from '../telemetry/logger.ts';
import { audit } from './audit.ts';
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

  constructor(options: AuditorOptions) {
    const { state, log, clock } = options;
    this.#options = options;
    this.#queue = new WorkQueue({
      work: () => this.#look(),
      failed: (_key, error) => log.warn({ error: error.message }, 'could not write to the API server, trying again'),
      backoff: { baseMs: 5_000, maxMs: 60_000 },
      clock,
    });
    this.#pods = new UnmutatedPods(state.pods, () => this.lookAgain());
    state.nodes.follow(({ before, after }) => {
      if (!sameOffer(before, after)) this.lookAgain();
    });
    const { policies, namespaces, limitRanges, quotas } = state;
    for (const store of [policies, namespaces, limitRanges, quotas]) store.follow(() => this.lookAgain());
  }

  /** Everything has been listed. */
  begin(): void {
    this.lookAgain();
    this.#queue.start();
  }

  /** Something that decisions are made from has changed. */
  lookAgain(): void {
    this.#queue.addAfter(LOOK, this.#options.settleMs);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #look(): Promise<void> {
    const { view, historyKnown, reporter } = this.#options;
    await historyKnown();
    await reporter.report(await audit(this.#pods.all(), view()));
  }
}
