/**
 * A controller that dies after any of its writes, or finds the API server at its worst, and two of them at once: the
 * node ends as if nothing had happened.
 */

import tap from 'tap';
import { NODE_CONFIGS } from '#src/api/custom-resources.ts';
import { NODE } from '#src/api/keys.ts';
import { seededRandom } from '#src/core/random.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { FaultProxy } from '../../chaos/fault-proxy.ts';
import { NO_FAULTS } from '../../chaos/faults.ts';
import { createCustom, installDefinitions } from '../../cluster/custom-resources.ts';
import { A100, dropControllerLease, QUICK, QUICK_RECONCILER } from '../../cluster/emulated.ts';
import { clusterFor } from '../../cluster/for-test.ts';
import { comesTo, isMarked, readConfig, readNode } from '../../cluster/node-configs.ts';
import { startFleet, startInProcessController, writeConfiguration } from '../../cluster/stack.ts';
import { waitFor } from '../../cluster/wait.ts';

const SPEED = 20;
const CONFIGURATION = { reconciler: { ...QUICK_RECONCILER, maxInTransition: '100%' } };
const WANTED = {
  migEnabled: true,
  migLayouts: [{ gpus: [0], profiles: ['3g.20gb', '3g.20gb'] }],
  timeSlicingEnabled: true,
};

/** What must be the same, whatever has happened on the way. */
async function endState(client: KubeClient, node: string) {
  const { metadata, spec, status } = await readNode(client, node);
  const { labels, annotations } = metadata;
  const own = Object.entries(labels).filter(([key]) => key.startsWith('nvidia.com/'));
  const { failed, partition } = JSON.parse(annotations[NODE.partition] ?? '{}');
  return {
    // The number of the try is not part of it.
    labels: Object.fromEntries(own.map(([key, value]) => [key, value.replace(/-r\d$/, '')])),
    // kubelet forgets what has vanished in its own time.
    allocatable: Object.fromEntries(Object.entries(status.allocatable).filter(([, amount]) => amount !== '0')),
    unschedulable: spec.unschedulable ?? false,
    isMarked: isMarked({ metadata, spec, status }),
    partition,
    failed,
  };
}

tap.test('killed after each single write of a full repartition, and started again', async (t) => {
  const cluster = await clusterFor(t, { kubelets: false });
  if (!cluster) return;
  const { client, kubeConfig } = cluster;
  await installDefinitions(client);
  const names = Array.from({ length: 40 }, (_, i) => `n${i}`);
  const nodes = names.map((name) => ({ name, ...A100 }));
  const fleet = await startFleet(cluster, { nodes, speed: SPEED, timing: QUICK });
  t.teardown(() => fleet.stop());
  const configurationFile = writeConfiguration(cluster, CONFIGURATION);
  const setup = { configurationFile, speed: SPEED };
  let expected: unknown;
  let deaths = 0;
  for (const [n, node] of names.entries()) {
    const proxy = await FaultProxy.start({
      upstream: kubeConfig,
      rates: NO_FAULTS,
      random: seededRandom(n),
      ...(n > 0 && { writesUntilDeath: n }),
    });
    await createCustom(client, NODE_CONFIGS, node, { nodeName: node, ...WANTED });
    const first = await startInProcessController(cluster, { ...setup, kubeConfig: proxy.kubeConfig });
    const isReady = async () => (await readConfig(client, node)).status?.phase === 'Ready';
    await waitFor(`run ${n} ends`, async () => proxy.isDead || (await isReady()));
    const died = proxy.isDead;
    await first.close();
    await proxy.close();
    if (died) {
      deaths += 1;
      await dropControllerLease(client);
      const second = await startInProcessController(cluster, setup);
      await comesTo(client, node, 'Ready');
      await second.close();
    }
    const state = await endState(client, node);
    expected ??= state;
    t.strictSame(state, expected, n === 0 ? 'without a death' : `killed after write ${n}`);
    if (n > 0 && !died) break;
  }
  t.ok(deaths >= 8 && deaths < names.length - 1, `${deaths} writes, each of them the last`);
});

tap.test('two controllers, a bad network, an API server with its faults: every node gets there', async (t) => {
  const cluster = await clusterFor(t, { kubelets: false });
  if (!cluster) return;
  const { client, kubeConfig } = cluster;
  await installDefinitions(client);
  const names = Array.from({ length: 8 }, (_, i) => `n${i}`);
  const fleet = await startFleet(cluster, {
    nodes: names.map((name) => ({ name, ...A100 })),
    speed: SPEED,
    timing: QUICK,
  });
  t.teardown(() => fleet.stop());
  const configurationFile = writeConfiguration(cluster, CONFIGURATION);
  const seed = 7;
  t.comment(`seed ${seed}`);
  const rates = {
    ...NO_FAULTS,
    'too many requests': 0.03,
    'server error': 0.03,
    slow: 0.1,
    'cut reply': 0.05,
    'lost reply': 0.05,
    reset: 0.05,
    'watch dropped': 0.1,
    'watch expired': 0.05,
  };
  const proxies = await Promise.all(
    [0, 1].map((i) => FaultProxy.start({ upstream: kubeConfig, rates, random: seededRandom(seed + i) })),
  );
  const controllers = await Promise.all(
    proxies.map((proxy) =>
      startInProcessController(cluster, { configurationFile, speed: SPEED, kubeConfig: proxy.kubeConfig }),
    ),
  );
  t.teardown(async () => {
    await Promise.all(controllers.map((controller) => controller.close()));
    await Promise.all(proxies.map((proxy) => proxy.close()));
  });
  for (const node of names) await createCustom(client, NODE_CONFIGS, node, { nodeName: node, ...WANTED });
  for (const node of names) await comesTo(client, node, 'Ready', { timeoutMs: 90_000 });
  const states = await Promise.all(names.map((node) => endState(client, node)));
  for (const state of states) t.strictSame(state, states[0]);
  t.ok(
    [...proxies.flatMap(({ counts }) => [...counts.values()])].reduce((sum, count) => sum + count, 0) > 20,
    'faults were met',
  );
});
