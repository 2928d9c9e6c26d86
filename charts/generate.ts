/**
 * Writes what the chart has from the program: its CustomResourceDefinitions, and the schema of its values.
 *
 * usage: npm run generate
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { configurationSchema } from '#src/api/configuration.ts';
import { definitionOf, NODE_CONFIGS, SHARING_POLICIES } from '#src/api/custom-resources.ts';

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
  ]);
}

const SOURCE = 'Written by `npm run generate` from src/api: change it there.';

/** Without anchors, which helm and kubectl read but people do not; a rule stays on its line. */
function yaml(object: object): string {
  return stringify(object, { aliasDuplicateObjects: false, lineWidth: 0 });
}

if (import.meta.main) {
  for (const [path, text] of generatedFiles()) {
    writeFileSync(join(import.meta.dirname, '..', path), text);
    console.log(path);
  }
}
