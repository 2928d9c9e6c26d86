/** A tenant's pods that can never run, on the real kube-scheduler: they take no more than one idle node, and not for long. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import { z } from 'zod';
import { CUSTOM_RESOURCES } from '#src/api/keys.ts';
import { A100 } from '../../cluster/emulated.ts';
import { eventsOf } from '../../cluster/events.ts';
import { stackFor } from '../../cluster/for-test.ts';
import { createPod, deletePod, nodeOf } from '../../cluster/pods.ts';
import { waitFor } from '../../cluster/wait.ts';
import { gpuPod } from '../../objects/pods.ts';

const PHANTOMS = 40;

/** Beside a pod that does not exist. */
const IMPOSSIBLE = {
  affinity: {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: { app: 'does-not-exist' } }, topologyKey: 'kubernetes.io/hostname' },
      ],
    },
  },
};

tap.test('pods with an impossible affinity, and a training pod of another tenant', async (t) => {
  const stack = await stackFor(t, {
    controller: true,
    webhook: false,
    fleet: {
      speed: 60,
      nodes: ['a', 'b', 'c'].map((name) => ({ name, ...A100 })),
      configuration: { sharing: { mps: { autoConfig: true } }, reconciler: { maxInTransition: '100%' } },
    },
  });
  if (!stack?.fleet) return;
  const { client } = stack.cluster;
  const configs = async () =>
    z
      .object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) })
      .parse(await client.json('GET', CUSTOM_RESOURCES.nodeConfigs)).items.length;

  await t.test('one node is changed for them, whatever their number', async (t) => {
    for (let i = 0; i < PHANTOMS; i += 1)
      await createPod(
        client,
        gpuPod({ name: `phantom-${i}`, resources: { 'nvidia.com/gpu.shared': 1 }, spec: IMPOSSIBLE }),
      );
    await waitFor('a node is changed', async () => (await configs()) === 1, { timeoutMs: 60_000 });
    await waitFor(
      'their authors are told',
      async () => (await eventsOf(client, `phantom-${PHANTOMS - 1}`)).some(({ message }) => /affinity/.test(message)),
      { timeoutMs: 60_000 },
    );
    // Several rounds of planning, 60 s each.
    await sleep(8_000);
    t.equal(await configs(), 1);
  });

  await t.test('they go, and three whole nodes are there for others', async (t) => {
    for (let i = 0; i < PHANTOMS; i += 1) await deletePod(client, `phantom-${i}`);
    for (const name of ['x', 'y', 'z']) await createPod(client, gpuPod({ name, gpus: 2 }));
    const nodes = await Promise.all(['x', 'y', 'z'].map((name) => nodeOf(client, name, { timeoutMs: 60_000 })));
    t.strictSame(nodes.sort(), ['a', 'b', 'c']);
  });
});
