/** GPUSharingPolicies at work: on the real API server, with the real registration, scheduler and controller. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import tap, { type Test } from 'tap';
import { parse } from 'yaml';
import { z } from 'zod';
import { SHARING_POLICIES } from '#src/api/custom-resources.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { createCustom, pathOf, readStored } from '../cluster/custom-resources.ts';
import { stackFor } from '../cluster/for-test.ts';
import { createPod, deletePod, listPods, nodeOf, type Pod } from '../cluster/pods.ts';
import { type Stack, startInProcessController } from '../cluster/stack.ts';
import { waitFor } from '../cluster/wait.ts';
import { exclusiveNode, migNode, mpsNode, timeSlicingNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const KEY = 'gpu-autoscaler.io/';
const EXAMPLES = resolve(import.meta.dirname, '../../examples/phase2');
const POLICIES = pathOf(SHARING_POLICIES);
const NODES = [
  exclusiveNode({ name: 'whole', gpus: 4 }),
  mpsNode({ name: 'mps', gpus: 2, replicas: 8 }),
  timeSlicingNode({ name: 'slices', gpus: 1, replicas: 4 }),
  timeSlicingNode({ name: 'slices-dev', gpus: 1, replicas: 4, labels: { environment: 'development' } }),
  migNode({
    name: 'mig',
    gpus: 2,
    layout: { '1g.5gb': 3, '2g.10gb': 2 },
  }),
];

tap.test('policies', async (t) => {
  const stack = await stackFor(t, { nodes: NODES, controller: true });
  if (!stack) return;
  const { client } = stack.cluster;
  await t.test('the specification’s policies, as printed', (t) => asPrinted(t, client));
  await t.test('priority, then the more specific selector, then the name', (t) => precedence(t, client));
  await t.test('nodeSelector: its pods share on those nodes alone', (t) => nodeSelector(t, client));
  await t.test('namespaceSelector: pods of those namespaces alone', (t) => namespaceSelector(t, client));
  await t.test('what an administrator has set for whole GPUs holds', (t) => guards(t, client));
  await t.test('the status counts pods, and is written only when it changes', (t) => status(t, stack));
  await t.test('the status says what cannot be kept', (t) => shortcomings(t, stack));
  await t.test('pods that slipped past the webhook are told of', (t) => missed(t, stack));
});

/** Waits until the webhook has heard: a pod that would be made now is governed by the policy (or by none). */
async function governs(client: KubeClient, pod: object, policy: string | undefined, namespace = 'default') {
  await waitFor(`${policy ?? 'no policy'} governs`, async () => {
    const reply = await client.json('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, { body: pod });
    const { metadata } = z
      .object({ metadata: z.object({ annotations: z.record(z.string(), z.string()).default({}) }) })
      .parse(reply);
    return metadata.annotations[`${KEY}policy`] === policy && metadata.annotations[`${KEY}optimized`] === 'true';
  });
}

const probe = (labels: Record<string, string>) =>
  gpuPod({ name: 'probe', gpus: 1, labels, schedulerName: 'default-scheduler' });

async function policyFor(t: Test, client: KubeClient, name: string, spec: object): Promise<void> {
  await createCustom(client, SHARING_POLICIES, name, spec);
  t.teardown(() => client.json('DELETE', `${POLICIES}/${name}`));
}

async function podsGo(client: KubeClient): Promise<void> {
  for (const { metadata } of await listPods(client)) await deletePod(client, metadata.name);
  await waitFor('all pods are gone', async () => (await listPods(client)).length === 0);
}

function resourcesOf({ spec }: Pod): unknown {
  return spec.containers.map(({ resources }) => resources);
}

async function asPrinted(t: Test, client: KubeClient): Promise<void> {
  const printed = [
    ['gpu-sharing-policy-mig.yaml', 'small-workloads-mig', 'batch', 'mig', 'nvidia.com/mig-1g.5gb', 'mig'],
    ['gpu-sharing-policy-mps.yaml', 'inference-mps', 'inference', 'mps', 'nvidia.com/gpu.shared', 'mps'],
    [
      'gpu-sharing-policy-timeslicing.yaml',
      'development-timeslicing',
      'development',
      'timeslicing',
      'nvidia.com/gpu.shared',
      /^slices/,
    ],
  ] as const;
  for (const [file, name, type, strategy, resource, node] of printed) {
    const body = parse(readFileSync(join(EXAMPLES, file), 'utf8'));
    await client.json('POST', POLICIES, { body });
    t.teardown(() => client.json('DELETE', `${POLICIES}/${name}`));
    const labels = { [`${KEY}workload-type`]: type };
    await governs(client, probe(labels), name);
    const pod = await createPod(client, gpuPod({ name: type, gpus: 1, labels, schedulerName: 'default-scheduler' }));
    t.same(resourcesOf(pod), [{ requests: { [resource]: '1' }, limits: { [resource]: '1' } }], type);
    t.match(pod.metadata.annotations, {
      [`${KEY}policy`]: name,
      [`${KEY}optimization-strategy`]: strategy,
      [`${KEY}optimization-reason`]: new RegExp(`policy ${name} \\(priority \\d+\\) applied; considered `),
    });
    t.match(await nodeOf(client, type), node);
  }
  const reply = await client.json('GET', '/api/v1/namespaces/default/pods/inference');
  const { spec } = z.object({ spec: z.object({ containers: z.array(z.object({ env: z.unknown() })) }) }).parse(reply);
  t.same(
    spec.containers[0]?.env,
    [{ name: 'CUDA_MPS_PINNED_DEVICE_MEM_LIMIT', value: '0=2048M' }],
    'memoryLimitMB: 2048',
  );
  await podsGo(client);
}

async function precedence(t: Test, client: KubeClient): Promise<void> {
  const labels = { app: 'x', tier: 'y' };
  const select = (matchLabels: object) => ({ podSelector: { matchLabels } });
  const steps = [
    ['b-plain', { strategy: 'mps', ...select({ app: 'x' }) }],
    ['a-plain', { strategy: 'timeslicing', ...select({ app: 'x' }) }],
    ['z-specific', { strategy: 'mps', ...select(labels) }],
    ['z-urgent', { strategy: 'exclusive', priority: 1 }],
  ] as const;
  for (const [name, spec] of steps) {
    await policyFor(t, client, name, spec);
    await governs(client, probe(labels), name);
  }
}

async function nodeSelector(t: Test, client: KubeClient): Promise<void> {
  const nodes = { environment: 'development' };
  await policyFor(t, client, 'dev', {
    strategy: 'timeslicing',
    nodeSelector: nodes,
    podSelector: { matchLabels: { app: 'dev' } },
  });
  await governs(client, probe({ app: 'dev' }), 'dev');
  for (const name of ['dev-1', 'dev-2', 'dev-3', 'dev-4']) {
    await createPod(client, gpuPod({ name, gpus: 1, labels: { app: 'dev' }, schedulerName: 'default-scheduler' }));
    t.equal(await nodeOf(client, name), 'slices-dev');
  }
  await podsGo(client);
}

async function namespaceSelector(t: Test, client: KubeClient): Promise<void> {
  const staging = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'team', labels: { environment: 'staging' } },
  };
  await client.json('POST', '/api/v1/namespaces', { body: staging });
  const matchLabels = { environment: 'staging' };
  await policyFor(t, client, 'staging', { strategy: 'mps', namespaceSelector: { matchLabels } });
  await governs(client, probe({}), 'staging', 'team');
  await governs(client, probe({}), undefined, 'default');
}

