/** Imports point down. The lint rule says so; this proves that it really refuses. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import tap, { type Test as Tap } from 'tap';

const root = resolve(import.meta.dirname, '../..');
const biome = join(root, 'node_modules/.bin/biome');

const config = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8')) as {
  vcs?: object;
  overrides: { includes: string[] }[];
};

/** Lints a source text as if it stood at `path`, under the project's own rules. */
function refusal(t: Tap, path: string, source: string): string {
  const dir = t.testdir({ 'biome.json': JSON.stringify({ ...config, vcs: undefined }) });
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), source);
  const { status, stderr } = spawnSync(biome, ['lint', path], { cwd: dir, encoding: 'utf8' });
  return status === 0 ? '' : stderr;
}

const cases: readonly [path: string, imported: string, refused: boolean][] = [
  ['src/core/probe.ts', '../api/keys.ts', true],
  ['src/core/strategies/probe.ts', '../../api/keys.ts', true],
  ['src/core/probe.ts', 'node:fs', true],
  ['src/core/probe.ts', 'zod', true],
  ['src/core/probe.ts', 'zod/v4', true],
  ['src/core/probe.ts', '@kubernetes/client-node', true],
  ['src/core/strategies/probe.ts', '../fit.ts', false],
  ['src/api/probe.ts', '../cluster/projection.ts', true],
  ['src/api/probe.ts', '../core/fit.ts', false],
  ['src/cluster/probe.ts', '../extender/server.ts', true],
  ['src/cluster/probe.ts', '../telemetry/metrics.ts', true],
  ['src/cluster/probe.ts', '../api/keys.ts', false],
  ['src/telemetry/probe.ts', '../cluster/projection.ts', true],
  ['src/extender/probe.ts', '../webhook/server.ts', true],
  ['src/webhook/probe.ts', '../extender/server.ts', true],
  ['src/webhook/probe.ts', '../cluster/projection.ts', false],
  ['src/extender/probe.ts', '../main.ts', true],
  ['src/extender/probe.ts', '../../test/cluster/start.ts', true],
  ['src/main.ts', './extender/server.ts', false],
];

for (const [path, imported, refused] of cases) {
  tap.test(`${path} ${refused ? 'may not' : 'may'} import ${imported}`, async (t) => {
    const output = refusal(t, path, `import { thing } from '${imported}';\n\nexport const probe = thing;\n`);
    if (refused) t.match(output, /noRestrictedImports/);
    else t.equal(output, '');
  });
}

tap.test('every folder of src has its rule', async (t) => {
  const ruled = config.overrides.flatMap(({ includes }) => includes);
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  t.ok(folders.length > 0);
  for (const { name } of folders) t.ok(ruled.includes(`src/${name}/**`), name);
});
