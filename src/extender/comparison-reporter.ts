/** Comparisons of the ledger with the API server: when they are made, and what is said of them. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { CacheComparer, Difference } from '../state/cache-comparer.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ExtenderMetrics } from './metrics.ts';

export interface ComparisonReporterOptions {
  readonly comparer: Pick<CacheComparer, 'compare'>;
  readonly log: Logger;
  readonly metrics: Pick<ExtenderMetrics, 'comparisons' | 'differences'>;
}

/** A broken ledger may differ everywhere: the first lines are enough. */
const MAX_LINES = 20;

export class ComparisonReporter {
  readonly #options: ComparisonReporterOptions;

  constructor(options: ComparisonReporterOptions) {
    this.#options = options;
  }

  /** Once, now; what differed is healed. @throws KubeError if the API server cannot be asked */
  async now(): Promise<readonly Difference[]> {
    const { comparer, log, metrics } = this.#options;
    try {
      const differences = await comparer.compare();
      metrics.comparisons.inc({ result: differences.length > 0 ? 'different' : 'equal' });
      for (const { kind } of differences) metrics.differences.inc({ kind });
      for (const difference of differences.slice(0, MAX_LINES)) {
        log.warn(difference, 'the ledger differed from the API server, and follows it now');
      }
      if (differences.length > MAX_LINES) log.warn({ differences: differences.length }, 'the ledger differed in more');
      return differences;
    } catch (error) {
      metrics.comparisons.inc({ result: 'failed' });
      throw error;
    }
  }

  /** Again and again, until the signal aborts. */
  async every(ms: number, signal: AbortSignal): Promise<void> {
    while (await elapsed(ms, signal)) {
      await this.now().catch((error: Error) => {
        if (!signal.aborted) this.#options.log.warn({ error: error.message }, 'the ledger cannot be compared now');
      });
    }
  }
}

/** False if it is time to end. */
async function elapsed(ms: number, signal: AbortSignal): Promise<boolean> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => {});
  return !signal.aborted;
}
