/** Keeps the status of each GPUSharingPolicy true: a write only where it changes. */

import { CUSTOM_RESOURCES } from '../api/keys.ts';
import type { Clock } from '../kube/clock.ts';
import { type KubeClient, KubeError, MERGE_PATCH } from '../kube/kube-client.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { AdmissionView } from '../state/evaluate-admission.ts';
import { sameOffer } from '../state/node-record.ts';
import { PodsByPolicy } from '../state/pods-by-policy.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AuditMetrics } from './metrics.ts';
import { policyStatus } from './policy-status.ts';

export interface PolicyStatusWriterOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly state: ClusterState;
  readonly view: () => AdmissionView;
  readonly log: Logger;
  readonly metrics: Pick<AuditMetrics, 'statusWrites'>;
  readonly clock: Clock;
  /** ms from a change to the write; many changes are one. */
  readonly settleMs: number;
}

export class PolicyStatusWriter {
  readonly #options: PolicyStatusWriterOptions;
  readonly #queue: WorkQueue;
  readonly #pods: PodsByPolicy;

  constructor(options: PolicyStatusWriterOptions) {
    const { state, log, clock, settleMs } = options;
    this.#options = options;
    this.#queue = new WorkQueue({
      work: (name) => this.#write(name),
      failed: (policy, error) =>
        log.warn({ policy, error: error.message }, 'could not write to the API server, trying again'),
      backoff: { baseMs: 5_000, maxMs: 60_000 },
      clock,
    });
    this.#pods = new PodsByPolicy(state.pods, (policy) => this.#queue.addAfter(policy, settleMs));
    state.policies.follow(({ key }) => this.#queue.addAfter(key, settleMs));
    // What nodes offer decides whether a policy can be enforced.
    state.nodes.follow(({ before, after }) => {
      if (!sameOffer(before, after)) this.lookAgain();
    });
  }

  /** Everything has been listed: half of the picture would say that pods and nodes are gone. */
  begin(): void {
    this.lookAgain();
    this.#queue.start();
  }

  /** Something that concerns all policies has changed. */
  lookAgain(): void {
    const { state, settleMs } = this.#options;
    for (const { name } of state.policies.values()) this.#queue.addAfter(name, settleMs);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #write(name: string): Promise<void> {
    const { client, state, view, metrics, clock } = this.#options;
    const policy = state.policies.get(name);
    const status = policy && policyStatus(policy, this.#pods.governedBy(name), view(), clock.now());
    if (!status) return;
    const path = `${CUSTOM_RESOURCES.policies}/${encodeURIComponent(name)}/status`;
    try {
      const call = { body: { status }, contentType: MERGE_PATCH };
      state.policies.accept(await client.json('PATCH', path, call));
      metrics.statusWrites.inc();
    } catch (error) {
      // Deleted in the meantime: it needs no status.
      if (!(error instanceof KubeError) || error.status !== 404) throw error;
    }
  }
}
