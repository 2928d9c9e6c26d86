/** What `npm test` says of files that fail in every way there is, and of those that pass. */

import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import tap, { type Test as Tap } from 'tap';

const runner = resolve(import.meta.dirname, '../run.ts');

/** Runs test files of the given texts; what is said of them, and the exit code. */
function run(t: Tap, files: Record<string, string>): { said: string; code: number | null } {
  const dir = t.testdir(files);
  const paths = Object.keys(files).map((name) => join(dir, name));
  // The run is one of its own, not a part of this one.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^_?TAP/.test(name)));
  const { stdout, status } = spawnSync(process.execPath, [runner, ...paths], { env, encoding: 'utf8' });
  return { said: stdout, code: status };
}

tap.test(
  'assertions are counted, not the tests that they stand in; what is skipped is named with its reason',
  async (t) => {
    const { said, code } = run(t, {
      'passes.test.ts': `import tap from 'tap';
      tap.ok(true);
      tap.test('outer', async (t) => {
        t.ok(true);
        t.test('inner', async (u) => u.ok(true));
      });
      tap.test('throws nothing', async () => {});`,
      'skips.test.ts': `import tap from 'tap';
      tap.test('cluster', { skip: 'no control plane' }, async () => {});
      tap.test('part', async (t) => { t.skip('a piece'); t.ok(false, 'later', { todo: true }); });`,
    });
    t.match(said, /^ok {3}\S+passes\.test\.ts · 4 assertions · \d+\.\d s$/m);
    t.match(said, /^ {5}skipped: cluster \(no control plane\)$/m);
    t.match(said, /^ {5}skipped: part > a piece$/m);
    t.match(said, /^ {5}skipped: part > later$/m);
    t.match(said, /^4 passed, 0 failed, 3 skipped\n$/m);
    t.equal(code, 0);
  },
);

tap.test('a failed assertion is told in full, with the seed and the output of its file', async (t) => {
  const { said, code } = run(t, {
    'fails.test.ts': `import tap from 'tap';
      tap.test('outer', async (t) => {
        t.comment('seed 42');
        console.log('from the program');
        t.test('inner', async (u) => u.same({ a: 1 }, { a: 2 }, 'alike'));
        t.ok(true);
      });`,
  });
  t.match(said, /^FAIL \S+fails\.test\.ts · 2 assertions/m);
  t.match(said, /^ +not ok: outer > inner > alike$/m);
  t.match(said, /^ +- {2}"a": 2,$/m);
  t.match(said, /lineNumber: 5/);
  t.match(said, /# seed 42/);
  t.match(said, /from the program/);
  t.match(said, /^1 passed, 1 failed\n$/m);
  t.equal(code, 1);
});

tap.test('a file fails that crashes, is killed, ends early or tests nothing', async (t) => {
  const { said, code } = run(t, {
    'crashes.test.ts': `throw new Error('at once');`,
    'killed.test.ts': `import tap from 'tap';
      tap.test('one', async (t) => { t.ok(true); process.kill(process.pid, 'SIGKILL'); await new Promise(() => {}); });`,
    'empty.test.ts': 'export {};',
    'exits.test.ts': `import tap from 'tap';
      tap.test('one', async () => process.exit(0));`,
  });
  t.match(said, /^FAIL \S+crashes\.test\.ts · 0 assertions.*\n {5}ended badly\n(?: {7}.*\n)* {7}exitCode: 1/m);
  t.match(said, /^FAIL \S+killed\.test\.ts · 1 assertions.*\n {5}ended badly\n(?: {7}.*\n)* {7}signal: SIGKILL/m);
  t.match(said, /^FAIL \S+empty\.test\.ts · 0 assertions.*\n {5}no tests/m);
  t.match(said, /^FAIL \S+exits\.test\.ts · 1 assertions.*\n {5}not ok: one > test unfinished/m);
  t.match(said, /^1 passed, 4 failed\n$/m);
  t.equal(code, 1);
});

tap.test('a file fails that takes too long', async (t) => {
  const { said, code } = run(t, {
    'hangs.test.ts': `import tap from 'tap';
      tap.setTimeout(1000);
      tap.test('one', async (t) => { t.ok(true); await new Promise((done) => setTimeout(done, 60_000)); });`,
  });
  t.match(said, /^FAIL \S+hangs\.test\.ts · 2 assertions.*\n {5}not ok: one > timeout!/m);
  t.match(said, /^1 passed, 1 failed\n$/m);
  t.equal(code, 1);
});

tap.test('a run fails that ends before its tests do', async (t) => {
  const { said, code } = run(t, {
    'bails.test.ts': `import tap from 'tap';
      tap.test('one', async (t) => { t.ok(true); t.bailout('enough'); });`,
  });
  t.match(said, /^FAIL the run ended before its tests did: enough$/m);
  t.equal(code, 1);
});
