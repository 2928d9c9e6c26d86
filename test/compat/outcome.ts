/** How a run of the tests went, read from what `npm test` prints. Pure. */

export interface FailedFile {
  /** `test/integration/preemption.test.ts`. */
  readonly file: string;
  /** Names of its failed assertions; none where the file ended before it could make one. */
  readonly assertions: readonly string[];
}

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failedFiles: readonly FailedFile[];
}

/** Undefined if the last line, `N passed, N failed`, is missing. */
export function readOutcome(printed: string): Outcome | undefined {
  const totals = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/m.exec(printed);
  if (!totals) return undefined;
  const failedFiles: { file: string; assertions: string[] }[] = [];
  for (const line of printed.split('\n')) {
    const file = /^FAIL (.+?)(?: · \d+ assertions.*)?$/.exec(line)?.[1];
    if (file !== undefined) failedFiles.push({ file, assertions: [] });
    const assertion = /^ {5}not ok: (.*)$/.exec(line)?.[1];
    if (assertion !== undefined) failedFiles.at(-1)?.assertions.push(assertion);
  }
  const [passed = 0, failed = 0, skipped = 0] = totals.slice(1).map((count) => Number(count ?? 0));
  return { passed, failed, skipped, failedFiles };
}
