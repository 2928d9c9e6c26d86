/** Our custom resources on a test cluster: the chart's definitions, and objects made as kubectl makes them. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { NODE_CONFIGS, SHARING_POLICIES } from '#src/api/custom-resources.ts';
import { API_GROUP, API_VERSION } from '#src/api/keys.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { waitFor } from './wait.ts';

/** Folder of the definitions. */
export const CRDS = resolve(import.meta.dirname, '../../charts/gpu-autoscaler/crds');
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

export type Resource = typeof SHARING_POLICIES;

const storedSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string(), generation: z.int() }),
  spec: z.record(z.string(), z.unknown()),
  status: z.unknown().optional(),
});
export type Stored = z.infer<typeof storedSchema>;

const definitionSchema = z.object({
  status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).nullish() }),
});

/** Makes the API server serve our resources; what it says of each definition, once it does. */
export async function installDefinitions(client: KubeClient): Promise<Map<string, readonly string[]>> {
  const said = new Map<string, readonly string[]>();
  for (const resource of [SHARING_POLICIES, NODE_CONFIGS]) {
    const { plural } = resource;
    const body = parse(readFileSync(join(CRDS, `${plural}.yaml`), 'utf8'));
    await client.json('POST', `${DEFINITIONS}?fieldValidation=Strict`, { body });
    const conditions = await waitFor(`${plural} is established`, async () => {
      const { status } = definitionSchema.parse(await client.json('GET', `${DEFINITIONS}/${plural}.${API_GROUP}`));
      const holding = (status.conditions ?? []).filter(({ status }) => status === 'True').map(({ type }) => type);
      return holding.includes('Established') && holding;
    });
    said.set(plural, conditions);
    await waitFor(`${plural} is served`, () =>
      client.json('GET', pathOf(resource)).then(
        () => true,
        () => false,
      ),
    );
  }
  return said;
}

export function pathOf({ plural }: Resource): string {
  return `/apis/${API_GROUP}/${API_VERSION}/${plural}`;
}

export function manifest({ kind }: Resource, name: string, spec: unknown): object {
  return { apiVersion: `${API_GROUP}/${API_VERSION}`, kind, metadata: { name }, spec };
}

/** Unknown fields are an error, as they are for kubectl. */
export async function createCustom(
  client: KubeClient,
  resource: Resource,
  name: string,
  spec: unknown,
): Promise<Stored> {
  const path = `${pathOf(resource)}?fieldValidation=Strict`;
  return readStored(await client.json('POST', path, { body: manifest(resource, name, spec) }));
}

export function readStored(object: unknown): Stored {
  return storedSchema.parse(object);
}
