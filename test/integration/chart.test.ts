/** The chart: what helm makes of it, what a real API server says to it, and whether its permissions are enough. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import tap, { type Test } from 'tap';
import { parse } from 'yaml';
import { z } from 'zod';
import { configurationSchema } from '#src/api/configuration.ts';
import { parseConfiguration } from '#src/api/configuration-file.ts';
import { NODE_CONFIGS, SHARING_POLICIES } from '#src/api/custom-resources.ts';
import { strategyNames } from '#src/core/strategies/registry.ts';
import { webhookConfiguration } from '#src/webhook/configuration.ts';
import { actAs, find, helm, type KubeObject, NAMESPACE, render } from '../cluster/chart.ts';
import { createCustom, installDefinitions } from '../cluster/custom-resources.ts';
import { A100 } from '../cluster/emulated.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { comesTo } from '../cluster/node-configs.ts';
import { bound, createPod, listPods } from '../cluster/pods.ts';
import { startFleet, startInProcessController, startInProcessExtender, writeConfiguration } from '../cluster/stack.ts';
import type { Cluster } from '../cluster/start.ts';
import { waitFor } from '../cluster/wait.ts';
import { mpsNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const root = resolve(import.meta.dirname, '../..');
function rulesOf(objects: readonly KubeObject[], kind: string, name: string): unknown {
  return z.looseObject({ rules: z.unknown() }).parse(find(objects, kind, name)).rules;
}

/** Where objects of a kind live in the API. */
function pathOf({ apiVersion, kind, metadata }: KubeObject): string {
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const plural = `${kind.toLowerCase()}s`;
  return metadata.namespace ? `${group}/namespaces/${metadata.namespace}/${plural}` : `${group}/${plural}`;
}

async function createNamespace(t: Test, cluster: Cluster): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
  await cluster.client.json('POST', '/api/v1/namespaces', { body });
  t.comment(`namespace ${NAMESPACE} created`);
}

tap.test('a real API server takes every object, and knows every field', async (t) => {
  const cluster = await clusterFor(t);
  if (!cluster) return;
  await createNamespace(t, cluster);
  t.equal(helm('lint', '--strict', 'charts/gpu-autoscaler').status, 0, 'helm lint');
  const objects = render();
  t.ok(objects.length >= 14);
  for (const object of objects) {
    const path = `${pathOf(object)}?dryRun=All&fieldValidation=Strict`;
    await t.resolves(cluster.client.json('POST', path, { body: object }), `${object.kind} ${object.metadata.name}`);
  }
});

tap.test('kube-scheduler of this version answers what its container is probed by', async (t) => {
  const cluster = await clusterFor(t, { kubelets: false });
  if (!cluster) return;
  const { gitVersion } = z.object({ gitVersion: z.string() }).parse(await cluster.client.json('GET', '/version'));
  const scheduler = await cluster.startScheduler({});
  const path = schedulerProbe(render('--kube-version', gitVersion));
  t.equal(await scheduler.probe(path), 200, `${path} of ${gitVersion}`);
  t.equal(schedulerProbe(render('--kube-version', '1.30.14')), '/healthz');
  t.equal(schedulerProbe(render('--kube-version', '1.31.0-eks-1')), '/livez');
});

/** Path of the liveness probe of the container of kube-scheduler. */
function schedulerProbe(objects: readonly KubeObject[]): string {
  const probed = z.looseObject({ livenessProbe: z.object({ httpGet: z.looseObject({ path: z.string() }) }) });
  const deployment = z.object({
    spec: z.object({ template: z.object({ spec: z.object({ containers: z.tuple([probed]).rest(z.unknown()) }) }) }),
  });
  const [container] = deployment.parse(find(objects, 'Deployment', 'gpu-autoscaler-scheduler')).spec.template.spec
    .containers;
  return container.livenessProbe.httpGet.path;
}

