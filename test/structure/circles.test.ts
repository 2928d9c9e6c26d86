/** Files do not import each other in a circle. The lint rule says so; this proves that it really refuses. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import tap, { type Test as Tap } from 'tap';

const root = resolve(import.meta.dirname, '../..');
const biome = join(root, 'node_modules/.bin/biome');
const config: object = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'));

/** Lints source texts under the project's own rules. */
function lint(t: Tap, files: Record<string, string>): string {
  const dir = t.testdir({ ...files, 'biome.json': JSON.stringify({ ...config, vcs: undefined }) });
  return spawnSync(biome, ['lint', ...Object.keys(files)], { cwd: dir, encoding: 'utf8' }).stderr;
}

tap.test('a circle of values is refused', async (t) => {
  const refusal = lint(t, {
    'a.ts': `import { b } from './b.ts';\n\nexport const a = () => b;\n`,
    'b.ts': `export { c as b } from './c.ts';\n`,
    'c.ts': `import { a } from './a.ts';\n\nexport const c = () => a;\n`,
  });
  for (const file of ['a.ts', 'b.ts', 'c.ts']) {
    t.match(refusal, new RegExp(`^${file}:\\d+:\\d+ lint/suspicious/noImportCycles`, 'm'));
  }
});

tap.test('a circle of types is none when the program runs', async (t) => {
  const refusal = lint(t, {
    'a.ts': `import type { B } from './b.ts';\n\nexport type A = B | 1;\n`,
    'b.ts': `import type { A } from './a.ts';\n\nexport type B = A[];\n`,
  });
  t.equal(refusal, '');
});
