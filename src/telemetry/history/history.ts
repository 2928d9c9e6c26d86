/**
 * How workloads used their GPUs before, kept up to date in the background. Whoever asks gets what is known at that
 * moment: nobody ever waits for Prometheus.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Workload, workloadKey } from '../../api/workload.ts';
import type { WorkloadHistory } from '../../core/admission/facts.ts';
import type { Logger } from '../logger.ts';
import type { HistoryMetrics } from '../metrics.ts';
import type { Prometheus } from './prometheus.ts';
import { type Answers, historiesOf, QUERIES } from './utilisation.ts';

export interface HistoryOptions {
  readonly prometheus: Pick<Prometheus, 'query'>;
  readonly refreshMs: number;
  readonly log: Logger;
  readonly metrics: HistoryMetrics;
  /** ms of a clock that never goes back. */
  readonly now: () => number;
}

/** Figures older than this are of no use any more. */
const KEEP_MS = 24 * 3_600_000;
/** After a failure it is asked sooner. */
const RETRY_MS = 60_000;

/** What is known of a workload's past, or why nothing is. */
export type Past =
  | { readonly known: true; readonly history: WorkloadHistory }
  | { readonly known: false; readonly why: string };

export class History {
  readonly #options: HistoryOptions;
  readonly #stopping = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  #histories: ReadonlyMap<string, WorkloadHistory> = new Map();
  #refreshedAt: number | undefined;
  #running: Promise<void> | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** Resolves once Prometheus has answered; never before. */
  get known(): Promise<void> {
    return this.#first.promise;
  }

  of(workload: Workload): Past {
    if (this.#refreshedAt === undefined) return { known: false, why: 'Prometheus has not answered yet' };
    if (this.#options.now() - this.#refreshedAt > KEEP_MS) {
      return { known: false, why: 'Prometheus has not answered for a day' };
    }
    const history = this.#histories.get(workloadKey(workload));
    if (history) return { known: true, history };
    return { known: false, why: `nothing is known of ${workload.kind} ${workload.name}` };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { refreshMs, log, metrics, now } = this.#options;
    const { signal } = this.#stopping;
    let told: string | undefined;
    while (!signal.aborted) {
      let delayMs = refreshMs;
      try {
        this.#histories = historiesOf(await this.#ask(), this.#histories);
        this.#refreshedAt = now();
        this.#first.resolve();
        metrics.refreshes.inc({ result: 'answered' });
        metrics.workloads.set(this.#histories.size);
        if (told !== undefined) log.info('Prometheus answers again');
        told = undefined;
      } catch (error) {
        if (signal.aborted) return;
        const { message } = error as Error;
        delayMs = Math.min(refreshMs, RETRY_MS);
        metrics.refreshes.inc({ result: 'failed' });
        // Said once, not at every try.
        if (told !== message)
          log.warn({ error: message }, 'Prometheus does not tell the history: decisions do without');
        told = message;
      }
      await sleep(delayMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** One query after the other: Prometheus has others to serve. */
  async #ask(): Promise<Answers> {
    const { prometheus } = this.#options;
    const { signal } = this.#stopping;
    const all = async (queries: readonly string[]) => {
      const answers = [];
      for (const query of queries) answers.push(await prometheus.query(query, signal));
      return answers;
    };
    return {
      sum: await all(QUERIES.sum),
      count: await all(QUERIES.count),
      p95: await all(QUERIES.p95),
      peak: await prometheus.query(QUERIES.peak, signal),
    };
  }
}
