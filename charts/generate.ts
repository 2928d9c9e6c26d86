/**
 * Writes what chart and documents have from the program: CustomResourceDefinitions, the schema of the chart's values, and the
 * table of flags in the reference.
 *
 * usage: npm run generate
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { configurationSchema } from '#src/api/configuration.ts';
import { definitionOf, NODE_CONFIGS, SHARING_POLICIES } from '#src/api/custom-resources.ts';
import { documentedFlags } from '#src/app/commands.ts';
import { allMigProfiles } from '#src/core/gpu-catalog.ts';
import { migResource, SHARED_GPU, sharedName, WHOLE_GPU } from '#src/core/resources.ts';

const CLI = 'docs/reference/cli.md';
const SCHEDULER = 'scheduler-config/kube-scheduler-config.yaml';

/** Text of each generated file, by its path in the project. */
export function generatedFiles(): Map<string, string> {
  const definitions = [SHARING_POLICIES, NODE_CONFIGS].map((resource): [string, string] => [
    `charts/gpu-autoscaler/crds/${resource.plural}.yaml`,
    `# ${SOURCE}\n${yaml(definitionOf(resource))}`,
  ]);
  const schema = z.toJSONSchema(configurationSchema, {
    io: 'input',
    // Rules in CEL are for the API server.
    override: ({ jsonSchema }) => delete jsonSchema['x-kubernetes-validations'],
  });
  const values = { ...schema, $comment: SOURCE };
  return new Map([
    ...definitions,
    ['charts/gpu-autoscaler/values.schema.json', `${JSON.stringify(values, null, 2)}\n`],
    [CLI, withFlags(readFileSync(join(ROOT, CLI), 'utf8'))],
    [SCHEDULER, withResources(readFileSync(join(ROOT, SCHEDULER), 'utf8'))],
  ]);
}

const ROOT = join(import.meta.dirname, '..');
const [BEGIN, END] = [
  '<!-- flags: written by `npm run generate` from src/api/settings.ts -->',
  '<!-- end of flags -->',
];

/** The page with the table of flags as the settings' schema has them. */
function withFlags(page: string): string {
  const rows = documentedFlags().map(({ name, placeholder, description, commands }) => {
    const option = `${name} ${placeholder.toUpperCase()}`.replaceAll('|', '\\|');
    return `| \`${option}\` | ${commands.join(', ')} | ${description.replaceAll('|', '\\|')} |`;
  });
  const table = ['| option | commands | what |', '|---|---|---|', ...rows].join('\n');
  const [before = '', rest = ''] = page.split(BEGIN);
  const [, after = ''] = rest.split(END);
  return `${before}${BEGIN}\n${table}\n${END}${after}`;
}

/** The scheduler's configuration with every resource that the device plugin may expose: of others it does not ask us. */
function withResources(config: string): string {
  const instances = allMigProfiles().map(migResource);
  const names = [WHOLE_GPU, SHARED_GPU, ...instances, ...instances.map(sharedName)];
  const list = names.map((name) => `      - { name: ${name} }\n`).join('');
  return config.replace(/(\n {4}managedResources:\n)(?: {6}- .*\n)+/, `$1${list}`);
}

const SOURCE = 'Written by `npm run generate` from src/api: change it there.';

/** Without anchors, which helm and kubectl read but people do not; a rule stays on its line. */
function yaml(object: object): string {
  return stringify(object, { aliasDuplicateObjects: false, lineWidth: 0 });
}

if (import.meta.main) {
  for (const [path, text] of generatedFiles()) {
    writeFileSync(join(ROOT, path), text);
    console.log(path);
  }
}
