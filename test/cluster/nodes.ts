/** Changes to the nodes of a test cluster, as an administrator or NVIDIA's components make them. */

import type { KubeClient } from '../../src/cluster/kube-client.ts';

export async function createNode(client: KubeClient, manifest: object): Promise<void> {
  await client.json('POST', '/api/v1/nodes', { body: manifest });
}

export async function deleteNode(client: KubeClient, name: string): Promise<void> {
  await client.json('DELETE', `/api/v1/nodes/${name}`);
}
