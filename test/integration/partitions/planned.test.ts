/** Pods that cannot be placed, and what the planner makes of it, on emulated nodes behind a real control plane. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import { z } from 'zod';
import { NODE_CONFIGS } from '#src/api/custom-resources.ts';
import { CUSTOM_RESOURCES, NODE_CONFIG } from '#src/api/keys.ts';
import { createCustom } from '../../cluster/custom-resources.ts';
import { A100 } from '../../cluster/emulated.ts';
import { eventsOf } from '../../cluster/events.ts';
import { stackFor } from '../../cluster/for-test.ts';
import { comesTo, readConfig, readNode, reasonOf } from '../../cluster/node-configs.ts';
import { createPod, deletePod, findPod, nodeOf } from '../../cluster/pods.ts';
import { waitFor } from '../../cluster/wait.ts';
import { gpuPod } from '../../objects/pods.ts';

const SPEED = 60;
const STRATEGY = 'gpu-autoscaler.io/optimization-strategy';
const MIG = 'nvidia.com/mig-1g.5gb';

tap.test('pods that wait for GPUs', async (t) => {
  const nodes = ['free', 'by-hand', 'mps-only', 'held'].map((name) => ({ name, ...A100, labels: { pool: name } }));
  const stack = await stackFor(t, {
    controller: true,
    webhook: false,
    fleet: {
      speed: SPEED,
      nodes,
      configuration: {
        sharing: { mig: { autoConfig: true }, timeSlicing: { autoConfig: true }, mps: { autoConfig: false } },
        reconciler: { maxInTransition: '100%' },
      },
    },
  });
  if (!stack?.fleet) return;
  const { client } = stack.cluster;
  const pod = (
    name: string,
    resource: string,
    pool: string,
    more: { spec?: object; annotations?: Record<string, string> } = {},
  ) =>
    gpuPod({
      name,
      resources: { [resource]: 1 },
      ...(more.annotations && { annotations: more.annotations }),
      spec: { nodeSelector: { pool }, ...more.spec },
    });
  const configs = async () => {
    const list = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });
    return list
      .parse(await client.json('GET', CUSTOM_RESOURCES.nodeConfigs))
      .items.map(({ metadata }) => metadata.name);
  };
  /** Several rounds of planning, 60 s each at most. */
  const rounds = () => sleep(2_500);

  await t.test('what no partition would help is left alone', async (t) => {
    await createPod(
      client,
      pod('gated', MIG, 'free', { spec: { schedulingGates: [{ name: 'example.com/not-yet' }] } }),
    );
    await createPod(client, pod('elsewhere', MIG, 'nowhere'));
    const cpu = { requests: { cpu: '500', [MIG]: '1' }, limits: { [MIG]: '1' } };
    await createPod(
      client,
      pod('huge', MIG, 'free', {
        spec: { containers: [{ name: 'main', image: 'registry.invalid/none', resources: cpu }] },
      }),
    );
    await rounds();
    t.strictSame(await configs(), [], 'nothing was planned');
    t.match((await eventsOf(client, 'huge')).map(({ message }) => message).join(), /no partition is changed for it/);
    for (const name of ['gated', 'elsewhere', 'huge']) await deletePod(client, name);
  });

  await t.test('an idle node is partitioned for it, and says why', async (t) => {
    await createPod(client, pod('one', MIG, 'free'));
    t.equal(await nodeOf(client, 'one', { timeoutMs: 60_000 }), 'free');
    const config = await readConfig(client, 'free');
    t.equal(config.labels[NODE_CONFIG.managedBy], 'planner');
    t.match(config.annotations[NODE_CONFIG.why], /makes room for 1 pod .* by changing 1 of 2 GPUs/);
    t.equal(config.spec.ok && config.spec.value.migLayouts?.[0]?.gpus.length, 1);
    t.match(
      (await readNode(client, 'free')).status.allocatable,
      { 'nvidia.com/gpu': '1', [MIG]: '7' },
      'one GPU changed',
    );
    t.match(
      (await eventsOf(client, 'free')).map(({ reason }) => reason),
      ['Planned', 'PartitionChanging', 'PartitionReady'],
    );
  });

  await t.test('what is free is taken first', async (t) => {
    for (let i = 0; i < 6; i += 1) await createPod(client, pod(`more-${i}`, MIG, 'free'));
    for (let i = 0; i < 6; i += 1) t.equal(await nodeOf(client, `more-${i}`), 'free');
    t.equal((await readConfig(client, 'free')).generation, 1, 'nothing was changed for them');
  });

  await t.test('a node that somebody configured by hand is left to them: it is recommended', async (t) => {
    await createCustom(client, NODE_CONFIGS, 'theirs', { nodeName: 'by-hand', timeSlicingEnabled: true });
    await comesTo(client, 'theirs', 'Ready');
    await createPod(client, pod('wish', MIG, 'by-hand'));
    const events = await waitFor('it is recommended', async () => {
      const found = await eventsOf(client, 'wish');
      return found.some(({ reason }) => reason === 'PartitionRecommended') && found;
    });
    t.match(events.map(({ message }) => message).join(), /GPUNodeConfig theirs was written by hand: by-hand to /);
    t.equal((await readConfig(client, 'theirs')).generation, 1);
    const recommended = async () => reasonOf(await readConfig(client, 'theirs'), 'Recommended');
    await waitFor('its status says so', async () => (await recommended()) === 'PodsWait');
    await rounds();
    t.equal(
      (await eventsOf(client, 'wish')).filter(({ reason }) => reason === 'PartitionRecommended').length,
      1,
      'once',
    );
    await deletePod(client, 'wish');
    await waitFor('and no more, once nobody waits', async () => (await recommended()) === undefined);
  });

  await t.test('a mode without autoConfig is recommended only', async (t) => {
    await createPod(client, pod('served', 'nvidia.com/gpu.shared', 'mps-only', { annotations: { [STRATEGY]: 'mps' } }));
    await waitFor('it is recommended', async () => {
      return (await eventsOf(client, 'served')).some(({ message }) =>
        message.includes('sharing.mps.autoConfig is false'),
      );
    });
    t.notOk((await configs()).includes('mps-only'));
    await deletePod(client, 'served');
  });

  await t.test('nothing that a running pod uses is touched; once it is gone the node is', async (t) => {
    await createPod(client, pod('holder', 'nvidia.com/gpu', 'held'));
    t.equal(await nodeOf(client, 'holder'), 'held');
    await createPod(client, pod('later', MIG, 'held'));
    await waitFor('it is refused', async () => {
      return (await eventsOf(client, 'later')).some(({ reason }) => reason === 'NoPartition');
    });
    t.equal((await findPod(client, 'holder'))?.status.phase, 'Running');
    t.notOk((await configs()).includes('held'));
    await deletePod(client, 'holder');
    t.equal(await nodeOf(client, 'later', { timeoutMs: 60_000 }), 'held');
  });

  await t.test('on the way nobody was harmed', async (t) => {
    for (const { name } of nodes) {
      const { harmed, refused, overlapped } = stack.fleet?.node(name) ?? { harmed: ['?'] };
      t.strictSame({ harmed, refused, overlapped }, { harmed: [], refused: [], overlapped: [] }, name);
    }
  });
});
