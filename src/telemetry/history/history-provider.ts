/** The history that the configuration asks for, which may be another one tomorrow. */

import { type Configuration, milliseconds } from '../../api/configuration.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Logger } from '../logger.ts';
import { History } from './history.ts';
import type { HistoryMetrics } from './metrics.ts';
import { Prometheus } from './prometheus.ts';

export interface HistoryProviderOptions {
  readonly log: Logger;
  readonly metrics: HistoryMetrics;
  readonly fetch: typeof fetch;
  readonly clock: Pick<Clock, 'monotonic'>;
}

export class HistoryProvider {
  readonly #options: HistoryProviderOptions;
  #current: History | undefined;
  /** What it was made from. */
  #made = '';

  constructor(options: HistoryProviderOptions) {
    this.#options = options;
  }

  /** Undefined where no Prometheus is configured. */
  get current(): History | undefined {
    return this.#current;
  }

  take({ admissionWebhook: { history } }: Configuration): void {
    const wanted = JSON.stringify(history);
    if (wanted === this.#made) return;
    this.#made = wanted;
    const before = this.#current;
    void before?.stop();
    this.#current = undefined;
    const { prometheusUrl: url, refreshInterval } = history;
    if (url === undefined) return;
    this.#current = new History({
      ...this.#options,
      prometheus: new Prometheus({ url, fetch: this.#options.fetch }),
      refreshMs: milliseconds(refreshInterval),
      ...(before && { successorOf: before }),
    });
    this.#current.start();
  }

  async stop(): Promise<void> {
    await this.#current?.stop();
  }
}
