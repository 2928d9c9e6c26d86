/**
 * How workloads used their GPUs before, kept up to date in the background. Callers get what is known at that moment,
 * and never wait for Prometheus.
 */

import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { Workload } from '../../api/workload.ts';
import type { WorkloadHistory } from '../../core/admission/decision-input.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Logger } from '../logger.ts';
import type { HistoryMetrics } from './metrics.ts';
import type { Prometheus } from './prometheus.ts';
import { QUESTIONS, Uses } from './utilisation.ts';
import { historyKey } from './workload-names.ts';

export interface HistoryOptions {
  readonly prometheus: Pick<Prometheus, 'query'>;
  readonly refreshMs: number;
  readonly log: Logger;
  readonly metrics: HistoryMetrics;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Whose place it takes: what that one knew holds until Prometheus answers. */
  readonly successorOf?: History;
}

/** Figures older than this are of no use any more. */
const KEEP_MS = 24 * 3_600_000;
/** After a failure it is asked sooner. */
const RETRY_MS = 60_000;

/** What is known of a workload's past, or why nothing is. */
export type Past =
  | { readonly known: true; readonly history: WorkloadHistory }
  | { readonly known: false; readonly why: string };

/** All that was known at one moment; ms of the clock. */
interface Known {
  readonly histories: ReadonlyMap<string, WorkloadHistory>;
  readonly at: number;
}

export class History {
  readonly #options: Omit<HistoryOptions, 'successorOf'>;
  readonly #stopping = new AbortController();
  readonly #firstTry = Promise.withResolvers<string | undefined>();
  #known: Known | undefined;
  #running: Promise<void> | undefined;

  constructor({ successorOf, ...options }: HistoryOptions) {
    this.#options = options;
    if (successorOf) this.#known = successorOf.#known;
  }

  /** Resolves once Prometheus has been asked for the first time, or never will be: with why it did not answer, or undefined. */
  get firstTry(): Promise<string | undefined> {
    return this.#firstTry.promise;
  }

  of(workload: Workload): Past {
    if (!this.#known) return { known: false, why: 'Prometheus has not answered yet' };
    const { histories, at } = this.#known;
    if (this.#options.clock.monotonic() - at > KEEP_MS)
      return { known: false, why: 'Prometheus has not answered for a day' };
    const history = histories.get(historyKey(workload));
    if (history) return { known: true, history };
    return { known: false, why: `nothing is known of ${workload.kind} ${workload.name}` };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#firstTry.resolve('it is asked no more');
    await this.#running;
  }

  async #run(): Promise<void> {
    const { refreshMs, log, metrics, clock } = this.#options;
    const { signal } = this.#stopping;
    let lastError: string | undefined;
    while (!signal.aborted) {
      let delayMs = refreshMs;
      try {
        const histories = await this.#ask();
        this.#known = { histories, at: clock.monotonic() };
        this.#firstTry.resolve(undefined);
        metrics.refreshes.inc({ result: 'answered' });
        metrics.workloads.set(histories.size);
        if (lastError !== undefined) log.info('Prometheus answers again');
        lastError = undefined;
      } catch (error) {
        if (signal.aborted) return;
        const { message } = error as Error;
        delayMs = Math.min(refreshMs, RETRY_MS);
        this.#firstTry.resolve(message);
        metrics.refreshes.inc({ result: 'failed' });
        // Said once, not at every try.
        if (lastError !== message)
          log.warn({ error: message }, 'no history from Prometheus: decisions do without, or use what it sent before');
        lastError = message;
      }
      await sleep(delayMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** One query after the other: Prometheus has others to serve. */
  async #ask(): Promise<Map<string, WorkloadHistory>> {
    const { signal } = this.#stopping;
    const uses = new Uses();
    for (const question of QUESTIONS) {
      for await (const samples of this.#options.prometheus.query(question.query, signal)) uses.take(question, samples);
    }
    const rolling = uses.histories(this.#known?.histories ?? new Map());
    for (;;) {
      const { done, value } = rolling.next();
      if (done) return value;
      await turn(undefined, { signal });
    }
  }
}
