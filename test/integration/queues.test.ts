/** Pods of Kueue's queues, by what their ClusterQueue covers, on the real API server; the gate is opened in Kueue's place. */

import tap from 'tap';
import { z } from 'zod';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { stackFor } from '../cluster/for-test.ts';
import { createPod, nodeOf, patchPod } from '../cluster/pods.ts';
import { startInProcessWebhook } from '../cluster/stack.ts';
import { waitFor } from '../cluster/wait.ts';
import { exclusiveNode, mpsNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const GROUP = 'kueue.x-k8s.io';
const GATE = `${GROUP}/admission`;
const GPU = 'nvidia.com/gpu';
const SHARED = 'nvidia.com/gpu.shared';

/** A definition of the kind, served in that version alone, as a release of Kueue has it. */
function definition(kind: string, scope: 'Cluster' | 'Namespaced', version: string) {
  const plural = `${kind.toLowerCase()}s`;
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    // Names of that domain are Kubernetes' own, and guarded.
    metadata: {
      name: `${plural}.${GROUP}`,
      annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes-sigs/kueue/pull/1' },
    },
    spec: {
      group: GROUP,
      scope,
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  };
}

function clusterQueue(name: string, ...coveredResources: string[]) {
  const resources = coveredResources.map((resource) => ({ name: resource, nominalQuota: '8' }));
  const resourceGroups = [{ coveredResources, flavors: [{ name: 'default', resources }] }];
  return { apiVersion: `${GROUP}/v1beta1`, kind: 'ClusterQueue', metadata: { name }, spec: { resourceGroups } };
}

function localQueue(name: string) {
  const spec = { clusterQueue: name };
  return { apiVersion: `${GROUP}/v1beta1`, kind: 'LocalQueue', metadata: { name, namespace: 'default' }, spec };
}

async function installKueue(client: KubeClient): Promise<void> {
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  await client.json('POST', definitions, { body: definition('LocalQueue', 'Namespaced', 'v1beta1') });
  await client.json('POST', definitions, { body: definition('ClusterQueue', 'Cluster', 'v1beta1') });
  const add = (path: string, body: object) =>
    waitFor(`${path} is served`, () =>
      client.json('POST', `/apis/${GROUP}/v1beta1/${path}`, { body }).then(
        () => true,
        () => false,
      ),
    );
  await add('clusterqueues', clusterQueue('slots', 'cpu', GPU, SHARED));
  await add('clusterqueues', clusterQueue('whole', 'cpu', GPU));
  for (const name of ['slots', 'whole']) await add('namespaces/default/localqueues', localQueue(name));
}

const podSchema = z.object({
  spec: z.object({
    containers: z.array(z.object({ resources: z.object({ limits: z.record(z.string(), z.string()) }) })),
  }),
});

tap.test('what a queue covers, its pods may get', async (t) => {
  const stack = await stackFor(t, {
    webhook: false,
    nodes: [mpsNode({ name: 'mps', gpus: 1, replicas: 8 }), exclusiveNode({ name: 'whole', gpus: 2 })],
  });
  if (!stack) return;
  const { client } = stack.cluster;
  await installKueue(client);
  const webhook = await startInProcessWebhook(stack.cluster);
  t.teardown(() => webhook.close());
  const queued = (name: string, queue: string) =>
    gpuPod({
      name,
      gpus: 1,
      schedulerName: 'default-scheduler',
      labels: { [`${GROUP}/queue-name`]: queue, 'gpu-autoscaler.io/workload-type': 'inference' },
      spec: { schedulingGates: [{ name: GATE }] },
    });
  const limitsOf = (pod: unknown) => podSchema.parse(pod).spec.containers[0]?.resources.limits ?? {};
  const tried = async (queue: string) =>
    limitsOf(await client.json('POST', '/api/v1/namespaces/default/pods?dryRun=All', { body: queued('probe', queue) }));

  await waitFor('the webhook knows the queues', async () => SHARED in (await tried('slots')));
  t.strictSame(await tried('whole'), { [GPU]: '1' }, 'whole GPUs alone');
  t.strictSame(await tried('unknown'), { [GPU]: '1' }, 'a queue that is not there');

  for (const name of ['slots', 'whole']) {
    await createPod(client, queued(name, name));
    await patchPod(client, name, { spec: { schedulingGates: [] } });
    t.equal(await nodeOf(client, name), name === 'slots' ? 'mps' : 'whole');
  }

  await client.json('PATCH', `/apis/${GROUP}/v1beta1/clusterqueues/slots`, {
    body: clusterQueue('slots', 'cpu', GPU),
    contentType: 'application/merge-patch+json',
  });
  await waitFor('the change is heard', async () => !(SHARED in (await tried('slots'))));
});
