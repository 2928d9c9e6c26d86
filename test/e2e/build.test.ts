/** What the image runs: plain JavaScript that needs nothing but the production dependencies. */

import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, resolve } from 'node:path';
import tap from 'tap';
import { z } from 'zod';

const root = resolve(import.meta.dirname, '../..');

/** Without the loaders that the test runner puts into every child. */
function node(args: readonly string[]) {
  return spawnSync('env', ['-u', 'NODE_OPTIONS', process.execPath, ...args], { cwd: root, encoding: 'utf8' });
}

tap.test('the build runs, and asks for no development dependency', async (t) => {
  // As in the image: the manifest is one folder up.
  const out = join(t.testdir({ 'package.json': readFileSync(join(root, 'package.json'), 'utf8') }), 'build');
  const tsc = join(root, 'node_modules/.bin/tsc');
  const built = node([tsc, '-p', 'tsconfig.build.json', '--outDir', out]);
  t.equal(built.status, 0, built.stdout + built.stderr);
  const help = node([join(out, 'main.js'), '--help']);
  t.match(help, { status: 0, stdout: /Usage: gpu-autoscaler/ });

  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { dependencies } = z.object({ dependencies: z.record(z.string(), z.string()) }).parse(manifest);
  const imported = globSync('**/*.js', { cwd: out }).flatMap((file) =>
    [...readFileSync(join(out, file), 'utf8').matchAll(/(?:from|import)[ (]'([^'.][^']*)'/g)].map(
      ([, name = '']) => name,
    ),
  );
  // `csv-parse/sync` is a part of csv-parse, `@kubernetes/client-node` a whole.
  const packageOf = (name: string) =>
    name
      .split('/')
      .slice(0, name.startsWith('@') ? 2 : 1)
      .join('/');
  const packages = new Set(imported.filter((name) => !isBuiltin(name)).map(packageOf));
  t.same([...packages].sort(), Object.keys(dependencies).sort());
});
