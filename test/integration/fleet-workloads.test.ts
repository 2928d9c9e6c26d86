/**
 * Each kind of workload that people have asked about, on a real kube-apiserver and kube-scheduler with webhook and extender:
 * what it asks for in the end, where it runs, or in which words it waits. Each has a pool of nodes of its own.
 */

import { text } from 'node:stream/consumers';
import tap, { type Test } from 'tap';
import { z } from 'zod';
import { SHARING_POLICIES } from '#src/api/custom-resources.ts';
import { WRITTEN } from '#src/api/keys.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { pathOf } from '../cluster/custom-resources.ts';
import { stackFor } from '../cluster/for-test.ts';
import { listPods, type Pod, patchPod, refusal } from '../cluster/pods.ts';
import { waitFor } from '../cluster/wait.ts';
import type { Manifest } from '../fakes/object-store.ts';
import { checkPod } from '../objects/fleet/check.ts';
import type { FleetPod, FleetWorkload } from '../objects/fleet/workload.ts';
import { FLEET_WORKLOADS } from '../objects/fleet/workloads.ts';

const POOL = 'pool';
/** Kinds that this API server knows. */
const PATHS: Readonly<Record<string, string>> = {
  GPUSharingPolicy: pathOf(SHARING_POLICIES),
  DeviceClass: '/apis/resource.k8s.io/v1/deviceclasses',
  ResourceSlice: '/apis/resource.k8s.io/v1/resourceslices',
};
const specSchema = z.looseObject({ nodeSelector: z.record(z.string(), z.string()).optional() });

tap.test('workloads of the fleet', async (t) => {
  const nodes = FLEET_WORKLOADS.flatMap((workload) => workload.nodes.map((node) => pooled(node, workload.id)));
  const stack = await stackFor(t, { nodes, kubelets: false, controller: true });
  if (!stack) return;
  const { client } = stack.cluster;
  await stack.cluster.startScheduler({});
  const runtime = {
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name: 'nvidia' },
    handler: 'nvidia',
  };
  await client.json('POST', '/apis/node.k8s.io/v1/runtimeclasses', { body: runtime });

  for (const workload of FLEET_WORKLOADS) {
    await t.test(`${workload.id}: ${workload.says}`, async (t) => {
      await createOthers(client, workload);
      for (const each of workload.pods) {
        await admit(t, client, workload, each);
        await openGates(client, workload, each);
        await settle(t, client, workload, each);
      }
    });
  }
});

/** The node in the pool of its workload, under a name of its own. */
function pooled<T extends Manifest>(node: T, id: string): T {
  const { metadata } = node;
  const labels = { ...(metadata.labels as object), [POOL]: id };
  return { ...node, metadata: { ...metadata, name: `${id}-${metadata.name}`, labels } };
}

/** The replicas of the pod, in the pool of their workload. */
function replicasOf({ pod, replicas = 1 }: FleetPod, { id }: FleetWorkload): Manifest[] {
  const spec = specSchema.parse(pod.spec);
  return Array.from({ length: replicas }, (_, i) => ({
    ...pod,
    metadata: { ...pod.metadata, name: `${id}-${pod.metadata.name}-${i}` },
    spec: { ...spec, nodeSelector: { ...spec.nodeSelector, [POOL]: id } },
  }));
}

async function createOthers(client: KubeClient, { id, others = [] }: FleetWorkload): Promise<void> {
  for (const other of others) {
    const path = PATHS[String(other.kind)];
    const spec = z.looseObject({ nodeName: z.string().optional() }).parse(other.spec);
    const body = { ...other, spec: { ...spec, ...(spec.nodeName && { nodeName: `${id}-${spec.nodeName}` }) } };
    if (path) await client.json('POST', path, { body });
  }
}

/** Makes the replicas, and checks what the webhook made of each; again, until it has heard of what was made for the workload. */
async function admit(t: Test, client: KubeClient, workload: FleetWorkload, each: FleetPod): Promise<void> {
  const { amongOthers, becomes } = each;
  const expected = amongOthers ?? becomes;
  const [first, ...rest] = replicasOf(each, workload);
  if (!first) return;
  if (workload.others) {
    await waitFor(`the webhook knows what ${workload.id} comes with`, async () => {
      const { pod } = await post(client, first, '?dryRun=All');
      return (expected.trail ?? /^/).test(pod.metadata.annotations[WRITTEN.reason] ?? '');
    });
  }
  const { object, warnings } = await post(client, first);
  checkPod(t, first.metadata.name, object, expected, warnings);
  await Promise.all(rest.map((body) => post(client, body)));
}

async function post(client: KubeClient, body: Manifest, query = '') {
  const reply = await client.stream('POST', `/api/v1/namespaces/default/pods${query}`, { body });
  const object: unknown = JSON.parse(await text(reply));
  const { metadata } = z
    .object({ metadata: z.object({ annotations: z.record(z.string(), z.string()).default({}) }) })
    .parse(object);
  return { object, pod: { metadata }, warnings: [reply.headers.warning ?? []].flat().join() };
}

/** As Kueue does once there is quota. */
async function openGates(client: KubeClient, workload: FleetWorkload, each: FleetPod): Promise<void> {
  if (!specSchema.parse(each.pod.spec).schedulingGates) return;
  for (const { metadata } of replicasOf(each, workload)) {
    await patchPod(client, metadata.name, { spec: { schedulingGates: [] } });
  }
}

/** Waits until as many replicas run as should, and kube-scheduler has a word on the others. */
async function settle(t: Test, client: KubeClient, workload: FleetWorkload, each: FleetPod): Promise<void> {
  const { node, waits, record, replicas = 1 } = each;
  const running = each.running ?? (node ? replicas : 0);
  const names = new Set(replicasOf(each, workload).map(({ metadata }) => metadata.name));
  const list = async () => (await listPods(client)).filter(({ metadata }) => names.has(metadata.name));
  const nodeOf = ({ spec }: Pod) => spec.nodeName;
  const pods = await waitFor(`${running} of ${[...names][0]} … run, and the others wait`, async () => {
    const found = await list();
    const bound = found.filter(nodeOf);
    return bound.length >= running && found.every((pod) => nodeOf(pod) ?? refusal(pod)) && found;
  });
  const bound = pods.filter(nodeOf);
  t.equal(bound.length, running, `${running} run`);
  for (const pod of bound) t.match(nodeOf(pod), node, `${pod.metadata.name} runs on ${nodeOf(pod)}`);
  if (record) t.match(JSON.parse(bound[0]?.metadata.annotations[WRITTEN.allocation] ?? '{}'), record);
  for (const pod of pods) if (!nodeOf(pod)) t.match(refusal(pod), waits, `${pod.metadata.name} waits`);
}
