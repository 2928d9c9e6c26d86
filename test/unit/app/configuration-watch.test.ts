/** The configuration file while the program runs: taken, refused, away; each said once. */

import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import tap, { type Test } from 'tap';
import type { Configuration } from '#src/api/configuration.ts';
import { ConfigurationError, ConfigurationWatch } from '#src/app/configuration-watch.ts';
import { waitFor } from '../../cluster/wait.ts';

const EVERY_MS = 5;

function setUp(t: Test, text = 'binPacking: {strategy: bestfit}\n') {
  const file = join(t.testdir({ 'config.yaml': text }), 'config.yaml');
  const news: string[] = [];
  const watch = new ConfigurationWatch({
    file,
    everyMs: EVERY_MS,
    changed: ({ binPacking }: Configuration) => void news.push(`changed: ${binPacking.strategy}`),
    report: (faults) => void news.push(faults === undefined ? 'taken' : faults.replaceAll(file, 'FILE')),
  });
  watch.start();
  t.teardown(() => watch.stop());
  // As kubelet does: whoever reads never sees half a file.
  const write = (content: string) => {
    writeFileSync(`${file}.new`, content);
    renameSync(`${file}.new`, file);
  };
  const heard = (count: number) => waitFor(`news ${count}`, () => news.length >= count, { everyMs: 2 });
  /** A few looks, in which nothing may be said. */
  const quiet = () => sleep(10 * EVERY_MS);
  return { file, news, watch, write, heard, quiet };
}

tap.test('a change is taken, and told once', async (t) => {
  const { news, watch, write, heard, quiet } = setUp(t);
  t.equal(watch.current.binPacking.strategy, 'bestfit');
  write('binPacking: {strategy: worstfit}\n');
  await heard(2);
  await quiet();
  t.strictSame(news, ['changed: worstfit', 'taken']);
  t.equal(watch.current.binPacking.strategy, 'worstfit');
});

tap.test('one that cannot be used is refused once, with its places, and the one from before holds', async (t) => {
  const { news, watch, write, heard, quiet } = setUp(t);
  write('binPacking: {strategy: tetris, narowing: true}\n');
  await heard(1);
  await quiet();
  t.strictSame(news, [
    'FILE:1:24: binPacking.strategy: Invalid option: expected one of "bestfit"|"firstfit"|"worstfit"|"fragmentation"\nFILE:1:32: binPacking.narowing: there is no such key; did you mean narrowing?',
  ]);
  t.equal(watch.current.binPacking.strategy, 'bestfit');
});

tap.test('after a refusal what is mended is taken', async (t) => {
  const { news, write, heard } = setUp(t);
  write('binPacking: {strategy: tetris}\n');
  await heard(1);
  write('binPacking: {strategy: firstfit}\n');
  await heard(3);
  t.strictSame(news.slice(1), ['changed: firstfit', 'taken']);
});

tap.test('back to what holds: nothing has changed, and a refusal is told anew', async (t) => {
  const { news, write, heard, quiet } = setUp(t);
  const bad = 'binPacking: {strategy: tetris}\n';
  write(bad);
  await heard(1);
  write('binPacking: {strategy: bestfit}\n');
  await quiet();
  t.equal(news.length, 1);
  write(bad);
  await heard(2);
  t.equal(news[1], news[0]);
});

tap.test('another fault is told as well', async (t) => {
  const { news, write, heard } = setUp(t);
  write('binPacking: {strategy: tetris}\n');
  await heard(1);
  write('- a list\n');
  await heard(2);
  t.match(news[1], /expected object, received array/);
});

tap.test('a file that is gone is told once; what held holds, until it is back with another', async (t) => {
  const { file, news, watch, write, heard, quiet } = setUp(t);
  rmSync(file);
  await heard(1);
  await quiet();
  t.equal(news.length, 1);
  t.match(news[0], /^cannot read FILE: ENOENT/);
  t.equal(watch.current.binPacking.strategy, 'bestfit');
  write('binPacking: {strategy: worstfit}\n');
  await heard(3);
  t.strictSame(news.slice(1), ['changed: worstfit', 'taken']);
});

tap.test('comments and order are no change of meaning, but are taken like any', async (t) => {
  const { news, write, heard } = setUp(t);
  write('# why\nbinPacking: {strategy: bestfit}\n');
  await heard(2);
  t.strictSame(news, ['changed: bestfit', 'taken']);
});

tap.test('links that are swapped, as those of a ConfigMap', async (t) => {
  const dir = t.testdir();
  for (const [version, strategy] of [
    ['v1', 'bestfit'],
    ['v2', 'worstfit'],
  ] as const) {
    mkdirSync(join(dir, version));
    writeFileSync(join(dir, version, 'config.yaml'), `binPacking: {strategy: ${strategy}}\n`);
  }
  symlinkSync('v1', join(dir, '..data'));
  symlinkSync(join('..data', 'config.yaml'), join(dir, 'config.yaml'));
  let strategy = '';
  const watch = new ConfigurationWatch({
    file: join(dir, 'config.yaml'),
    everyMs: EVERY_MS,
    changed: ({ binPacking }) => {
      strategy = binPacking.strategy;
    },
    report: () => {},
  });
  watch.start();
  t.teardown(() => watch.stop());
  symlinkSync('v2', join(dir, '..new'));
  renameSync(join(dir, '..new'), join(dir, '..data'));
  await waitFor('the other version', () => strategy === 'worstfit', { everyMs: 2 });
});

const atStart: readonly [says: string, text: string, fault: RegExp][] = [
  [
    'an unknown key',
    'binpacking: {}\n',
    /config\.yaml:1:1: binpacking: there is no such key; did you mean binPacking\?$/,
  ],
  ['no YAML', 'a: [\n', /config\.yaml:\d+:\d+: /],
  ['an alias of nothing', 'sharing: *nobody\n', /config\.yaml:1:1: the file: Unresolved alias/],
];
for (const [says, text, fault] of atStart) {
  tap.test(`at the start there is nothing from before: ${says}`, async (t) => {
    t.throws(() => setUp(t, text), { name: 'ConfigurationError', message: fault });
  });
}

tap.test('nor where there is no file', async (t) => {
  const options = { file: join(t.testdir(), 'none.yaml'), changed: () => {}, report: () => {} };
  t.throws(() => new ConfigurationWatch(options), ConfigurationError);
});

tap.test('without a file the defaults hold, for good', async (t) => {
  const watch = new ConfigurationWatch({
    file: undefined,
    everyMs: 1,
    changed: () => t.fail(),
    report: () => t.fail(),
  });
  watch.start();
  await sleep(10);
  await watch.stop();
  t.equal(watch.current.binPacking.strategy, 'bestfit');
});

tap.test('stop() ends it at once, and for good', async (t) => {
  const { news, watch, write, quiet } = setUp(t);
  await watch.stop();
  write('binPacking: {strategy: worstfit}\n');
  watch.start();
  await quiet();
  t.strictSame(news, []);
});
