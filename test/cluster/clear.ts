/** For tests that share a control plane: each finds it empty, and leaves it empty. */

import type { Test } from 'tap';
import { z } from 'zod';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { CPU_NODE } from '../objects/nodes.ts';
import { deleteNode } from './nodes.ts';
import { deletePod, letGo, listPods } from './pods.ts';
import { waitFor } from './wait.ts';

const namesSchema = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

/**
 * After the test, all pods and nodes go, but for the one that `cpuNode` makes: without any node kube-scheduler
 * gives a pod up, and comes back to it in its own time.
 */
export function clearAfter(t: Test, client: KubeClient): void {
  t.teardown(async () => {
    for (const { metadata } of await listPods(client)) {
      await letGo(client, metadata.name);
      await deletePod(client, metadata.name);
    }
    await waitFor('all pods are gone', async () => (await listPods(client)).length === 0);
    const { items } = namesSchema.parse(await client.json('GET', '/api/v1/nodes'));
    for (const { metadata } of items) if (metadata.name !== CPU_NODE) await deleteNode(client, metadata.name);
  });
}
