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
const OWNERS: Readonly<Record<string, (name: string) => { readonly kind: string; readonly name: string }>> = {
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
 * The pod of a Pod, Deployment, ReplicaSet, ReplicationController, StatefulSet, DaemonSet, Job or CronJob; undefined for
 * a kind that makes none.
 * @throws InputError
 */
export function podOf(manifest: Manifest): object | undefined {
  const { kind, metadata } = manifest.object;
  if (kind === 'Pod') return manifest.object;
  const owner = Object.hasOwn(OWNERS, kind) ? OWNERS[kind] : undefined;
  if (!owner) return undefined;
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

/** A DaemonSet's controller writes the node into each pod's affinity. */
function onOneNode(spec: Record<string, unknown>): object {
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['each'] }] };
  const affinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } };
  return { affinity: { ...(spec.affinity as object | undefined), nodeAffinity: affinity } };
}
