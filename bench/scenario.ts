/** What a scenario is: a question, and a table that answers it. */

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Scenario {
  /** File name of its results. */
  readonly name: string;
  /** One sentence. */
  readonly question: string;
  /** What was done, for the reader who wants to judge the figures. */
  readonly method: string;
  run(log: (line: string) => void): Promise<Table>;
}

/** The q-quantile (0 to 1) of numbers, by nearest rank; NaN of none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
