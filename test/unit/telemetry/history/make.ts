/** A Prometheus at hand: answers as they would come, without one. */

import type { WorkloadHistory } from '#src/core/admission/decision-input.ts';
import type { Prometheus, Sample } from '#src/telemetry/history/prometheus.ts';
import { QUESTIONS, Uses } from '#src/telemetry/history/utilisation.ts';

/** What is known of one pod, or of one of its GPUs or names. */
export interface Told {
  /** Default: namespace `team`, pod `web-66b6c48dd5-k7x2m`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Metric → figures in its own units; the default count is 1,000 samples. */
  readonly prof?: Figures;
  readonly util?: Figures;
  /** MiB. */
  readonly peak?: number;
}
interface Figures {
  /** Undefined: Prometheus gave no number. */
  readonly mean: number | undefined;
  readonly count?: number;
  readonly p95?: number;
}

export const POD = { namespace: 'team', pod: 'web-66b6c48dd5-k7x2m' };

/** What Prometheus answers to one query of ours. */
function answer(query: string, told: readonly Told[]): Sample[] {
  return told.flatMap(({ labels = POD, prof, util, peak }) => {
    const figures = query.includes('PROF_GR_ENGINE_ACTIVE') ? prof : query.includes('GPU_UTIL') ? util : undefined;
    const count = figures?.count ?? 1_000;
    const value = query.includes('FB_USED')
      ? peak
      : query.includes('quantile_over_time')
        ? figures?.p95
        : query.includes('count_over_time')
          ? figures && count
          : figures?.mean !== undefined
            ? figures.mean * count
            : undefined;
    return value === undefined ? [] : [{ labels, value }];
  });
}

export function histories(
  told: readonly Told[],
  before: ReadonlyMap<string, WorkloadHistory> = new Map(),
): Map<string, WorkloadHistory> {
  const uses = new Uses();
  for (const question of QUESTIONS) uses.take(question, answer(question.query, told));
  const rolling = uses.histories(before);
  for (;;) {
    const { done, value } = rolling.next();
    if (done) return value;
  }
}

/** Of `team/Deployment/web`. */
export function historyOfWeb(...told: readonly Told[]): WorkloadHistory | undefined {
  return histories(told).get('team/Deployment/web');
}

export function prometheusOf(told: () => readonly Told[] | Promise<readonly Told[]>): Pick<Prometheus, 'query'> {
  return {
    async *query(query) {
      yield answer(query, await told());
    },
  };
}
