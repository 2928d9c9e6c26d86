/** What the documents list is what there is. */

import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pino } from 'pino';
import tap from 'tap';
import { z } from 'zod';
import { configurationSchema } from '#src/api/configuration.ts';
import { definitionOf, NODE_CONFIGS, SHARING_POLICIES } from '#src/api/custom-resources.ts';
import { EVENTS } from '#src/api/events.ts';
import { LABELS, READ, WRITTEN } from '#src/api/keys.ts';
import { auditMetrics } from '#src/audit/metrics.ts';
import { CHECKS } from '#src/cli/doctor/checks/registry.ts';
import { EVIDENCE } from '#src/core/admission/workload-type.ts';
import { extenderMetrics } from '#src/extender/metrics.ts';
import { plannerMetrics } from '#src/planner/metrics.ts';
import { reconcilerMetrics } from '#src/reconciler/metrics.ts';
import { historyMetrics } from '#src/telemetry/history/metrics.ts';
import { createRegistry } from '#src/telemetry/registry.ts';
import { reloadReporter } from '#src/telemetry/reload-reporter.ts';
import { certificateMetrics, registrationMetrics } from '#src/webhook/certificates/metrics.ts';
import { webhookMetrics } from '#src/webhook/metrics.ts';
import { versionsIn } from '../compat/document.ts';
import { NO_FIGURES } from '../fakes/extender.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

tap.test('every metric of ours is in docs/reference/metrics.md, and no other', async (t) => {
  const registry = createRegistry();
  extenderMetrics(registry, NO_FIGURES);
  webhookMetrics(registry);
  reloadReporter(registry, pino({ level: 'silent' }), undefined);
  historyMetrics(registry);
  auditMetrics(registry);
  reconcilerMetrics(registry, () => ({ mpsClients: 0, virtualGpus: 0 }));
  plannerMetrics(registry);
  certificateMetrics(registry);
  registrationMetrics(registry);
  const ours = registry.getMetricsAsArray().map(({ name }) => name);
  const documented = [...read('docs/reference/metrics.md').matchAll(/`(gpu_autoscaler_\w+)`/g)].map(([, name]) => name);
  t.same(documented.sort(), ours.filter((name) => name.startsWith('gpu_autoscaler_')).sort());
});

tap.test('every event of ours is in docs/reference/events.md, and no other', async (t) => {
  const rows = [...read('docs/reference/events.md').matchAll(/^\| `(\w+)` \| (\w+) \| (\w+) \| (.+) \|$/gm)];
  t.strictSame(
    rows.map(([, ...cells]) => cells),
    Object.entries(EVENTS).map(([reason, { type, on, when }]) => [reason, type, on, when]),
  );
});

tap.test('every label and annotation of ours is in docs/reference/admission.md', async (t) => {
  const text = read('docs/reference/admission.md');
  for (const key of Object.values({ ...READ, ...LABELS, ...WRITTEN })) {
    t.match(text, new RegExp(`\`${key.replace('gpu-autoscaler.io/', '')}\``), key);
  }
});

