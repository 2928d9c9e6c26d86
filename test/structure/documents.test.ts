/** What the documents list is what there is. */

import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import tap from 'tap';
import { z } from 'zod';
import { LABELS, READ, WRITTEN } from '../../src/api/keys.ts';
import {
  certificateMetrics,
  createRegistry,
  extenderMetrics,
  registrationMetrics,
  webhookMetrics,
} from '../../src/telemetry/metrics.ts';
import { NO_FIGURES } from '../fakes/extender.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

tap.test('every metric of ours is in docs/reference/metrics.md, and no other', async (t) => {
  const registry = createRegistry();
  extenderMetrics(registry, NO_FIGURES);
  webhookMetrics(registry);
  certificateMetrics(registry);
  registrationMetrics(registry);
  const ours = registry.getMetricsAsArray().map(({ name }) => name);
  const documented = [...read('docs/reference/metrics.md').matchAll(/`(gpu_autoscaler_\w+)`/g)].map(([, name]) => name);
  t.same(documented.sort(), ours.filter((name) => name.startsWith('gpu_autoscaler_')).sort());
});

tap.test('every label and annotation of ours is in docs/reference/admission.md', async (t) => {
  const text = read('docs/reference/admission.md');
  for (const key of Object.values({ ...READ, ...LABELS, ...WRITTEN })) {
    t.match(text, new RegExp(`\`${key.replace('gpu-autoscaler.io/', '')}\``), key);
  }
});

tap.test('every dependency has its line in docs/dependencies.md, and no line is left over', async (t) => {
  const names = z.record(z.string(), z.string());
  const manifest = z.object({ dependencies: names, devDependencies: names }).parse(JSON.parse(read('package.json')));
  const lines = read('docs/dependencies.md').matchAll(/^\| (`.*`) \|/gm);
  const documented = [...lines].flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  t.same(documented.sort(), Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).sort());
});

tap.test('links between documents lead somewhere', async (t) => {
  const documents = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...globSync('docs/**/*.md', { cwd: root })];
  t.ok(documents.length > 10);
  for (const document of documents) {
    for (const [, target = ''] of read(document).matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      if (/^https?:/.test(target)) continue;
      t.ok(existsSync(join(root, dirname(document), target)), `${document} → ${target}`);
    }
  }
});
