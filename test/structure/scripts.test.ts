/** npm scripts: each says what it does, and runs on the Node.js that it needs. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import tap from 'tap';
import { z } from 'zod';
import { SCRIPTS } from '../../scripts/help.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const manifest = z
  .object({
    scripts: z.record(z.string(), z.string()),
    engines: z.object({ node: z.templateLiteral(['>=', z.number()]) }),
    devDependencies: z.looseObject({ node: z.string() }),
  })
  .parse(JSON.parse(read('package.json')));

tap.test('`npm run help` has a line for every script, and no other', async (t) => {
  t.same(Object.keys(SCRIPTS).sort(), Object.keys(manifest.scripts).sort());
  for (const [name, what] of Object.entries(SCRIPTS)) t.match(what, /^\S.{5,85}$/, name);
});

tap.test('one version of Node.js is asked for, brought along, and in the image', async (t) => {
  const major = manifest.engines.node.replace('>=', '');
  t.match(manifest.devDependencies.node, new RegExp(`^${major}\\.`));
  t.match(read('bin/gpu-autoscaler.js'), `>= ${major}`);
  const images = [...read('Dockerfile').matchAll(/^FROM node:(\S+)/gm)].map(([, tag]) => tag);
  t.same([...new Set(images)], [`${major}-slim`]);
});
