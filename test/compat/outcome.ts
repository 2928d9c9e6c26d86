/** How a run of the tests went, read from what `npm test` prints. Pure. */

export interface FileOutcome {
  /** `test/integration/preemption.test.ts`. */
  readonly file: string;
  readonly assertions: number;
  readonly skipped: number;
  readonly ok: boolean;
  /** Names of its failed assertions; none where it ended before it could make one. */
  readonly failures: readonly string[];
  /** Whether this is what a second run said, after the file had failed. */
  readonly again?: boolean;
}

/** File by file, in the order in which they ended. */
export type Outcome = readonly FileOutcome[];

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Undefined if the last line, `N passed, N failed`, is missing. */
export function readOutcome(printed: string): Outcome | undefined {
  if (!/^\d+ passed, \d+ failed/m.test(printed)) return undefined;
  const files: { file: string; assertions: number; skipped: number; ok: boolean; failures: string[] }[] = [];
  for (const line of printed.split('\n')) {
    const [, word, file, assertions = 0] = /^(ok {2}|FAIL) (.+?)(?: · (\d+) assertions.*)?$/.exec(line) ?? [];
    if (file !== undefined) {
      files.push({ file, assertions: Number(assertions), skipped: 0, ok: word !== 'FAIL', failures: [] });
    }
    const last = files.at(-1);
    const failure = /^ {5}not ok: (.*)$/.exec(line)?.[1];
    if (last && failure !== undefined) last.failures.push(failure);
    if (last && line.startsWith('     skipped: ')) last.skipped += 1;
  }
  return files;
}

/** Assertions, counted as `npm test` does: a file that failed without a failed assertion counts as one. */
export function totalsOf(outcome: Outcome): Totals {
  let [passed, failed, skipped] = [0, 0, 0];
  for (const file of outcome) {
    passed += Math.max(0, file.assertions - file.failures.length - file.skipped);
    failed += file.ok ? 0 : Math.max(1, file.failures.length);
    skipped += file.skipped;
  }
  return { passed, failed, skipped };
}

/** With what a second run said of files that had failed, or of which nothing had been said. */
export function withSecondRun(first: Outcome, second: Outcome): Outcome {
  const again = second.filter(({ file }) => !first.some((each) => each.file === file && each.ok));
  const kept = first.filter(({ file }) => !again.some((each) => each.file === file));
  return [...kept, ...again.map((each) => ({ ...each, again: true }))];
}
