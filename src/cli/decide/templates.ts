/** The pod that a workload makes: what the API server will ask the webhook about. */

import { z } from 'zod';
import { formatIssues } from '../../api/kubernetes.ts';
import { InputError } from '../input-error.ts';
import type { Manifest } from './manifests.ts';

const templateSchema = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).nullish() }).nullish(),
  spec: z.looseObject({}),
});
const withTemplate = z.object({ spec: z.object({ template: templateSchema }) });
const withJobTemplate = z.object({ spec: z.object({ jobTemplate: withTemplate }) });

/** Kinds whose pods are made by a controller, and the controller that owns them. */
type OwnerOf = (name: string) => { readonly kind: string; readonly name: string };

const OWNERS: Readonly<Record<string, OwnerOf>> = {
  Deployment: (name) => ({ kind: 'ReplicaSet', name: `${name}-${HASH}` }),
  ReplicaSet: (name) => ({ kind: 'ReplicaSet', name }),
  ReplicationController: (name) => ({ kind: 'ReplicationController', name }),
  StatefulSet: (name) => ({ kind: 'StatefulSet', name }),
  DaemonSet: (name) => ({ kind: 'DaemonSet', name }),
  Job: (name) => ({ kind: 'Job', name }),
  CronJob: (name) => ({ kind: 'Job', name: `${name}-${MINUTE}` }),
};
/** Stand for what Kubernetes makes up. */
const HASH = '0';
const MINUTE = '00000000';

/**
 * The pods of a Pod, of what Kubernetes' own controllers make pods from, and of any other object with the spec of a pod in it;
 * none for an object without.
 * @throws InputError
 */
export function podsOf(manifest: Manifest): TemplatePod[] {
  const { kind } = manifest.object;
  if (kind === 'Pod') return [{ pod: manifest.object, place: '' }];
  const owner = Object.hasOwn(OWNERS, kind) ? OWNERS[kind] : undefined;
  if (owner) return [{ pod: podOf(manifest, owner), place: '' }];
  const found = podsByShape(manifest.object);
  return found.length === 1 ? found.map(({ pod }) => ({ pod, place: '' })) : found;
}

/** A pod that an object makes. */
export interface TemplatePod {
  readonly pod: object;
  /** Where its template stands, `spec.headGroupSpec.template`; empty where there is but one place. */
  readonly place: string;
}

function podOf(manifest: Manifest, owner: OwnerOf): object {
  const { kind, metadata } = manifest.object;
  const name = metadata?.name ?? '';
  const template = templateOf(manifest);
  const reference = owner(name);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...template.metadata,
      labels: { ...template.metadata?.labels, ...(kind === 'Deployment' && { 'pod-template-hash': HASH }) },
      generateName: `${name}-`,
      ...(metadata?.namespace !== undefined && { namespace: metadata.namespace }),
      ownerReferences: [{ ...reference, controller: true }],
    },
    spec: { ...template.spec, ...(kind === 'DaemonSet' && onOneNode(template.spec)) },
  };
}

function templateOf({ object, at }: Manifest): z.infer<typeof templateSchema> {
  const parsed =
    object.kind === 'CronJob'
      ? withJobTemplate.transform(({ spec }) => spec.jobTemplate).safeParse(object)
      : withTemplate.safeParse(object);
  if (parsed.success) return parsed.data.spec.template;
  const place = at(parsed.error.issues[0]?.path);
  throw new InputError(`${place}: ${object.kind} ${object.metadata?.name ?? ''}: ${formatIssues(parsed.error)}`);
}

/** Parts of an object that are looked at for templates. */
const MAX_PARTS = 10_000;

/**
 * Pods of a kind that we do not know, by their shape: whatever has a list of containers is the spec of a pod. Its owner is
 * taken to be of the object's kind, as operators do it.
 */
function podsByShape(object: Manifest['object']): TemplatePod[] {
  const { kind, apiVersion, metadata } = object;
  const found: TemplatePod[] = [];
  const open: { readonly value: unknown; readonly path: readonly string[]; readonly parent: unknown }[] = [
    { value: object, path: [], parent: undefined },
  ];
  // An anchor of YAML may lead back to where it stands.
  const seen = new Set<unknown>();
  for (let i = 0; i < Math.min(open.length, MAX_PARTS); i += 1) {
    const { value, path, parent } = open[i] ?? { value: undefined, path: [], parent: undefined };
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    seen.add(value);
    const spec = podSpec.safeParse(value);
    if (!spec.success) {
      for (const [key, part] of Object.entries(value)) open.push({ value: part, path: [...path, key], parent: value });
      continue;
    }
    const isTemplate = path.at(-1) === 'spec' && path.length > 1;
    const template = isTemplate ? templateMetadata.safeParse(parent).data?.metadata : undefined;
    const name = metadata?.name ?? '';
    found.push({
      place: (isTemplate ? path.slice(0, -1) : path).join('.'),
      pod: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          ...template,
          generateName: `${name}-`,
          ...(metadata?.namespace !== undefined && { namespace: metadata.namespace }),
          ownerReferences: [{ apiVersion, kind, name, uid: name, controller: true }],
        },
        spec: spec.data,
      },
    });
  }
  return found;
}

const podSpec = z.looseObject({ containers: z.array(z.looseObject({})).min(1) });
const templateMetadata = z.object({ metadata: z.looseObject({}).nullish() });

/** A DaemonSet's controller writes the node into each pod's affinity. */
function onOneNode(spec: Record<string, unknown>): object {
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['each'] }] };
  const affinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } };
  return { affinity: { ...(spec.affinity as object | undefined), nodeAffinity: affinity } };
}
