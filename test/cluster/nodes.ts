/** Changes to the nodes of a test cluster, as an administrator or NVIDIA's components make them. */

import type { KubeClient } from '#src/kube/kube-client.ts';

const contentType = 'application/merge-patch+json';

export async function createNode(client: KubeClient, manifest: object): Promise<void> {
  await client.json('POST', '/api/v1/nodes', { body: manifest });
}

export async function deleteNode(client: KubeClient, name: string): Promise<void> {
  await client.json('DELETE', `/api/v1/nodes/${name}`);
}

/** A merge patch of the object; null removes a key. */
export async function patchNode(client: KubeClient, name: string, body: object): Promise<void> {
  await client.json('PATCH', `/api/v1/nodes/${name}`, { body, contentType });
}

/** What the node offers, as kubelet publishes it for the device plugin; 0 where it offers no more of a resource. */
export async function setAllocatable(
  client: KubeClient,
  name: string,
  counts: Readonly<Record<string, number>>,
): Promise<void> {
  const amounts = Object.fromEntries(Object.entries(counts).map(([resource, count]) => [resource, String(count)]));
  const body = { status: { capacity: amounts, allocatable: amounts } };
  await client.json('PATCH', `/api/v1/nodes/${name}/status`, { body, contentType });
}
