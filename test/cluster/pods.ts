/** Pods of a test cluster, through its API alone. */

import { z } from 'zod';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { type WaitOptions, waitFor } from './wait.ts';

const resourcesSchema = z.record(z.string(), z.string()).optional();

const podSchema = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
    annotations: z.record(z.string(), z.string()).default({}),
    deletionTimestamp: z.string().optional(),
  }),
  spec: z.object({
    nodeName: z.string().optional(),
    schedulerName: z.string(),
    priorityClassName: z.string().optional(),
    containers: z.array(
      z.object({ name: z.string(), resources: z.object({ requests: resourcesSchema, limits: resourcesSchema }) }),
    ),
  }),
  status: z.object({
    phase: z.string(),
    nominatedNodeName: z.string().optional(),
    conditions: z
      .array(
        z.object({
          type: z.string(),
          status: z.string(),
          reason: z.string().optional(),
          message: z.string().optional(),
        }),
      )
      .default([]),
  }),
});
export type Pod = z.infer<typeof podSchema>;

const path = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;

/** Creates a pod from its manifest; what the API server made of it. */
export async function createPod(client: KubeClient, manifest: object, namespace = 'default'): Promise<Pod> {
  return podSchema.parse(await client.json('POST', path(namespace), { body: manifest }));
}

export async function listPods(client: KubeClient, namespace = 'default'): Promise<Pod[]> {
  const { items } = z.object({ items: z.array(podSchema) }).parse(await client.json('GET', path(namespace)));
  return items;
}

/** Deletes at once, as a pod that has ended would go. */
export async function deletePod(client: KubeClient, name: string, namespace = 'default'): Promise<void> {
  await client.json('DELETE', `${path(namespace)}/${name}?gracePeriodSeconds=0`);
}

/** Undefined if there is none of that name. */
export async function findPod(client: KubeClient, name: string): Promise<Pod | undefined> {
  return (await listPods(client)).find(({ metadata }) => metadata.name === name);
}

/** Waits until the pod is bound; its node. */
export async function nodeOf(client: KubeClient, name: string, options?: WaitOptions): Promise<string> {
  return waitFor(`${name} is bound`, async () => (await findPod(client, name))?.spec.nodeName, options);
}

/** Waits until kube-scheduler has tried the pod in vain; what its condition says. */
export async function refusalOf(client: KubeClient, name: string, options?: WaitOptions): Promise<string> {
  return waitFor(`${name} is refused`, async () => refusal(await findPod(client, name)), options);
}

/** What kube-scheduler says of why the pod is not bound, if it has tried. */
export function refusal(pod: Pod | undefined): string | undefined {
  const condition = pod?.status.conditions.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
  return condition?.message;
}

/** A merge patch of the object; null removes a key. */
export async function patchPod(client: KubeClient, name: string, body: object, subresource = ''): Promise<void> {
  const contentType = 'application/merge-patch+json';
  await client.json('PATCH', `${path('default')}/${name}${subresource}`, { body, contentType });
}

/** Takes its finalizers away: a terminating pod goes now. */
export async function letGo(client: KubeClient, name: string): Promise<void> {
  await patchPod(client, name, { metadata: { finalizers: null } });
}

export function bound(pods: readonly Pod[]): Pod[] {
  return pods.filter(({ spec }) => spec.nodeName !== undefined);
}
