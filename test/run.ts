/**
 * Runs the tests and says how it went: a line for each file, what failed in full, and a last line
 * `N passed, N failed` (`, N skipped` where a test could not run on this machine).
 *
 * usage: npm test [-- FILE… | FOLDER… | tap options]
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { report } from './report.ts';

const root = resolve(import.meta.dirname, '..');
const tap = join(root, 'node_modules/tap/dist/esm/run.mjs');

const child = spawn(
  process.execPath,
  [tap, '--reporter=tap', '--disable-coverage', ...process.argv.slice(2).flatMap(testsOf)],
  {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` },
  },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));

const exit = once(child, 'exit');
const { passed, failed, skipped } = await report(child.stdout, console.log);
const [code] = await exit;
const faults = failed === 0 && (code !== 0 || passed + skipped === 0) ? 1 : failed;
console.log(`${passed} passed, ${faults} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = faults > 0 ? 1 : 0;

/** Tests in a folder, which tap would look for in every file there; anything else is for tap to read. */
function testsOf(argument: string): string[] {
  const tests = globSync(`${argument}/**/*.test.ts`, { cwd: root });
  return tests.length > 0 ? tests.sort() : [argument];
}
