/**
 * Runs the tests and says how it went: a line for each file, what failed in full, and a last line
 * `N passed, N failed` (`, N skipped` where a test could not run on this machine).
 *
 * usage: npm test [-- FILE… | tap options]
 */

import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const root = resolve(import.meta.dirname, '..');
const tap = join(root, 'node_modules/tap/dist/esm/run.mjs');

const child = spawn(process.execPath, [tap, '--reporter=tap', '--disable-coverage', ...process.argv.slice(2)], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
  env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` },
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));

const FILE = /^(not )?ok \d+ - (\S+\.test\.ts)(?:.*# time=(\S+))?/;
const ASSERTION = /^\s+(not )?ok \d+(?!.*# time=)/;
let block: string[] = [];
let skipped = 0;
let passed = 0;
let failed = 0;

for await (const line of createInterface({ input: child.stdout })) {
  const file = FILE.exec(line);
  if (!file) {
    block.push(line);
    continue;
  }
  const assertions = block.filter((entry) => ASSERTION.test(entry));
  const skips = assertions.filter((entry) => /# SKIP/i.test(entry));
  const faults = assertions.filter((entry) => /^\s+not ok/.test(entry) && !/# (SKIP|TODO)/i.test(entry));
  skipped += skips.length;
  passed += assertions.length - skips.length - faults.length;
  // A file may fail without a failed assertion: it timed out, crashed, or left a handle open.
  failed += file[1] ? Math.max(1, faults.length) : faults.length;
  console.log(
    `${file[1] ? 'FAIL' : 'ok  '} ${file[2]} · ${assertions.length} assertions${file[3] ? ` · ${seconds(file[3])}` : ''}`,
  );
  for (const skip of skips) console.log(`     skipped: ${skip.trim().replace(/^ok \d+ - /, '')}`);
  if (file[1]) console.log(block.filter((entry) => !/^\s+ok \d+/.test(entry)).join('\n'));
  block = [];
}
const code = child.exitCode ?? (await new Promise<number>((done) => child.on('exit', (status) => done(status ?? 1))));
if (code !== 0 && failed === 0) {
  console.log(block.join('\n'));
  failed = 1;
}
if (passed + failed + skipped === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;

/** `3589.991ms` → `3.6 s`. */
function seconds(time: string): string {
  return `${(Number.parseFloat(time) / 1000).toFixed(1)} s`;
}
