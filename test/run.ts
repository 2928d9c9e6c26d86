/**
 * Runs the tests and says how it went: a line for each file, what failed in full, and a last line
 * `N passed, N failed` (`, N skipped` where a test could not run on this machine). A run of all tests also says how much
 * of the sources the unit tests have run, and fails where that is too little.
 *
 * usage: npm test [-- FILE… | FOLDER… | tap options]
 *        npm run test:coverage
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { judgeCoverage } from './coverage/floors.ts';
import { report } from './report.ts';

const root = resolve(import.meta.dirname, '..');
const tap = join(root, 'node_modules/tap/dist/esm/run.mjs');
const asked = process.argv.slice(2).filter((argument) => argument !== '--coverage');
const recorded =
  asked.length === 0 || process.argv.includes('--coverage') ? mkdtempSync(join(tmpdir(), 'coverage-')) : undefined;

const child = spawn(
  process.execPath,
  [
    tap,
    '--reporter=tap',
    // Of tap's own, which sees nothing where Node.js runs TypeScript as it is.
    '--disable-coverage',
    ...(recorded ? [`--node-arg=--import=${join(import.meta.dirname, 'coverage/record.ts')}`] : []),
    ...asked.flatMap(testsOf),
  ],
  {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}`,
      // Hundreds of processes load the same modules: half of what each does is to compile them.
      NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compile'),
      ...(recorded && { COVERAGE_DIR: recorded }),
    },
  },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));

const exit = once(child, 'exit');
const totals = await report(child.stdout, console.log);
const [code] = await exit;
if (totals.failed === 0 && (code !== 0 || totals.passed + totals.skipped === 0)) totals.failed = 1;
if (recorded) {
  for (const { ok, text } of judgeCoverage(root, recorded)) {
    console.log(text);
    if (!ok) totals.failed += 1;
  }
  rmSync(recorded, { recursive: true });
}
const { passed, failed, skipped } = totals;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;

/** Tests in a folder, which tap would look for in every file there; anything else is for tap to read. */
function testsOf(argument: string): string[] {
  const tests = globSync(`${argument}/**/*.test.ts`, { cwd: root });
  return tests.length > 0 ? tests.sort() : [argument];
}
