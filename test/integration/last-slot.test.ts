/** More pods than slots: nobody gets a slot twice, and who waits gets one as soon as it is free. */

import tap from 'tap';
import { z } from 'zod';
import { allocationRecordSchema } from '#src/api/allocation-record.ts';
import { stackFor } from '../cluster/for-test.ts';
import { bound, createPod, deletePod, listPods, type Pod } from '../cluster/pods.ts';
import { createAll } from '../cluster/start.ts';
import { waitFor } from '../cluster/wait.ts';
import { mpsNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const NODES = [
  mpsNode({ name: 'a', gpus: 2, replicas: 5 }),
  mpsNode({ name: 'b', gpus: 1, replicas: 4 }),
  mpsNode({ name: 'c', gpus: 3, replicas: 2 }),
];
const SLOTS: Readonly<Record<string, number>> = { a: 10, b: 4, c: 6 };
const SHARED = { 'nvidia.com/gpu.shared': 1 };

/** Slots held by node, from API objects alone; each pod's record must name its node. */
function slotsHeld(pods: readonly Pod[]): Record<string, number> {
  const held: Record<string, number> = {};
  for (const { metadata, spec } of bound(pods)) {
    const record = allocationRecordSchema.parse(JSON.parse(metadata.annotations['gpu-autoscaler.io/allocation'] ?? ''));
    if (record.node !== spec.nodeName) throw new Error(`${metadata.name} is on ${spec.nodeName}, not ${record.node}`);
    held[record.node] = (held[record.node] ?? 0) + record.count;
  }
  return held;
}

tap.test('50 pods for 20 slots: 20 are bound, 30 wait; 10 go, and 10 more are bound within 2 s', async (t) => {
  const stack = await stackFor(t, { nodes: NODES, webhook: false });
  if (!stack) return;
  const { client } = stack.cluster;
  const manifests = Array.from({ length: 50 }, (_, i) => gpuPod({ name: `pod-${i}`, resources: SHARED }));
  await createAll(client, '/api/v1/namespaces/default/pods', manifests);
  await waitFor('every pod is bound or refused', async () => {
    const pods = await listPods(client);
    return pods.every(
      ({ spec, status }) => spec.nodeName ?? status.conditions.some(({ status }) => status === 'False'),
    );
  });
  const first = await listPods(client);
  t.same(slotsHeld(first), SLOTS);
  t.equal(bound(first).length, 20);

  await Promise.all(
    bound(first)
      .slice(0, 10)
      .map(({ metadata }) => deletePod(client, metadata.name)),
  );
  const freedAt = performance.now();
  await waitFor(
    'all 40 pods that are left have had their turn',
    async () => bound(await listPods(client)).length === 20,
  );
  const seconds = (performance.now() - freedAt) / 1000;
  t.comment(`10 more were bound ${seconds.toFixed(2)} s after 10 had gone`);
  t.ok(seconds < 2, 'within 2 s');
  t.same(slotsHeld(await listPods(client)), SLOTS);
});

tap.test(
  '50 binds at once for 20 slots, past the scheduler: 20 succeed, 30 get an error, the pods agree',
  async (t) => {
    const stack = await stackFor(t, { nodes: NODES, webhook: false });
    if (!stack) return;
    const { client } = stack.cluster;
    // A scheduler that is not there leaves the pods alone: only our binds act.
    const pods = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        createPod(client, gpuPod({ name: `pod-${i}`, resources: SHARED, schedulerName: 'nobody' })),
      ),
    );
    const nodes = Object.keys(SLOTS);
    // As many callers as pods; every pod tries each node in turn, from a different one on.
    const results = await Promise.all(
      pods.map(async ({ metadata }, i) => {
        for (const [turn] of nodes.entries()) {
          const reply = await fetch(`${stack.extender.url}/bind`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({
              PodName: metadata.name,
              PodNamespace: metadata.namespace,
              PodUID: metadata.uid,
              Node: nodes[(i + turn) % nodes.length],
            }),
          });
          const { Error: fault } = z.object({ Error: z.string() }).parse(await reply.json());
          if (fault === '') return 'bound';
          t.match(fault, /^InsufficientSlots: /);
        }
        return 'refused';
      }),
    );
    t.equal(results.filter((result) => result === 'bound').length, 20);
    const after = await listPods(client);
    t.same(slotsHeld(after), SLOTS);
    await waitFor('the watch has confirmed all reservations', () => stack.extender.state.ledger.reservations() === 0);
  },
);