tap.test('rendered alone', async (t) => {
  if (!(await clusterFor(t))) return;
  const objects = render();

  await t.test('the webhook is registered as our own code would', async (t) => {
    const rendered = find(objects, 'MutatingWebhookConfiguration', 'gpu-autoscaler-webhook');
    const { webhooks } = z
      .looseObject({ webhooks: z.tuple([z.looseObject({ clientConfig: z.unknown() })]) })
      .parse(rendered);
    const [ours] = webhookConfiguration({
      clientConfig: { service: {} },
      caBundle: '',
      exemptNamespaces: ['kube-system'],
    }).webhooks;
    t.same({ ...webhooks[0], clientConfig: undefined }, { ...ours, clientConfig: undefined });
  });

  await t.test('the scheduler runs the shipped configuration', async (t) => {
    const { data } = z
      .looseObject({ data: z.record(z.string(), z.string()) })
      .parse(find(objects, 'ConfigMap', 'gpu-autoscaler-scheduler'));
    const shipped = readFileSync(resolve(root, 'scheduler-config/kube-scheduler-config.yaml'), 'utf8');
    t.same(parse(data['config.yaml'] ?? ''), parse(shipped));
  });

  await t.test('the extender may watch device plugins beyond what a kube-scheduler may', async (t) => {
    t.same(rulesOf(objects, 'ClusterRole', 'gpu-autoscaler-extender'), [
      { apiGroups: [''], resources: ['limitranges', 'resourcequotas'], verbs: ['list', 'watch'] },
      { apiGroups: ['apps'], resources: ['daemonsets'], verbs: ['list', 'watch'] },
    ]);
  });

  await t.test('the webhook may watch what it decides by, say whom to trust, and nothing else', async (t) => {
    t.same(rulesOf(objects, 'ClusterRole', 'gpu-autoscaler-webhook'), [
      ...WATCHED,
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['mutatingwebhookconfigurations'],
        resourceNames: ['gpu-autoscaler-webhook'],
        verbs: ['get', 'patch'],
      },
    ]);
  });

  await t.test('the controller may watch what it needs, and write statuses and events', async (t) => {
    t.same(rulesOf(objects, 'ClusterRole', 'gpu-autoscaler-controller'), [
      {
        apiGroups: [''],
        resources: ['nodes', 'namespaces', 'limitranges', 'resourcequotas', 'pods'],
        verbs: ['list', 'watch'],
      },
      { apiGroups: ['gpuautoscaler.io'], resources: ['gpusharingpolicies'], verbs: ['list', 'watch'] },
      { apiGroups: ['resource.k8s.io'], resources: ['deviceclasses'], verbs: ['list', 'watch'] },
      { apiGroups: ['kueue.x-k8s.io'], resources: ['localqueues', 'clusterqueues'], verbs: ['list', 'watch'] },
      { apiGroups: ['gpuautoscaler.io'], resources: ['gpusharingpolicies/status'], verbs: ['patch'] },
      { apiGroups: ['gpuautoscaler.io'], resources: ['gpunodeconfigs'], verbs: ['list', 'watch'] },
      { apiGroups: ['gpuautoscaler.io'], resources: ['gpunodeconfigs/status'], verbs: ['patch'] },
      { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
    ]);
    t.throws(() => find(objects, 'Role', 'gpu-autoscaler-partitions'));
  });

  await t.test('to change partitions it may patch nodes, evict pods, and write two ConfigMaps', async (t) => {
    const changing = render('--set', 'reconciler.enabled=true');
    t.same((rulesOf(changing, 'ClusterRole', 'gpu-autoscaler-controller') as object[]).slice(-3), [
      { apiGroups: [''], resources: ['nodes'], verbs: ['patch'] },
      { apiGroups: [''], resources: ['pods/eviction'], verbs: ['create'] },
      { apiGroups: ['gpuautoscaler.io'], resources: ['gpunodeconfigs'], verbs: ['create', 'patch'] },
    ]);
    t.same(rulesOf(changing, 'Role', 'gpu-autoscaler-partitions'), [
      { apiGroups: [''], resources: ['configmaps'], verbs: ['create'] },
      {
        apiGroups: [''],
        resources: ['configmaps'],
        resourceNames: ['gpu-autoscaler-device-plugin', 'gpu-autoscaler-mig-parted'],
        verbs: ['get', 'patch'],
      },
    ]);
  });

  await t.test('in its own namespace it may keep its certificate, and nothing else', async (t) => {
    t.same(rulesOf(objects, 'Role', 'gpu-autoscaler-webhook-certificate'), [
      { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
      { apiGroups: [''], resources: ['secrets'], resourceNames: ['webhook-server-cert'], verbs: ['get', 'update'] },
      { apiGroups: [''], resources: ['services'], resourceNames: ['gpu-autoscaler-webhook'], verbs: ['get'] },
    ]);
  });

  await t.test('certificates of its own: no Secret is rendered or mounted, and nobody is trusted yet', async (t) => {
    t.notMatch(objects.map(({ kind }) => kind).join(), /Secret|Issuer|Certificate/);
    t.notMatch(JSON.stringify(find(objects, 'Deployment', 'gpu-autoscaler-webhook')), /tls|--certificates/);
    t.notMatch(JSON.stringify(find(objects, 'MutatingWebhookConfiguration', 'gpu-autoscaler-webhook')), /caBundle/);
  });

  await t.test('certificates of cert-manager: an authority and what it signs, mounted, and injected', async (t) => {
    const set = render('--set', 'admissionWebhook.certificates.mode=cert-manager');
    const configuration = find(set, 'MutatingWebhookConfiguration', 'gpu-autoscaler-webhook');
    t.match(configuration.metadata, {
      annotations: { 'cert-manager.io/inject-ca-from': `${NAMESPACE}/gpu-autoscaler-webhook` },
    });
    t.notMatch(JSON.stringify(configuration), /caBundle/);
    t.match(find(set, 'Certificate', 'gpu-autoscaler-webhook'), {
      spec: {
        secretName: 'webhook-server-cert',
        dnsNames: [`gpu-autoscaler-webhook.${NAMESPACE}.svc`, `gpu-autoscaler-webhook.${NAMESPACE}.svc.cluster.local`],
        issuerRef: { kind: 'Issuer', name: 'gpu-autoscaler-webhook' },
      },
    });
    const { spec } = z
      .looseObject({ spec: z.object({ ca: z.object({ secretName: z.string() }) }) })
      .parse(find(set, 'Issuer', 'gpu-autoscaler-webhook'));
    t.match(find(set, 'Certificate', 'gpu-autoscaler-webhook-ca'), { spec: { isCA: true, ...spec.ca } });
    const deployment = JSON.stringify(find(set, 'Deployment', 'gpu-autoscaler-webhook'));
    t.match(deployment, /"--certificates=files"/);
    t.match(deployment, /"secretName":"webhook-server-cert"/);
    t.notMatch(set.map(({ metadata }) => metadata.name).join(), /gpu-autoscaler-webhook-certificate/);
    t.same(rulesOf(set, 'ClusterRole', 'gpu-autoscaler-webhook'), WATCHED);
  });

  await t.test('certificates in files: whose Secret, and whom to trust, have to be said', async (t) => {
    const files = ['--set', 'admissionWebhook.certificates.mode=files'];
    t.throws(() => render(...files), /certificates\.secretName: a Secret of type kubernetes\.io\/tls/);
    const named = [...files, '--set', 'admissionWebhook.certificates.secretName=ours'];
    t.throws(() => render(...named), /certificates\.caBundle: PEM of whom/);
    const set = render(...named, '--set', 'admissionWebhook.certificates.caBundle=PEM');
    t.match(JSON.stringify(find(set, 'Deployment', 'gpu-autoscaler-webhook')), /"secretName":"ours"/);
    const configuration = find(set, 'MutatingWebhookConfiguration', 'gpu-autoscaler-webhook');
    t.match(JSON.stringify(configuration), `"caBundle":"${Buffer.from('PEM').toString('base64')}"`);
  });

  await t.test('every role reads the configuration', async (t) => {
    for (const name of ['scheduler', 'webhook', 'controller']) {
      const deployment = JSON.stringify(find(objects, 'Deployment', `gpu-autoscaler-${name}`));
      t.match(deployment, '"--config=/etc/gpu-autoscaler/config/config.yaml"', name);
      t.match(deployment, /"configMap":\{"name":"gpu-autoscaler-config"\}/, name);
    }
  });

  await t.test(
    'left alone, the chart configures what the program would take anyway, a default MIG profile, and no change of partitions',
    async (t) => {
      // NVIDIA's components have to be told of the ConfigMaps first.
      const reconciler = { enabled: false };
      const defaults = configurationSchema.parse({ sharing: { mig: { defaultProfile: '1g.5gb' } }, reconciler });
      t.same(configurationOf(objects), { ok: true, configuration: defaults });
    },
  );

  await t.test('values reach the configuration', async (t) => {
    const sets = [
      'binPacking.strategy=worstfit',
      'binPacking.narrowing=false',
      // The specification's, for a migration.
      'sharing.mig.enabled=false',
      'sharing.mps.resources.memoryLimitMB=2048',
      'admissionWebhook.optimization.enableMPS=false',
      'admissionWebhook.exemptNamespaces={kube-system,production}',
      'admissionWebhook.namespaceSelector.matchLabels.environment=staging',
    ];
    const set = render(...sets.flatMap((value) => ['--set', value]));
    t.match(configurationOf(set), {
      ok: true,
      configuration: {
        binPacking: { strategy: 'worstfit', narrowing: false },
        sharing: { mig: { enabled: false }, mps: { resources: { memoryLimitMB: 2048 } } },
        admissionWebhook: { optimization: { enableMPS: false }, exemptNamespaces: ['kube-system', 'production'] },
      },
    });
    t.match(
      JSON.stringify(find(set, 'MutatingWebhookConfiguration', 'gpu-autoscaler-webhook')),
      /"namespaceSelector":\{"matchLabels":\{"environment":"staging"\},"matchExpressions":\[\{[^}]*"values":\["gpu-autoscaler-system","kube-system","production"\]/,
    );
  });

  await t.test('every strategy may be chosen', async (t) => {
    for (const name of strategyNames) {
      const set = render('--set', `binPacking.strategy=${name}`);
      t.match(configurationOf(set), { ok: true, configuration: { binPacking: { strategy: name } } });
    }
  });

  await t.test('without bin packing there is no scheduler, and no role for one', async (t) => {
    const set = render('--set', 'binPacking.enabled=false');
    t.notMatch(set.map(({ kind, metadata }) => `${kind} ${metadata.name}`).join('\n'), /scheduler|extender/);
    t.match(configurationOf(set), { ok: true, configuration: { binPacking: { enabled: false } } });
  });

  await t.test('without the webhook nothing of it is left', async (t) => {
    const kinds = render('--set', 'admissionWebhook.enabled=false').map(
      ({ kind, metadata }) => `${kind} ${metadata.name}`,
    );
    t.notMatch(kinds.join('\n'), /webhook/i);
    t.match(kinds.join('\n'), /Deployment gpu-autoscaler-scheduler/);
  });

  for (const value of [
    'binPacking.strategy=tetris',
    'admissionWebhook.certificates.mode=magic',
    'admissionWebhook.failurePolicy=Maybe',
    'binpacking.strategy=bestfit',
    'sharing.mig.enable=false',
    'sharing.mps.maxClients=1',
  ]) {
    await t.test(`--set ${value} is refused`, async (t) => {
      const { status, stderr } = helm('template', 'gpu', 'charts/gpu-autoscaler', '--set', value);
      t.not(status, 0);
      t.match(stderr, /values don't meet the specifications|additional properties|must be one of/);
    });
  }
});

tap.test('with the permissions of its service account the extender packs pods', async (t) => {
  const cluster = await clusterFor(t, { nodes: [mpsNode({ name: 'mps', gpus: 1, replicas: 8 })] });
  if (!cluster) return;
  await createNamespace(t, cluster);
  for (const object of render().filter(({ kind }) => /^(ServiceAccount|(Cluster)?Role(Binding)?)$/.test(kind))) {
    await cluster.client.json('POST', pathOf(object), { body: object });
  }
  const asScheduler = { ...cluster, ...(await actAs(cluster, 'gpu-autoscaler-scheduler')) };
  const extender = await startInProcessExtender(asScheduler, 'bestfit');
  t.teardown(() => extender.close());
  await extender.ready;
  await cluster.startScheduler({ extenderUrl: extender.url });
  const resources = { 'nvidia.com/gpu.shared': 1 };
  for (const name of ['a', 'b']) await createPod(cluster.client, gpuPod({ name, resources }));
  await waitFor('both pods are bound', async () => bound(await listPods(cluster.client)).length === 2);

  const touch = { body: { status: {} }, contentType: 'application/strategic-merge-patch+json' };
  const status = '/api/v1/namespaces/default/pods/a/status';
  await t.resolves(asScheduler.client.json('PATCH', status, touch), 'it may touch a pod that was refused too early');

  const { client: asWebhook } = await actAs(cluster, 'gpu-autoscaler-webhook');
  await t.resolves(asWebhook.json('GET', '/api/v1/nodes'), 'the webhook may list nodes');
  await t.rejects(asWebhook.json('GET', '/api/v1/secrets'), /forbidden/, 'and no Secrets');
});

tap.test('with the permissions of its service account the controller writes statuses and events', async (t) => {
  const cluster = await clusterFor(t, { nodes: [mpsNode({ name: 'mps', gpus: 1, replicas: 8 })] });
  if (!cluster) return;
  await createNamespace(t, cluster);
  await installDefinitions(cluster.client);
  for (const object of render().filter(({ kind }) => /^(ServiceAccount|(Cluster)?Role(Binding)?)$/.test(kind))) {
    await cluster.client.json('POST', pathOf(object), { body: object });
  }
  const asController = { ...cluster, ...(await actAs(cluster, 'gpu-autoscaler-controller')) };
  const controller = await startInProcessController(asController);
  t.teardown(() => controller.close());
  await createCustom(cluster.client, SHARING_POLICIES, 'all', { strategy: 'mps' });
  await createPod(cluster.client, gpuPod({ name: 'missed', gpus: 1, schedulerName: 'default-scheduler' }));
  const policy = '/apis/gpuautoscaler.io/v1alpha1/gpusharingpolicies/all';
  await waitFor('the policy has a status', async () =>
    /"Enforced"/.test(JSON.stringify(await cluster.client.json('GET', policy))),
  );
  const events = '/api/v1/namespaces/default/events';
  await waitFor('the pod has an event', async () =>
    /NotOptimized/.test(JSON.stringify(await cluster.client.json('GET', events))),
  );
});

tap.test('with the permissions of its service account the controller partitions a node', async (t) => {
  const cluster = await clusterFor(t, { kubelets: false });
  if (!cluster) return;
  const { client } = cluster;
  await createNamespace(t, cluster);
  await client.json('POST', '/api/v1/namespaces', { body: { metadata: { name: 'gpu-operator' } } });
  await installDefinitions(client);
  const objects = render('--set', 'reconciler.enabled=true');
  for (const object of objects.filter(({ kind }) => /^(ServiceAccount|(Cluster)?Role(Binding)?)$/.test(kind))) {
    await client.json('POST', pathOf(object), { body: object });
  }
  const nodes = [{ name: 'n', ...A100, gpus: 1 }];
  const fleet = await startFleet(cluster, { nodes, speed: 60, namespace: 'gpu-operator' });
  t.teardown(() => fleet.stop());
  const configurationFile = writeConfiguration(cluster, { reconciler: { namespace: 'gpu-operator' } });
  const asController = { ...cluster, ...(await actAs(cluster, 'gpu-autoscaler-controller')) };
  const controller = await startInProcessController(asController, { configurationFile, speed: 60 });
  t.teardown(() => controller.close());
  await createCustom(client, NODE_CONFIGS, 'n', { nodeName: 'n', migEnabled: true, migProfiles: ['7g.40gb'] });
  t.equal((await comesTo(client, 'n', 'Ready')).status?.migStatus?.availableDevices, 1);
});

const WATCHED = [
  {
    apiGroups: [''],
    resources: ['nodes', 'namespaces', 'limitranges', 'resourcequotas', 'pods'],
    verbs: ['list', 'watch'],
  },
  { apiGroups: ['gpuautoscaler.io'], resources: ['gpusharingpolicies', 'gpunodeconfigs'], verbs: ['list', 'watch'] },
  { apiGroups: ['resource.k8s.io'], resources: ['deviceclasses'], verbs: ['list', 'watch'] },
  { apiGroups: ['kueue.x-k8s.io'], resources: ['localqueues', 'clusterqueues'], verbs: ['list', 'watch'] },
];

function configurationOf(objects: readonly KubeObject[]) {
  const { data } = z
    .looseObject({ data: z.object({ 'config.yaml': z.string() }) })
    .parse(find(objects, 'ConfigMap', 'gpu-autoscaler-config'));
  return parseConfiguration(data['config.yaml'], 'config.yaml');
}
