/** What is generated is up to date. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import tap from 'tap';
import { generatedFiles } from '../../charts/generate.ts';

const root = resolve(import.meta.dirname, '../..');

for (const [path, text] of generatedFiles()) {
  tap.test(`${path} is what \`npm run generate\` writes`, async (t) => {
    t.equal(readFileSync(join(root, path), 'utf8'), text);
  });
}
