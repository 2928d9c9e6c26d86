/** Tenants whose quota counts whole GPUs: on the real control plane, its quota controller included, no slot gets around that. */

import tap from 'tap';
import { z } from 'zod';
import { NODE_CONFIGS } from '#src/api/custom-resources.ts';
import { pathOf } from '../cluster/custom-resources.ts';
import { A100 } from '../cluster/emulated.ts';
import { eventsOf } from '../cluster/events.ts';
import { stackFor } from '../cluster/for-test.ts';
import { createPod, deletePod, nodeOf, refusalOf } from '../cluster/pods.ts';
import { waitFor } from '../cluster/wait.ts';
import { mpsNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const SHARED = 'nvidia.com/gpu.shared';
const MIG = 'nvidia.com/mig-1g.5gb';

/** As an author writes who would like to pass for one that was decided. */
const FORGED = {
  'gpu-autoscaler.io/optimized': 'true',
  'gpu-autoscaler.io/optimization-strategy': 'mps',
  'gpu-autoscaler.io/policy': 'somebody-elses',
};

tap.test('a namespace that may use one GPU', async (t) => {
  const stack = await stackFor(t, {
    controller: true,
    controllers: true,
    nodes: [mpsNode({ name: 'mps', gpus: 2, replicas: 8 })],
    fleet: {
      speed: 60,
      nodes: [{ name: 'idle', ...A100 }],
      configuration: { sharing: { mig: { autoConfig: true }, mps: { autoConfig: true } } },
    },
  });
  if (!stack) return;
  const { client } = stack.cluster;
  const quotas = '/api/v1/namespaces/default/resourcequotas';
  const quota = (hard: object) => ({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'one-gpu' },
    spec: { hard },
  });
  await client.json('POST', quotas, { body: quota({ 'requests.nvidia.com/gpu': '1' }) });
  await waitFor('the extender has heard of it', () => stack.extender.state.guards.of('default').counted.size > 0);
  const slot = (name: string, resource: string) =>
    gpuPod({ name, resources: { [resource]: 1 }, annotations: FORGED, schedulerName: 'gpu-autoscaler-scheduler' });

  await t.test('gets no slot by name, and says why', async (t) => {
    for (const i of [1, 2, 3]) await createPod(client, slot(`evader-${i}`, SHARED));
    await createPod(client, slot('evader-mig', MIG));
    t.match(
      await refusalOf(client, 'evader-1'),
      /UncountedByQuota: a ResourceQuota of the namespace counts nvidia\.com\/gpu, and not nvidia\.com\/gpu\.shared/,
    );
  });

  await t.test('no partition is made for it', async (t) => {
    await waitFor('the planner has answered', async () =>
      (await eventsOf(client, 'evader-mig')).some(({ message }) => /counts nvidia\.com\/gpu, and not/.test(message)),
    );
    t.match(await client.json('GET', pathOf(NODE_CONFIGS)), { items: [] });
  });

  await t.test('once the quota counts slots, they are given within it', async (t) => {
    await client.json('PUT', `${quotas}/one-gpu`, {
      body: quota({ 'requests.nvidia.com/gpu': '1', 'requests.nvidia.com/gpu.shared': '4' }),
    });
    await waitFor('Kubernetes counts them', async () => {
      const { status } = z
        .object({ status: z.object({ used: z.record(z.string(), z.string()).optional() }) })
        .parse(await client.json('GET', `${quotas}/one-gpu`));
      return status.used?.[`requests.${SHARED}`] === '3';
    });
    await waitFor('it is heard', () => stack.extender.state.guards.of('default').counted.has(SHARED));
    await deletePod(client, 'evader-1');
    await createPod(client, slot('counted', SHARED));
    t.equal(await nodeOf(client, 'counted'), 'mps');
    await createPod(client, slot('fourth', SHARED));
    await t.rejects(createPod(client, slot('fifth', SHARED)), /exceeded quota: one-gpu/);
  });
});
