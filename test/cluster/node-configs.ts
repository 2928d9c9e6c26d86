/** GPUNodeConfigs of a test cluster, and the nodes that they are for, through the API alone. */

import { z } from 'zod';
import { CUSTOM_RESOURCES, NODE } from '#src/api/keys.ts';
import { type NodeConfig, parseNodeConfig } from '#src/api/node-config.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { type WaitOptions, waitFor } from './wait.ts';

const nodeSchema = z.object({
  metadata: z.object({
    name: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({ unschedulable: z.boolean().optional() }).default({}),
  status: z.object({ allocatable: z.record(z.string(), z.string()).default({}) }),
});
export type NodeObject = z.infer<typeof nodeSchema>;

export async function readNode(client: KubeClient, name: string): Promise<NodeObject> {
  return nodeSchema.parse(await client.json('GET', `/api/v1/nodes/${name}`));
}

/** Sets labels, as somebody outside does; null removes. */
export async function labelNode(
  client: KubeClient,
  name: string,
  labels: Record<string, string | null>,
): Promise<void> {
  const contentType = 'application/merge-patch+json';
  await client.json('PATCH', `/api/v1/nodes/${name}`, { body: { metadata: { labels } }, contentType });
}

export function isMarked({ metadata }: NodeObject): boolean {
  return metadata.annotations[NODE.transition] !== undefined;
}

export async function readConfig(client: KubeClient, name: string): Promise<NodeConfig> {
  const config = parseNodeConfig(await client.json('GET', `${CUSTOM_RESOURCES.nodeConfigs}/${name}`));
  if (!config) throw new Error(`${name} cannot be read`);
  return config;
}

export async function patchConfig(client: KubeClient, name: string, spec: object): Promise<void> {
  const contentType = 'application/merge-patch+json';
  await client.json('PATCH', `${CUSTOM_RESOURCES.nodeConfigs}/${name}`, { body: { spec }, contentType });
}

export async function deleteConfig(client: KubeClient, name: string): Promise<void> {
  await client.json('DELETE', `${CUSTOM_RESOURCES.nodeConfigs}/${name}`);
}

/** The reason of a condition, where its status is that; undefined otherwise. */
export function reasonOf({ status }: NodeConfig, type: string, is: 'True' | 'False' = 'True'): string | undefined {
  return status?.conditions?.find((condition) => condition.type === type && condition.status === is)?.reason;
}

/** Waits until the status was found for the spec as it stands, and its condition Ready has that reason. */
export function comesTo(client: KubeClient, name: string, reason: string, options?: WaitOptions): Promise<NodeConfig> {
  return waitFor(
    `${name} is ${reason}`,
    async () => {
      const config = await readConfig(client, name);
      const ready = config.status?.conditions?.find(({ type }) => type === 'Ready');
      return ready?.reason === reason && ready.observedGeneration === config.generation && config;
    },
    options,
  );
}