tap.test('docs/reference/workload-types.md has all evidence, in its order, and no other', async (t) => {
  const row = /^\| (\w+) \| (owner|image|command|port) \| (.+) \| (\d+)% \|$/gm;
  const rows = [...read('docs/reference/workload-types.md').matchAll(row)];
  t.strictSame(
    rows.map(([, type, from, , percent]) => [type, from, Number(percent)]),
    EVIDENCE.map(({ type, from, confidence }) => [type, from, confidence * 100]),
  );
  for (const [i, [, , , cell = '']] of rows.entries()) {
    const words = [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);
    const pattern = EVIDENCE[i]?.pattern ?? /^$/;
    for (const word of words) t.match(word, pattern);
    // Of a plain list of names, each is there.
    const names = /^(?:\^|\(\^\|\[\^a-z0-9\]\))\(([^()]+)\)(?:\$|\(\[\^a-z0-9\]\|\$\))$/.exec(pattern.source)?.[1];
    for (const name of names?.split('|') ?? []) t.ok(words.includes(name.replaceAll('\\', '')), name);
  }
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly 'x-kubernetes-validations'?: readonly { readonly message: string }[];
}
const schemaSchema: z.ZodType<Schema> = z.lazy(() =>
  z.looseObject({
    properties: z.record(z.string(), schemaSchema).exactOptional(),
    additionalProperties: schemaSchema.exactOptional(),
    items: schemaSchema.exactOptional(),
    default: z.unknown().exactOptional(),
    minimum: z.number().exactOptional(),
    maximum: z.number().exactOptional(),
    'x-kubernetes-validations': z.array(z.object({ message: z.string() })).exactOptional(),
  }),
);

/** The schema and all within, by their paths. */
function* schemas(schema: Schema, path: readonly string[] = []): Generator<[path: readonly string[], schema: Schema]> {
  yield [path, schema];
  for (const [name, property] of Object.entries(schema.properties ?? {})) yield* schemas(property, [...path, name]);
  if (schema.items) yield* schemas(schema.items, path);
  if (schema.additionalProperties) yield* schemas(schema.additionalProperties, path);
}

tap.test('docs/reference/configuration.md has every key with its default and bounds, and no other', async (t) => {
  const schema = schemaSchema.parse(
    z.toJSONSchema(configurationSchema, {
      io: 'input',
      override: ({ jsonSchema }) => {
        // Of an object that is strict.
        if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      },
    }),
  );
  const keys = [...schemas(schema)].filter(([path, { properties }]) => path.length > 0 && !properties);
  const rows = [...read('docs/reference/configuration.md').matchAll(/^\| `([\w.]+)` \| (.+?) \| (.+?) \|/gm)];
  t.same(rows.map(([, key]) => key).sort(), [...new Set(keys.map(([path]) => path.join('.')))].sort());
  for (const [path, { default: value, minimum, maximum }] of keys) {
    const [, , preset, values] = rows.find(([, key]) => key === path.join('.')) ?? [];
    if (value !== undefined) t.equal(preset, Array.isArray(value) ? value.join(', ') : show(value), path.join('.'));
    if (maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER)
      t.equal(values, `${minimum} to ${maximum}`, path.join('.'));
  }
});

function show(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

tap.test('docs/reference/custom-resources.md has every field, default, bound and rule', async (t) => {
  const text = read('docs/reference/custom-resources.md');
  const definition = z.object({
    spec: z.object({ versions: z.tuple([z.object({ schema: z.object({ openAPIV3Schema: schemaSchema }) })]) }),
  });
  for (const resource of [SHARING_POLICIES, NODE_CONFIGS]) {
    const { openAPIV3Schema } = definition.parse(definitionOf(resource)).spec.versions[0].schema;
    for (const [path, schema] of schemas(openAPIV3Schema)) {
      for (const { message } of schema['x-kubernetes-validations'] ?? [])
        t.ok(text.includes(`| ${message} |`), message);
      const [part, ...field] = path;
      if (part === 'spec' && schema.default !== undefined) {
        const values = schema.minimum === undefined ? '' : `${schema.minimum} to ${schema.maximum} |`;
        const row = `| \`${field.join('.')}\` | ${schema.default} | ${values}`;
        t.ok(text.includes(row), row);
      }
      const name = path.at(-1);
      if (name && !path.includes('conditions')) t.match(text, new RegExp(`\\b${name}\\b`), path.join('.'));
    }
  }
});

tap.test("every check of doctor is in docs/guides/doctor.md, in the program's order, and no other", async (t) => {
  const names = [...read('docs/guides/doctor.md').matchAll(/^\| `([\w-]+)` \| (?:error|warning) \|/gm)].map(
    ([, name]) => name,
  );
  t.strictSame(
    names,
    CHECKS.map(({ name }) => name),
  );
});

tap.test('every dependency has its line in docs/dependencies.md, and no line is left over', async (t) => {
  const names = z.record(z.string(), z.string());
  const manifest = z.object({ dependencies: names, devDependencies: names }).parse(JSON.parse(read('package.json')));
  const lines = read('docs/dependencies.md').matchAll(/^\| (`.*`) \|/gm);
  const documented = [...lines].flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  t.same(documented.sort(), Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).sort());
});

tap.test(
  'docs/guides/install.md names the oldest Kubernetes that the chart takes, and every version that was run',
  async (t) => {
    const guide = read('docs/guides/install.md');
    const oldest = /^kubeVersion: '>=(1\.\d+)\.0-0'$/m.exec(read('charts/gpu-autoscaler/Chart.yaml'))?.[1];
    t.ok(guide.includes(`Kubernetes ${oldest} or newer`), `${oldest}`);
    const ran = versionsIn(read('bench/results/kubernetes-versions.md'));
    t.ok(
      ran.some((version) => version.startsWith(`${oldest}.`)),
      'the oldest was run',
    );
    for (const version of ran) t.ok(guide.includes(version), version);
  },
);

tap.test('links between documents lead somewhere', async (t) => {
  const documents = globSync(['*.md', 'docs/**/*.md'], { cwd: root });
  t.ok(documents.length > 10);
  for (const document of documents) {
    for (const [, target = ''] of read(document).matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      if (/^https?:/.test(target)) continue;
      t.ok(existsSync(join(root, dirname(document), target)), `${document} → ${target}`);
    }
  }
});
