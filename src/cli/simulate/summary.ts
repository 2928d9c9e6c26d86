/** What many runs come to, strategy by strategy. */

import { allocatedAt } from '../../core/simulation/curve.ts';
import type { RunResult } from '../../core/simulation/run.ts';

export interface Summary {
  readonly strategy: string;
  readonly seeds: number;
  /** GPU allocated when as much as the capacity had been asked for, in hundredths of capacity: mean and standard deviation over seeds. */
  readonly allocatedPercent: number;
  readonly deviation: number;
  /** The most that was held at any time: with departures, the figure to look at. */
  readonly peakPercent: number;
  /** The same at the end. */
  readonly finalPercent: number;
  /** Free GPU of no use to an average task, at the end. */
  readonly fragmentedPercent: number;
  /** Pods not placed, mean over seeds, and of how many. */
  readonly failures: number;
  readonly arrivals: number;
  readonly msPerRun: number;
}

export function summarise(results: readonly RunResult[]): Summary[] {
  const byStrategy = new Map<string, RunResult[]>();
  for (const result of results) byStrategy.set(result.strategy, [...(byStrategy.get(result.strategy) ?? []), result]);
  return [...byStrategy].map(([strategy, runs]) => {
    const allocated = runs.map(({ curve }) => allocatedAt(curve, 100));
    return {
      strategy,
      seeds: runs.length,
      allocatedPercent: mean(allocated),
      deviation: deviation(allocated),
      peakPercent: mean(runs.map(({ peakPercent }) => peakPercent)),
      finalPercent: mean(runs.map(({ curve }) => curve.at(-1)?.allocatedPercent ?? 0)),
      fragmentedPercent: mean(runs.map(({ curve }) => curve.at(-1)?.fragmentedPercent ?? 0)),
      failures: mean(runs.map(({ failures }) => failures)),
      arrivals: mean(runs.map(({ arrivals }) => arrivals)),
      msPerRun: mean(runs.map(({ ms }) => ms)),
    };
  });
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of a sample; 0 for a single value. */
function deviation(values: readonly number[]): number {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1));
}
