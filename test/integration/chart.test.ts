/** The chart: what helm makes of it, what a real API server says to it, and whether its permissions are enough. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import tap, { type Test } from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { KubeClient } from '../../src/cluster/kube-client.ts';
import { strategyNames } from '../../src/core/strategies/registry.ts';
import { webhookConfiguration } from '../../src/webhook/configuration.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { mpsNode } from '../cluster/gpu-nodes.ts';
import { bound, createPod, gpuPod, listPods } from '../cluster/pods.ts';
import { findPrograms } from '../cluster/programs.ts';
import { startInProcessExtender } from '../cluster/stack.ts';
import type { Cluster } from '../cluster/start.ts';
import { waitFor } from '../cluster/wait.ts';

const root = resolve(import.meta.dirname, '../..');
const NAMESPACE = 'gpu-autoscaler-system';

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
type KubeObject = z.infer<typeof objectSchema>;

function helm(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { helm: program } = findPrograms({ env: process.env, log: () => {} });
  return spawnSync(program, args, { cwd: root, encoding: 'utf8' });
}

function render(...args: string[]): KubeObject[] {
  const { status, stdout, stderr } = helm('template', 'gpu', 'charts/gpu-autoscaler', '-n', NAMESPACE, ...args);
  if (status !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout).flatMap((document) => {
    const object: unknown = document.toJS();
    return object === null ? [] : [objectSchema.parse(object)];
  });
}

function find(objects: readonly KubeObject[], kind: string, name: string): KubeObject {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (!found) throw new Error(`no ${kind} ${name}`);
  return found;
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

  await t.test('the webhook may list and watch nodes, and nothing else', async (t) => {
    const { rules } = z
      .looseObject({ rules: z.unknown() })
      .parse(find(objects, 'ClusterRole', 'gpu-autoscaler-webhook'));
    t.same(rules, [{ apiGroups: [''], resources: ['nodes'], verbs: ['list', 'watch'] }]);
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

/** The cluster as a service account sees it. */
async function actAs(
  { client, kubeConfig }: Cluster,
  name: string,
): Promise<{ client: KubeClient; kubeConfig: KubeConfig }> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3_600 } };
  const reply = await client.json('POST', `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${name}/token`, { body });
  const { token } = z.object({ status: z.object({ token: z.string() }) }).parse(reply).status;
  const server = kubeConfig.getCurrentCluster();
  if (!server) throw new Error('no current cluster');
  const acting = new KubeConfig();
  acting.loadFromClusterAndUser(server, { name, token });
  return { client: new KubeClient(acting), kubeConfig: acting };
}
