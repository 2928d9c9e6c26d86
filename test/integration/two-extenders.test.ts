/**
 * Two extenders by mistake, each with callers of its own, on few slots: one binds, the other says who
 * does, and takes over when that one has gone. No slot is given twice.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import { z } from 'zod';
import { clusterFor } from '../cluster/for-test.ts';
import { bound, createPod, listPods, type Pod, refusalOf } from '../cluster/pods.ts';
import { startInProcessExtender } from '../cluster/stack.ts';
import { waitFor } from '../cluster/wait.ts';
import { mpsNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const NODES = ['a', 'b'];
const SLOTS = 8;
const RESOURCES = { 'nvidia.com/gpu.shared': 1 };
const errorSchema = z.object({ Error: z.string() });

async function ask(url: string, verb: string, body: object): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const reply = await fetch(`${url}/${verb}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return errorSchema.parse(await reply.json()).Error;
}

function bind(url: string, { metadata }: Pod, Node: string): Promise<string> {
  const { name: PodName, namespace: PodNamespace, uid: PodUID } = metadata;
  return ask(url, 'bind', { PodName, PodNamespace, PodUID, Node });
}

tap.test('two extenders on one cluster', async (t) => {
  const nodes = NODES.map((name) => mpsNode({ name, gpus: 1, replicas: SLOTS }));
  const cluster = await clusterFor(t, { nodes, kubelets: false });
  if (!cluster) return;
  const { client } = cluster;
  const extenders = await Promise.all([0, 1].map(() => startInProcessExtender(cluster, 'bestfit')));
  t.teardown(() => Promise.all(extenders.map((extender) => extender.close())));
  await Promise.all(extenders.map(({ ready }) => ready));
  const urls = extenders.map(({ url }) => url);

  await t.test('128 binds at once through both: nothing is given twice, and one of them says why not', async (t) => {
    const names = Array.from({ length: 128 }, (_, i) => `pod-${i}`);
    const pods = await Promise.all(
      names.map((name) => createPod(client, gpuPod({ name, resources: RESOURCES, schedulerName: 'nobody' }))),
    );
    const outcomes = await Promise.all(pods.map((pod, i) => bind(urls[i % 2] ?? '', pod, NODES[(i >> 1) % 2] ?? '')));
    const [first, second] = [0, 1].map((who) => outcomes.filter((_, i) => i % 2 === who));
    const winner = first?.includes('') ? first : second;
    const loser = winner === first ? second : first;
    t.equal(winner?.filter((error) => error === '').length, NODES.length * SLOTS, 'every slot once');
    t.strictSame(
      new Set(loser?.map((error) => error.replace(/, [-0-9a-f]+, /, ', X, '))),
      new Set([
        'another extender, X, is at work on this cluster (Lease kube-system/gpu-autoscaler-extender); this one takes over once that one has been silent for 15 s',
      ]),
    );
    const held = Map.groupBy(bound(await listPods(client)), ({ spec }) => spec.nodeName);
    for (const name of NODES) t.equal(held.get(name)?.length, SLOTS, name);
  });

  await t.test(
    'a scheduler beside the wrong one: the pod’s event names the other, and it is bound later',
    async (t) => {
      // Who holds it now?
      const probe = await createPod(client, gpuPod({ name: 'probe', resources: RESOURCES, schedulerName: 'nobody' }));
      const args = (name: string) => ({ Pod: gpuPod({ name, resources: RESOURCES }), NodeNames: NODES });
      const errors = await Promise.all(urls.map((url) => ask(url, 'filter', args('probe'))));
      const idle = errors.findIndex((error) => error !== '');
      t.not(idle, -1);
      t.ok(probe);
      // It is asked on and on, while a scheduler is started beside the other one.
      let asking = true;
      const holding = (async () => {
        while (asking) {
          await ask(urls[1 - idle] ?? '', 'filter', args('probe'));
          await sleep(500);
        }
      })();
      await client.json('DELETE', '/api/v1/namespaces/default/pods?gracePeriodSeconds=0');
      await cluster.startScheduler({ extenderUrl: urls[idle] ?? '' });
      await createPod(client, gpuPod({ name: 'waits', resources: RESOURCES }));
      t.match(
        await refusalOf(client, 'waits'),
        /another extender, .*, is at work on this cluster \(Lease kube-system\/gpu-autoscaler-extender\)/,
      );
      asking = false;
      await holding;
      const pod = await waitFor('it is bound', async () => bound(await listPods(client))[0], { timeoutMs: 60_000 });
      t.equal(pod.metadata.name, 'waits');
    },
  );
});
