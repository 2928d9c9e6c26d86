/** Nodes and pods as the API server stores them: what is read of each event of a watch, and nothing more. */

import { z } from 'zod';
import { containerSchema, securityContextSchema, taintSchema } from './kubernetes.ts';

type StringMap = Readonly<Record<string, string>>;

/** A map of strings. A node has dozens of labels, and sends all of them with each heartbeat: `z.record` takes ten times as long. */
const stringMap = z.custom<StringMap>(isStringMap, 'expected a map of strings').nullish();

function isStringMap(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  for (const key in value) if (typeof (value as Record<string, unknown>)[key] !== 'string') return false;
  return true;
}

/** The API server always sends strings; hand-written JSON may hold a number. */
const quantities = z
  .custom<Readonly<Record<string, string | number>>>(isQuantityMap, 'expected a map of quantities')
  .transform(withStrings)
  .nullish();

function isQuantityMap(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  for (const key in value) {
    const type = typeof (value as Record<string, unknown>)[key];
    if (type !== 'string' && type !== 'number') return false;
  }
  return true;
}

function withStrings(map: Readonly<Record<string, string | number>>): StringMap {
  for (const key in map) {
    if (typeof map[key] === 'number')
      return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, String(value)]));
  }
  return map as StringMap;
}

/** The part of `metadata` that every kind has. */
const metadata = z.object({
  name: z.string().min(1),
  resourceVersion: z.string().optional(),
  labels: stringMap,
  annotations: stringMap,
  creationTimestamp: z.string().nullish(),
  deletionTimestamp: z.string().nullish(),
});

export const storedNodeSchema = z.object({
  metadata,
  spec: z.object({ unschedulable: z.boolean().nullish(), taints: z.array(taintSchema).nullish() }).nullish(),
  status: z
    .object({
      allocatable: quantities,
      conditions: z.array(z.object({ type: z.string(), status: z.string().nullish() })).nullish(),
    })
    .nullish(),
});
export type StoredNode = z.infer<typeof storedNodeSchema>;

export const ownerReferenceSchema = z.object({
  apiVersion: z.string().default(''),
  kind: z.string(),
  name: z.string(),
  controller: z.boolean().nullish(),
});

const container = containerSchema.extend({
  resources: z.object({ requests: quantities, limits: quantities }).nullish(),
});

export const storedPodSchema = z.object({
  metadata: metadata.extend({
    name: z.string().optional(),
    namespace: z.string().optional(),
    uid: z.string().min(1),
    ownerReferences: z.array(ownerReferenceSchema).nullish(),
  }),
  spec: z.object({
    nodeName: z.string().nullish(),
    containers: z.array(container).min(1),
    initContainers: z.array(container).nullish(),
    securityContext: securityContextSchema,
  }),
  status: z.object({ phase: z.string().nullish(), reason: z.string().nullish() }).nullish(),
});
export type StoredPod = z.infer<typeof storedPodSchema>;

/** The identity of an object that has gone. */
export const namedSchema = z.object({ metadata: z.object({ name: z.string().min(1) }) });
const namespacedSchema = z.object({ metadata: z.object({ namespace: z.string(), name: z.string() }) });

/** `namespace/name` of an object, of which nothing else need be readable. */
export function namespacedNameOf(object: unknown): string | undefined {
  const metadata = namespacedSchema.safeParse(object).data?.metadata;
  return metadata && `${metadata.namespace}/${metadata.name}`;
}
export const podIdentitySchema = z.object({ metadata: z.object({ uid: z.string().min(1) }) });