async function guards(t: Test, client: KubeClient): Promise<void> {
  const inference = { [`${KEY}workload-type`]: 'inference' };
  const pod = gpuPod({ name: 'p', gpus: 1, labels: inference, schedulerName: 'default-scheduler' });
  const gpu = { 'nvidia.com/gpu': '1' };
  const whole = [{ requests: gpu, limits: gpu }];
  for (const [kind, limits] of [
    ['max', { max: gpu }],
    ['min', { min: gpu }],
    ['default', { default: gpu }],
  ] as const) {
    const namespace = `limited-${kind}`;
    await client.json('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
    const body = { metadata: { name: 'gpus' }, spec: { limits: [{ type: 'Container', ...limits }] } };
    await client.json('POST', `/api/v1/namespaces/${namespace}/limitranges`, { body });
    const made = await waitFor(`the webhook has heard of ${kind}`, async () => {
      const reply = await createPod(client, pod, `${namespace}`).catch(() => undefined);
      if (reply?.metadata.annotations[`${KEY}optimization-strategy`] === 'exclusive') return reply;
      if (reply) await deletePod(client, 'p', namespace);
      return undefined;
    });
    t.same(resourcesOf(made), whole, kind);
    t.match(
      made.metadata.annotations[`${KEY}optimization-reason`],
      /a LimitRange of the namespace speaks of nvidia\.com\/gpu/,
    );
  }
  await client.json('POST', '/api/v1/namespaces', { body: { metadata: { name: 'counted' } } });
  const quota = (hard: object) => ({ metadata: { name: 'gpus' }, spec: { hard } });
  const path = '/api/v1/namespaces/counted/resourcequotas';
  const shared = async () =>
    JSON.stringify(await client.json('POST', '/api/v1/namespaces/counted/pods?dryRun=All', { body: pod }));
  await waitFor('without a quota it shares', async () => /gpu\.shared/.test(await shared()));
  // Nobody counts here, as no controller fills in the status: what matters is what the webhook makes of it.
  await client.json('POST', path, { body: quota({ 'requests.nvidia.com/gpu': '8' }) });
  await waitFor('a quota for whole GPUs alone: no slots', async () => {
    const reply = await shared().catch((error: Error) => error.message);
    return /counts nvidia\.com\/gpu, and no slots|status unknown for quota/.test(reply);
  });
}

async function readPolicy(client: KubeClient, name: string) {
  const { status, metadata } = readStored(await client.json('GET', `${POLICIES}/${name}`));
  const parsed = z
    .object({
      appliedPods: z.number().optional(),
      lastUpdateTime: z.string().optional(),
      conditions: z
        .array(z.object({ type: z.string(), status: z.string(), reason: z.string(), message: z.string() }))
        .default([]),
    })
    .default({ conditions: [] })
    .parse(status ?? undefined);
  return { ...parsed, version: String(metadata.resourceVersion) };
}

async function status(t: Test, stack: Stack): Promise<void> {
  const { cluster, controller } = stack;
  const { client } = cluster;
  await policyFor(t, client, 'counted', { strategy: 'mps', podSelector: { matchLabels: { app: 'counted' } } });
  await governs(client, probe({ app: 'counted' }), 'counted');
  const applied = (count: number) =>
    waitFor(`appliedPods is ${count}`, async () => (await readPolicy(client, 'counted')).appliedPods === count);
  await applied(0);
  for (const name of ['c-1', 'c-2', 'c-3']) {
    await createPod(client, gpuPod({ name, gpus: 1, labels: { app: 'counted' }, schedulerName: 'default-scheduler' }));
  }
  await applied(3);
  t.match((await readPolicy(client, 'counted')).conditions, [
    { type: 'Accepted', status: 'True', reason: 'Accepted' },
    { type: 'Enforced', status: 'True', reason: 'Enforced' },
  ]);
  await deletePod(client, 'c-3');
  await applied(2);

  const { version } = await readPolicy(client, 'counted');
  await controller?.close();
  await deletePod(client, 'c-2');
  const successor = await startInProcessController(cluster);
  t.teardown(() => successor.close());
  await applied(1);
  const settled = await readPolicy(client, 'counted');
  t.not(settled.version, version, 'what happened while nobody looked is told');
  const third = await startInProcessController(cluster);
  t.teardown(() => third.close());
  const metrics = async ({ url }: { url: string }) => (await fetch(`${url}/metrics`)).text();
  await waitFor('its first look is over', async () => /_missed_pods/.test(await metrics(third)));
  t.match(await metrics(third), /^gpu_autoscaler_policy_status_writes_total 0$/m, 'a restart writes nothing');
  t.equal((await readPolicy(client, 'counted')).version, settled.version);
  await podsGo(client);
}

async function shortcomings(t: Test, { cluster }: Stack): Promise<void> {
  const { client } = cluster;
  const controller = await startInProcessController(cluster);
  t.teardown(() => controller.close());
  const cases: readonly [name: string, spec: object, reason: string, message: RegExp][] = [
    [
      'nowhere',
      { strategy: 'mps', nodeSelector: { nobody: 'here' } },
      'NoNodeOffers',
      /no node that its nodeSelector selects offers slots by mps/,
    ],
    [
      'profile',
      { strategy: 'mig', migConfig: { profile: '7g.80gb' } },
      'ProfileNotOffered',
      /no node offers MIG profile 7g\.80gb/,
    ],
    [
      'finer',
      { strategy: 'timeslicing', timeSlicingConfig: { replicasPerGPU: 2 } },
      'SlotsTooSmall',
      /finer than in 2/,
    ],
    [
      'fair',
      { strategy: 'timeslicing', timeSlicingConfig: { fairnessMode: 'weighted' } },
      'FairnessNotEnforceable',
      /CUDA gives all processes/,
    ],
    [
      'slice',
      { strategy: 'timeslicing', timeSlicingConfig: { sliceMs: 20 } },
      'TimeSliceNotEnforceable',
      /sliceMs 20 has no effect/,
    ],
  ];
  for (const [name, spec, reason, message] of cases) {
    await policyFor(t, client, name, { ...spec, podSelector: { matchLabels: { app: 'nobody' } } });
    const enforced = await waitFor(`the status of ${name} is there`, async () =>
      (await readPolicy(client, name)).conditions.find(({ type }) => type === 'Enforced'),
    );
    t.match(enforced, { status: 'False', reason, message });
  }
}

const eventsSchema = z.object({ items: z.array(z.object({ message: z.string(), type: z.string() })) });

async function missed(t: Test, { cluster }: Stack): Promise<void> {
  const { client } = cluster;
  const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
  await client.json('DELETE', `${path}/gpu-autoscaler-webhook`);
  await waitFor('the API server asks nobody any more', async () => {
    const reply = await client.json('POST', '/api/v1/namespaces/default/pods?dryRun=All', { body: probe({}) });
    return !JSON.stringify(reply).includes(`${KEY}optimized`);
  });
  const controller = await startInProcessController(cluster);
  t.teardown(() => controller.close());
  const labels = { [`${KEY}workload-type`]: 'inference' };
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-5d4f8c7b9', uid: 'u', controller: true };
  const make = async (name: string, metadata: object, spec: object = {}) => {
    const pod = gpuPod({ name, gpus: 1, schedulerName: 'default-scheduler', spec });
    await createPod(client, { ...pod, metadata: { ...pod.metadata, ...metadata } });
  };
  await make('web-5d4f8c7b9-abcde', {
    labels: { ...labels, 'pod-template-hash': '5d4f8c7b9' },
    ownerReferences: [owner],
  });
  await make('bare', { labels });
  await make('trains', { labels: { [`${KEY}workload-type`]: 'training' } });
  await make('unclear', { labels, annotations: { [`${KEY}sharing-mode`]: 'mgi' } });
  await make('pinned', { labels }, { nodeName: 'whole' });
  await make('opted-out', { labels, annotations: { [`${KEY}optimize`]: 'false' } });

  const eventOf = async (name: string, reason = 'NotOptimized') => {
    const selector = encodeURIComponent(`involvedObject.name=${name},reason=${reason}`);
    return eventsSchema.parse(await client.json('GET', `/api/v1/namespaces/default/events?fieldSelector=${selector}`))
      .items;
  };
  const told = (name: string) => waitFor(`an event on ${name}`, async () => (await eventOf(name))[0]);
  t.match(await told('web-5d4f8c7b9-abcde'), {
    type: 'Warning',
    message: /kubectl rollout restart deployment\/web -n default$/,
  });
  t.match(await told('bare'), {
    message: /could share one by mps\. To repair: kubectl get pod bare .* kubectl replace --force/,
  });
  t.same(await eventOf('trains'), [], 'it would keep a whole GPU anyway');
  t.same(await eventOf('opted-out'), []);
  t.same(await eventOf('pinned'), [], 'its author bound it');
  const unclear = await waitFor('an event on unclear', async () => (await eventOf('unclear', 'NotUnderstood'))[0]);
  t.match(unclear, { message: /^left as it is: gpu-autoscaler\.io\/sharing-mode: "mgi" is not one of / });
  const count = async () =>
    /^gpu_autoscaler_missed_pods\{strategy="mps"\} (\d+)$/m.exec(
      await (await fetch(`${controller.url}/metrics`)).text(),
    )?.[1];
  await waitFor('two are counted', async () => (await count()) === '2');
  await deletePod(client, 'bare');
  await waitFor('one is left', async () => (await count()) === '1');
  const again = await startInProcessController(cluster);
  t.teardown(() => again.close());
  await waitFor('it has looked', async () => /missed_pods\{/.test(await (await fetch(`${again.url}/metrics`)).text()));
  t.equal((await eventOf('web-5d4f8c7b9-abcde')).length, 1, 'told once, whoever looks');
}
