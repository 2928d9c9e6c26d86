/** Each strategy places the same pods on the nodes that its definition demands, by the real kube-scheduler. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { createPod, deletePod, listPods } from '../cluster/pods.ts';
import { startInProcessExtender } from '../cluster/stack.ts';
import { waitFor } from '../cluster/wait.ts';
import { exclusiveNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

/** Node, GPUs, GPUs in use from the start. The oldest is neither the fullest nor the emptiest. */
const FLEET: readonly (readonly [name: string, gpus: number, used: number])[] = [
  ['node-c', 8, 4],
  ['node-a', 4, 3],
  ['node-e', 8, 7],
  ['node-b', 4, 0],
  ['node-d', 2, 1],
  ['node-f', 8, 8],
];

/** GPUs asked for, one pod after the other. */
const SEQUENCE = [1, 2, 1, 1, 4] as const;

/** Worked out by hand from the definitions. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  // Shares in use: c 4/8, a 3/4, e 7/8, b 0/4, d 1/2, f full. The fullest is e (then full); two fit c and
  // b, and c is fuller (now 6/8); c and a are even, and c is older (7/8); c (full); 4 fit b alone.
  bestfit: ['node-e', 'node-c', 'node-c', 'node-c', 'node-b'],
  // Oldest that fits: c takes 1, 2 and 1 (full); then a; 4 only fit b.
  firstfit: ['node-c', 'node-c', 'node-c', 'node-a', 'node-b'],
  // Emptiest that fits: b 0/4 → 1/4 → 3/4; then c and d are even at half, and c is older; then d; 4 fit nowhere any more.
  worstfit: ['node-b', 'node-b', 'node-c', 'node-d', 'pending'],
};

tap.test('on six nodes, some half full', async (t) => {
  const cluster = await clusterFor(t);
  if (!cluster) return;
  const { client } = cluster;
  // The API server stamps whole seconds: nodes made within one are ordered by name only.
  for (const [i, [name, gpus]] of FLEET.entries()) {
    if (i > 0) await sleep(1010);
    await client.json('POST', '/api/v1/nodes', { body: exclusiveNode({ name, gpus }) });
  }
  for (const [nodeName, , used] of FLEET) {
    if (used > 0) await createPod(client, gpuPod({ name: `old-${nodeName}`, gpus: used, nodeName }));
  }

  for (const [strategy, expected] of Object.entries(EXPECTED)) {
    await t.test(`${strategy}: pods of ${SEQUENCE.join(', ')} GPUs go to ${expected.join(', ')}`, async (t) => {
      const extender = await startInProcessExtender(cluster, strategy);
      t.teardown(() => extender.close());
      await extender.ready;
      const scheduler = await cluster.startScheduler({ extenderUrl: extender.url });
      t.teardown(() => scheduler.stop());
      const names = SEQUENCE.map((_, i) => `new-${i}`);
      t.teardown(() => Promise.all(names.map((name) => deletePod(client, name))));

      const placed: string[] = [];
      for (const [i, gpus] of SEQUENCE.entries()) {
        await createPod(client, gpuPod({ name: `new-${i}`, gpus }));
        placed.push(await outcomeOf(client, `new-${i}`));
      }
      t.same(placed, expected);
    });
  }
});

/** The node that the pod is bound to, or `pending` once kube-scheduler has given up for now. */
async function outcomeOf(client: KubeClient, name: string): Promise<string> {
  return waitFor(`${name} is bound or cannot be`, async () => {
    const pod = (await listPods(client)).find(({ metadata }) => metadata.name === name);
    if (pod?.spec.nodeName) return pod.spec.nodeName;
    return pod?.status.conditions.some(({ reason }) => reason === 'Unschedulable') && 'pending';
  });
}
