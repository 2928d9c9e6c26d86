/** `gpu-autoscaler decide` asks a live cluster, and says what its webhook says. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap from 'tap';
import { stringify } from 'yaml';
import { z } from 'zod';
import { CONFIG_MAP } from '#src/api/keys.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { installDefinitions } from '../cluster/custom-resources.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { startInProcessWebhook } from '../cluster/stack.ts';
import { waitFor } from '../cluster/wait.ts';
import { REVIEWED_OBJECTS } from '../fixtures/reviewed-objects.ts';
import { NODES } from '../fixtures/surroundings.ts';
import { gpuPod } from '../objects/pods.ts';
import { decide, itemsOf } from './run-decide.ts';

const KEY = 'gpu-autoscaler.io/';
const inference = { [`${KEY}workload-type`]: 'inference' };
const pod = (name: string, more: object = {}) => gpuPod({ name, gpus: 1, schedulerName: 'default-scheduler', ...more });
const policy = (name: string, spec: object) => ({
  apiVersion: 'gpuautoscaler.io/v1alpha1',
  kind: 'GPUSharingPolicy',
  metadata: { name },
  spec,
});

const podsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({
        name: z.string(),
        generateName: z.string().optional(),
        labels: z.record(z.string(), z.string()).default({}),
        annotations: z.record(z.string(), z.string()).default({}),
      }),
      spec: z.object({
        schedulerName: z.string(),
        nodeSelector: z.unknown().optional(),
        containers: z.array(z.looseObject({ resources: z.unknown(), env: z.unknown().optional() })),
      }),
    }),
  ),
});
type StoredPod = z.infer<typeof podsSchema>['items'][number];

async function podsOf(client: KubeClient): Promise<StoredPod[]> {
  return podsSchema.parse(await client.json('GET', '/api/v1/namespaces/default/pods')).items;
}

/** What was decided, without what differs by its nature. */
function essence({ metadata, spec }: Pick<StoredPod, 'metadata' | 'spec'>): object {
  // A Job's controller adds annotations of its own.
  const annotations = Object.fromEntries(
    Object.entries(metadata.annotations).filter(([key]) => key.startsWith(KEY) && !key.endsWith('timestamp')),
  );
  const resources = spec.containers.map((container) => {
    const { requests = {}, limits = {} } = (container.resources ?? {}) as Record<string, Record<string, unknown>>;
    return {
      gpus: gpusOf(requests),
      limits: gpusOf(limits),
      env: JSON.stringify(container.env ?? []).match(/CUDA_MPS_\w+/g),
    };
  });
  return { annotations, scheduler: spec.schedulerName, nodeSelector: spec.nodeSelector ?? {}, resources };
}
function gpusOf(amounts: Record<string, unknown>): object {
  return Object.fromEntries(
    Object.entries(amounts)
      .filter(([name]) => name.startsWith('nvidia.com/'))
      .map(([name, count]) => [name, String(count)]),
  );
}

tap.test('a live cluster: the installed configuration and policies, and the same word as the webhook', async (t) => {
  const cluster = await clusterFor(t, { nodes: NODES, controllers: true, kubelets: false });
  if (!cluster) return;
  const { client, dir, kubeconfigFile } = cluster;
  const run = (...args: string[]) => decide(['--kubeconfig', kubeconfigFile, ...args]);
  const files = t.testdir({ 'pod.yaml': stringify(pod('server', { labels: inference })) });
  const bare = run('-f', join(files, 'pod.yaml'));
  t.equal(bare.status, 0, bare.stderr);
  t.match(
    bare.stderr,
    /there is no ConfigMap gpu-autoscaler-system\/gpu-autoscaler-config to be seen: the defaults hold/,
  );
  t.match(bare.stdout, /shares a GPU by mps/, 'nor is our kind of policy known');

  await installDefinitions(client);
  const configuration = 'sharing:\n  mps:\n    maxClients: 4\n    defaultActiveThreads: 25\n';
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'gpu-autoscaler-system' } };
  await client.json('POST', '/api/v1/namespaces', { body });
  const configMaps = '/api/v1/namespaces/gpu-autoscaler-system/configmaps';
  const configMap = (text: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: CONFIG_MAP.name },
    data: { [CONFIG_MAP.key]: text },
  });
  await client.json('POST', configMaps, { body: configMap(configuration) });
  const podSelector = { matchLabels: { app: 'notebook' } };
  for (const each of [
    policy('notebooks', { strategy: 'timeslicing', podSelector }),
    policy('vision', { strategy: 'mig', priority: 5, podSelector: { matchLabels: { team: 'vision' } } }),
  ]) {
    await client.json('POST', '/apis/gpuautoscaler.io/v1alpha1/gpusharingpolicies', { body: each });
  }
  const file = join(dir, 'config.yaml');
  writeFileSync(file, configuration);
  const webhook = await startInProcessWebhook(cluster, file);
  t.teardown(() => webhook.close());

  const more = [
    pod('left', { annotations: { [`${KEY}optimize`]: 'false' } }),
    pod('wrong', { annotations: { [`${KEY}gpu-memory`]: 'much' } }),
  ];
  const objects = [
    ...REVIEWED_OBJECTS,
    ...more.map((each) => ({ path: '/api/v1/namespaces/default/pods', body: each })),
  ];
  const manifests = {
    apiVersion: 'v1',
    kind: 'List',
    items: objects.map((each) => ({ apiVersion: 'v1', ...each.body })),
  };
  writeFileSync(join(files, 'all.json'), JSON.stringify(manifests));
  const said = run('-f', join(files, 'all.json'), '-o', 'json');
  t.equal(said.status, 0, said.stderr);
  t.equal(said.stderr, '', 'the ConfigMap is there');
  const decisions = itemsOf(said.stdout);
  t.equal(decisions.length, 10);
  for (const { path, body: each } of objects) await client.json('POST', path, { body: each });
  const stored = await waitFor('all pods are there', async () => {
    const pods = await podsOf(client);
    return pods.length === 10 && pods;
  });
  for (const [i, { object, pod: decided }] of decisions.entries()) {
    const name = object.split(' ')[1] ?? '';
    const found = stored.find(({ metadata }) => metadata.name === name || metadata.labels.app === name);
    if (!found) throw new Error(`there is no pod of ${object}`);
    const asGiven = decided ?? { ...objects[i]?.body };
    const expected = podsSchema.shape.items.element.parse({
      ...asGiven,
      metadata: { name, ...z.looseObject({ metadata: z.looseObject({}) }).parse(asGiven).metadata },
    });
    t.strictSame(essence(found), essence(expected), object);
  }

  await client.json('PUT', `${configMaps}/${CONFIG_MAP.name}`, {
    body: configMap('sharing: {mps: {maxClients: many}}\n'),
  });
  const refused = run('-f', join(files, 'pod.yaml'));
  t.equal(refused.status, 2);
  t.match(refused.stderr, /ConfigMap gpu-autoscaler-system\/gpu-autoscaler-config:1:\d+: sharing\.mps\.maxClients: /);
});
