/** The chart: what helm makes of it, what a real API server says to it, and whether its permissions are enough. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import tap, { type Test } from 'tap';
import { parse } from 'yaml';
import { z } from 'zod';
import { strategyNames } from '../../src/core/strategies/registry.ts';
import { webhookConfiguration } from '../../src/webhook/configuration.ts';
import { actAs, find, helm, type KubeObject, NAMESPACE, render } from '../cluster/chart.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { mpsNode } from '../cluster/gpu-nodes.ts';
import { bound, createPod, gpuPod, listPods } from '../cluster/pods.ts';
import { startInProcessExtender } from '../cluster/stack.ts';
import type { Cluster } from '../cluster/start.ts';
import { waitFor } from '../cluster/wait.ts';

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

  await t.test('the webhook may list and watch nodes, say whom to trust, and nothing else', async (t) => {
    t.same(rulesOf(objects, 'ClusterRole', 'gpu-autoscaler-webhook'), [
      { apiGroups: [''], resources: ['nodes'], verbs: ['list', 'watch'] },
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['mutatingwebhookconfigurations'],
        resourceNames: ['gpu-autoscaler-webhook'],
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
    t.notMatch(JSON.stringify(find(objects, 'Deployment', 'gpu-autoscaler-webhook')), /volumes|--certificates/);
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
    t.same(rulesOf(set, 'ClusterRole', 'gpu-autoscaler-webhook'), [
      { apiGroups: [''], resources: ['nodes'], verbs: ['list', 'watch'] },
    ]);
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

  await t.test('values reach the flags', async (t) => {
    const sets = [
      'binPacking.strategy=worstfit',
      'binPacking.narrowing=false',
      'admissionWebhook.optimization.enableMPS=false',
      'logLevel=debug',
    ];
    const set = render(...sets.flatMap((value) => ['--set', value]));
    t.match(
      JSON.stringify(find(set, 'Deployment', 'gpu-autoscaler-scheduler')),
      /"extender","--strategy=worstfit","--narrowing=off","--log-level=debug"/,
    );
    t.match(JSON.stringify(find(set, 'Deployment', 'gpu-autoscaler-webhook')), /"--disable=mps"/);
  });

  await t.test('every strategy may be chosen', async (t) => {
    for (const name of strategyNames) {
      const set = render('--set', `binPacking.strategy=${name}`);
      t.match(JSON.stringify(find(set, 'Deployment', 'gpu-autoscaler-scheduler')), `--strategy=${name}`);
    }
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
  await t.rejects(asWebhook.json('GET', '/api/v1/pods'), /forbidden/, 'and not pods');
});
