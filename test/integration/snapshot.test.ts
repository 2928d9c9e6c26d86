/** A snapshot of a real API server, as kubectl would print it, goes through simulate. */

import tap from 'tap';
import { z } from 'zod';
import { readSnapshot } from '#src/cli/simulate/snapshot.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { createPod } from '../cluster/pods.ts';
import { exclusiveNode, mpsNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

tap.test('nodes and pods of a real cluster become a workload', async (t) => {
  const cluster = await clusterFor(t, {
    nodes: [exclusiveNode({ name: 'whole', gpus: 4 }), mpsNode({ name: 'mps', gpus: 2, replicas: 8 })],
  });
  if (!cluster) return;
  const { client } = cluster;
  const requests = { requests: { cpu: '1500m', memory: '2Gi' } };
  const daemon = { nodeName: 'whole', containers: [{ name: 'd', image: 'none', resources: requests }] };
  await createPod(client, gpuPod({ name: 'daemon', spec: daemon }));
  await createPod(client, gpuPod({ name: 'training', gpus: 2 }));
  await createPod(client, gpuPod({ name: 'server', resources: { 'nvidia.com/gpu.shared': 1 } }));

  // kubectl puts the kind into each item; a list of the API leaves it out.
  const listSchema = z.object({ items: z.array(z.looseObject({})) });
  const itemsOf = async (path: string, kind: string) => {
    const { items } = listSchema.parse(await client.json('GET', path));
    return items.map((item) => ({ ...item, kind }));
  };
  const items = [...(await itemsOf('/api/v1/nodes', 'Node')), ...(await itemsOf('/api/v1/pods', 'Pod'))];
  const { nodes, pods } = readSnapshot({ name: 'cluster.json', text: JSON.stringify({ kind: 'List', items }) });
  t.match(
    nodes.toSorted((a, b) => (a.inventory.name < b.inventory.name ? -1 : 1)),
    [
      { inventory: { name: 'mps', gpus: 2 }, cpuMilli: 96_000, memoryMiB: 768 * 1024 },
      { inventory: { name: 'whole', gpus: 4 }, cpuMilli: 94_500, memoryMiB: 766 * 1024 },
    ],
  );
  t.strictSame(
    pods.map(({ request }) => request.resources.map(({ resource, count }) => `${count} ${resource}`).join()).sort(),
    ['1 nvidia.com/gpu.shared', '2 nvidia.com/gpu'],
  );
});
