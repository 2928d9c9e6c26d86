/** How much of a folder the unit tests run, and how much it must be. */

import { globSync, readdirSync, readFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Line, linesOfCode, linesRun } from './lines.ts';

/** Percent of the lines of code in each folder that unit tests run at least. */
const FLOORS: Readonly<Record<string, number>> = { 'src/core': 95, 'src/state': 95 };

export interface Verdict {
  readonly ok: boolean;
  readonly text: string;
}

interface FileCoverage {
  readonly path: string;
  readonly lines: number;
  readonly missed: number;
  /** Lines that do not run, as `3–5, 9`. */
  readonly gaps: string;
}

/** What is to be said of each folder with a floor, going by what `record.ts` has written into a folder. */
export function judgeCoverage(root: string, recorded: string, floors = FLOORS): Verdict[] {
  const records = readdirSync(recorded).flatMap((name): Profiler.ScriptCoverage[] =>
    JSON.parse(readFileSync(join(recorded, name), 'utf8')),
  );
  return Object.entries(floors).map(([folder, floor]) => {
    const paths = globSync(`${folder}/**/*.ts`, { cwd: root }).sort();
    const files = paths.map((path) => coverageOf(root, path, records));
    return judge(folder, floor, files);
  });
}

/** A file that no test has loaded counts with all its lines. */
function coverageOf(root: string, path: string, records: readonly Profiler.ScriptCoverage[]): FileCoverage {
  const { href } = pathToFileURL(join(root, path));
  const lines = linesOfCode(readFileSync(join(root, path), 'utf8'));
  const run = new Set(records.filter(({ url }) => url === href).flatMap((record) => linesRun(lines, record)));
  return { path, lines: lines.length, missed: lines.filter((line) => !run.has(line)).length, gaps: gaps(lines, run) };
}

function judge(folder: string, floor: number, files: readonly FileCoverage[]): Verdict {
  const lines = files.reduce((sum, file) => sum + file.lines, 0);
  const missed = files.reduce((sum, file) => sum + file.missed, 0);
  const figure = `coverage of ${folder}: unit tests run ${percent(lines, missed)} of ${lines} lines`;
  if (lines > 0 && missed * 100 <= (100 - floor) * lines) return { ok: true, text: `ok   ${figure}` };
  const worst = files
    .filter((file) => file.missed > 0)
    .toSorted((a, b) => b.missed - a.missed)
    .slice(0, 10)
    .map((file) => `     ${percent(file.lines, file.missed)} ${file.path}, not ${file.gaps}`);
  return { ok: false, text: [`FAIL ${figure}, not the ${floor}% that it must have`, ...worst].join('\n') };
}

/** Rounded down: 100% is said of what has all. */
function percent(lines: number, missed: number): string {
  return `${lines === 0 ? 0 : Math.floor((1 - missed / lines) * 1000) / 10}%`;
}

/** A gap goes on over lines without code. */
function gaps(lines: readonly Line[], run: ReadonlySet<Line>): string {
  const found: { from: number; to: number }[] = [];
  let open: { from: number; to: number } | undefined;
  for (const line of lines) {
    if (run.has(line)) {
      open = undefined;
    } else if (open) {
      open.to = line.number;
    } else {
      open = { from: line.number, to: line.number };
      found.push(open);
    }
  }
  return found.map(({ from, to }) => (from === to ? from : `${from}–${to}`)).join(', ');
}
