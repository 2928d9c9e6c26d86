/** Tells how the tests went: a line for each file, what failed in full, what was skipped and why. */

import { once } from 'node:events';
import { type FinalResults, Parser, type Result } from 'tap-parser';
import { stringify } from 'yaml';

export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

type Print = (text: string) => void;

/** What tap writes, told file by file, as each ends. */
export async function report(tap: NodeJS.ReadableStream, print: Print): Promise<Totals> {
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  const parser = new Parser();
  let file: FileReport | undefined;
  parser.on('child', (child: Parser) => {
    file = new FileReport(child.name, child);
  });
  parser.on('extra', (text: string) => file?.notes.push(text));
  parser.on('assert', (result: Result) => {
    // A file that runs out of time may be told of once more, in a line without assertions.
    (file ?? new FileReport(result.name)).close(result, totals, print);
    file = undefined;
  });
  const complete = once(parser, 'complete');
  tap.pipe(parser);
  const [{ ok, bailout }] = (await complete) as [FinalResults];
  if (bailout || (!ok && totals.failed === 0)) {
    totals.failed += 1;
    print(`FAIL the run ended before its tests did${bailout ? `: ${bailout}` : ''}`);
  }
  return totals;
}

/** One file of tests, from its first assertion to its end. */
class FileReport {
  /** Comments, and output that is not TAP. */
  readonly notes: string[] = [];
  readonly #name: string;
  readonly #assertions: Result[] = [];

  constructor(name: string, parser?: Parser) {
    this.#name = name;
    if (parser) this.#collect(parser);
  }

  #collect(parser: Parser): void {
    let test: Parser | undefined;
    parser.on('child', (child: Parser) => {
      test = child;
      this.#collect(child);
    });
    parser.on('comment', (text: string) => {
      if (!text.startsWith('# Subtest') && !text.startsWith('# time=')) this.notes.push(text);
    });
    // The line that closes a test repeats what its assertions have said. A test without any is one itself.
    parser.on('assert', (result: Result) => {
      if (!result.closingTestPoint || test?.count === 0) this.#assertions.push(result);
    });
  }

  close(result: Result, totals: Totals, print: Print): void {
    const skipped = this.#assertions.filter(({ skip, todo }) => skip || todo);
    const faults = this.#assertions.filter(({ ok, skip, todo }) => !(ok || skip || todo));
    // A file may fail without a failed assertion: it crashed, was killed, or tests nothing.
    const failed = !result.ok || this.#assertions.length === 0;
    totals.skipped += skipped.length;
    totals.passed += this.#assertions.length - skipped.length - faults.length;
    if (failed) totals.failed += Math.max(1, faults.length);

    const time = result.time === null ? '' : ` · ${(result.time / 1000).toFixed(1)} s`;
    print(`${failed ? 'FAIL' : 'ok  '} ${this.#name} · ${this.#assertions.length} assertions${time}`);
    for (const entry of skipped) print(`     skipped: ${this.#within(entry)}${reason(entry)}`);
    if (!failed) return;
    for (const fault of faults) print(`     not ok: ${this.#within(fault)}${details(fault)}`);
    if (faults.length === 0) print(`     ${result.ok ? 'no tests' : 'ended badly'}${details(result)}`);
    if (this.notes.length > 0) print(this.notes.join('').trimEnd());
  }

  /** Name of an assertion with those of the tests that it stands in, but not that of the file. */
  #within({ fullname }: Result): string {
    return fullname.replace(`${this.#name} > `, '');
  }
}

function reason({ skip, todo }: Result): string {
  const why = skip || todo;
  return typeof why === 'string' && why !== '' ? ` (${why})` : '';
}

function details({ diag }: Result): string {
  if (diag === null) return '';
  return `\n${stringify(diag, { lineWidth: 0 }).trimEnd()}`.replaceAll(/\n(?=.)/g, '\n       ');
}
