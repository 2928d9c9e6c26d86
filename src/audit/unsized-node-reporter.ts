/** Nodes whose slots have no known size are reported, each once while it stays so: pods wait for them without another sign. */

import { nodeSubject } from '../api/events.ts';
import type { Clock } from '../kube/clock.ts';
import type { EventRecorder } from '../kube/event-recorder.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import type { NodeRecord } from '../state/node-record.ts';
import type { Store } from '../state/store.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AuditMetrics } from './metrics.ts';

export interface UnsizedNodeReporterOptions {
  readonly state: { readonly nodes: Pick<Store<NodeRecord>, 'follow' | 'get'> };
  readonly events: Pick<EventRecorder, 'recordOnce'>;
  readonly log: Logger;
  readonly metrics: Pick<AuditMetrics, 'unsizedNodes'>;
  readonly clock: Clock;
}

export class UnsizedNodeReporter {
  readonly #options: UnsizedNodeReporterOptions;
  readonly #queue: WorkQueue;
  /** By node: why its slots have no known size. */
  readonly #reported = new Map<string, string>();

  constructor(options: UnsizedNodeReporterOptions) {
    const { state, log, clock } = options;
    this.#options = options;
    this.#queue = new WorkQueue({
      work: (name) => this.#look(name),
      failed: (node, error) => log.warn({ node, error: error.message }, 'an event could not be made, trying again'),
      backoff: { baseMs: 5_000, maxMs: 60_000 },
      clock,
    });
    state.nodes.follow(({ key, before, after }) => {
      if (before?.inventory?.unsized !== after?.inventory?.unsized) this.#queue.add(key);
    });
  }

  /** Everything has been listed. */
  begin(): void {
    this.#queue.start();
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #look(name: string): Promise<void> {
    const { state, events, log, metrics } = this.#options;
    const why = state.nodes.get(name)?.inventory?.unsized;
    if (why !== undefined && this.#reported.get(name) !== why) {
      const message = `the size of its GPU slots is not known (${why}): they are given only to pods that declare no need, and count as no GPU. GPU Feature Discovery on the node would tell`;
      await events.recordOnce(nodeSubject(name), 'SlotSizeUnknown', message);
      log.warn({ node: name, why }, 'the size of its GPU slots is not known');
      this.#reported.set(name, why);
    } else if (why === undefined) this.#reported.delete(name);
    metrics.unsizedNodes.set(this.#reported.size);
  }
}
