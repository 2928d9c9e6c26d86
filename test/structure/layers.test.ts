/** Imports point down; this proves that any other is refused. */

import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import tap from 'tap';
import { refusedImports, unknownFolders } from '../../scripts/check-layers.ts';
import { LAYERS } from '../../scripts/layers.ts';

const root = resolve(import.meta.dirname, '../..');

const cases: readonly [path: string, imported: string, refused: boolean][] = [
  ['src/core/probe.ts', '../api/keys.ts', true],
  ['src/core/strategies/probe.ts', '../../api/keys.ts', true],
  ['src/core/probe.ts', 'node:fs', true],
  ['src/core/probe.ts', 'zod', true],
  ['src/core/probe.ts', 'zod/v4', true],
  ['src/core/probe.ts', '@kubernetes/client-node', true],
  ['src/core/strategies/probe.ts', '../fit.ts', false],
  ['src/api/probe.ts', '../state/store.ts', true],
  ['src/api/probe.ts', '../core/fit.ts', false],
  ['src/api/probe.ts', 'zod', false],
  ['src/state/probe.ts', '../extender/server.ts', true],
  ['src/kube/probe.ts', '../state/store.ts', true],
  ['src/state/probe.ts', '../kube/reflector.ts', false],
  ['src/telemetry/probe.ts', '../kube/clock.ts', false],
  ['src/kube/probe.ts', '../telemetry/logger.ts', true],
  ['src/extender/probe.ts', '../webhook/server.ts', true],
  ['src/webhook/probe.ts', '../extender/server.ts', true],
  ['src/webhook/probe.ts', '../state/store.ts', false],
  ['src/planner/probe.ts', '../reconciler/reconciler.ts', true],
  ['src/extender/probe.ts', '../main.ts', true],
  ['src/extender/probe.ts', '../../test/cluster/start.ts', true],
  ['src/extender/probe.ts', '../../src/webhook/server.ts', true],
  ['src/main.ts', './extender/server.ts', false],
];

for (const [path, imported, refused] of cases) {
  tap.test(`${path} ${refused ? 'may not' : 'may'} import ${imported}`, async (t) => {
    t.equal(refusedImports(path, `import { thing } from '${imported}';`).length, refused ? 1 : 0);
  });
}

const forms: readonly string[] = [
  `import '../api/keys.ts';`,
  `import type { Thing } from '../api/keys.ts';`,
  `import { type Thing } from "../api/keys.ts";`,
  `import * as things from '../api/keys.ts';`,
  `export * from '../api/keys.ts';`,
  `export { thing } from '../api/keys.ts';`,
  `const thing = await import('../api/keys.ts');`,
  `type Thing = import('../api/keys.ts').Thing;`,
];

for (const form of forms) {
  tap.test(`${form} is an import`, async (t) => {
    t.same(refusedImports('src/core/probe.ts', form), [
      'src/core/probe.ts imports ../api/keys.ts: core may import nothing but itself',
    ]);
  });
}

tap.test('an import that nobody can read is refused', async (t) => {
  t.throws(() => refusedImports('src/cli/probe.ts', 'await import(name);'), /a computed import/);
  t.throws(() => refusedImports('src/cli/probe.ts', 'import {'), /src\/cli\/probe\.ts/);
});

tap.test('the list has the folders of src, and no other', async (t) => {
  const paths = globSync('src/**/*.ts', { cwd: root });
  t.same(unknownFolders(paths), []);
  t.same(unknownFolders([...paths, 'src/cellar/wine.ts']), ['cellar is not in scripts/layers.ts']);
  t.same(unknownFolders(paths.filter((path) => !path.startsWith('src/webhook/'))), [
    'webhook of scripts/layers.ts is not there',
  ]);
});

tap.test('the list itself points up nowhere', async (t) => {
  const above = new Set<string>();
  for (const [folder, imports] of Object.entries(LAYERS)) {
    for (const imported of imports) t.ok(above.has(imported), `${folder} may import ${imported}`);
    above.add(folder);
  }
});
