/** `gpu-autoscaler doctor` on a live control plane: before anything is installed, after, and with no permission. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import tap from 'tap';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { CONFIG_MAP, SYSTEM_NAMESPACE, WEBHOOK_NAME } from '#src/api/keys.ts';
import { type KubeClient, MERGE_PATCH } from '#src/kube/kube-client.ts';
import { installDefinitions } from '../cluster/custom-resources.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { startInProcessExtender, startInProcessWebhook } from '../cluster/stack.ts';
import type { Cluster } from '../cluster/start.ts';
import { waitFor } from '../cluster/wait.ts';
import { cpuNode, exclusiveNode, mpsNode } from '../objects/nodes.ts';
import { devicePluginSet, migManagerSet } from '../objects/nvidia-components.ts';
import { doctor, findingListOf, namesIn } from './run-doctor.ts';

const NODES = [exclusiveNode({ name: 'whole', gpus: 2 }), mpsNode({ name: 'mps', gpus: 1, replicas: 8 }), cpuNode()];
const GUIDE = resolve(import.meta.dirname, '../../docs/guides/doctor.md');
const DEFINITION = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gpunodeconfigs.gpuautoscaler.io';

async function makeNamespace(client: KubeClient, name: string): Promise<void> {
  await client.json('POST', '/api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
  });
}

/** Path of a kubeconfig by which the cluster's administrator acts as another user. */
function kubeconfigAs(user: string, { dir, kubeconfigFile }: Cluster): string {
  const config = parse(readFileSync(kubeconfigFile, 'utf8'));
  const users = config.users.map((entry: { user: object }) => ({ ...entry, user: { ...entry.user, as: user } }));
  const file = join(dir, `kubeconfig-${user}`);
  writeFileSync(file, stringify({ ...config, users }), { mode: 0o600 });
  return file;
}

tap.test('a live cluster', async (t) => {
  const cluster = await clusterFor(t, { nodes: NODES, kubelets: false });
  if (!cluster) return;
  const { client, kubeconfigFile } = cluster;
  const run = (...args: string[]) => doctor(['--kubeconfig', kubeconfigFile, ...args]);

  await t.test('nothing is installed: webhook, scheduler and definitions are missing', async (t) => {
    const { status, stdout, stderr } = run('-o', 'json');
    t.equal(status, 1, stderr);
    t.match(stderr, /^gpu-autoscaler: there is no ConfigMap .* to be seen: the defaults hold/);
    t.strictSame(namesIn(stdout), [
      'error webhook',
      'error scheduler',
      'error crds',
      'error crds',
      'warning device-plugin',
      'warning components',
      'warning components',
    ]);
    const { notLookedAt, gpuNodes, checks } = findingListOf(stdout);
    t.strictSame(notLookedAt, [], 'what is not served is an answer');
    t.equal(gpuNodes, 2);
    t.equal(checks.find(({ name }) => name === 'clock')?.result, 'fine');
  });

  await t.test('a user without permission: every kind is named, and no check is skipped in silence', async (t) => {
    const { status, stdout, stderr } = doctor(['--kubeconfig', kubeconfigAs('nobody', cluster)]);
    t.equal(status, 2, stderr);
    t.match(
      stdout,
      /^not looked at: Nodes, MutatingWebhookConfigurations, .*CustomResourceDefinitions.* \(forbidden\); /,
    );
    t.match(stdout, /\nchecked 1 of 14 checks: nothing found\n$/, 'the clock alone');
  });

  await t.test('the permissions of the guide are enough', async (t) => {
    const [, role = ''] = /```yaml\n([^`]*kind: ClusterRole\n[^`]*)```/.exec(readFileSync(GUIDE, 'utf8')) ?? [];
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    await client.json('POST', `${rbac}/clusterroles`, { body: parse(role) });
    const body = {
      metadata: { name: 'gpu-autoscaler-doctor' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'gpu-autoscaler-doctor' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'reader' }],
    };
    await client.json('POST', `${rbac}/clusterrolebindings`, { body });
    const { stdout } = doctor(['--kubeconfig', kubeconfigAs('reader', cluster), '-o', 'json']);
    t.strictSame(findingListOf(stdout).notLookedAt, []);
  });

  await t.test('all is installed: nothing is found', async (t) => {
    await installDefinitions(client);
    for (const name of [SYSTEM_NAMESPACE, 'gpu-operator']) await makeNamespace(client, name);
    await client.json('POST', `/api/v1/namespaces/${SYSTEM_NAMESPACE}/configmaps`, {
      body: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: CONFIG_MAP.name },
        data: { [CONFIG_MAP.key]: '' },
      },
    });
    for (const body of [devicePluginSet(), migManagerSet()])
      await client.json('POST', '/apis/apps/v1/namespaces/gpu-operator/daemonsets', { body });
    const extender = await startInProcessExtender(cluster, 'bestfit');
    t.teardown(() => extender.close());
    await extender.ready;
    await cluster.startScheduler({ extenderUrl: extender.url, leaderElection: true });
    const webhook = await startInProcessWebhook(cluster);
    t.teardown(() => webhook.close());
    const { stdout } = await waitFor('nothing is found', async () => {
      const ran = run();
      return ran.status === 0 && ran;
    });
    t.equal(stdout, 'checked 2 GPU nodes, 14 checks: nothing found\n');
  });

  await t.test('the webhook behind a Service: absent, then without a pod', async (t) => {
    const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${WEBHOOK_NAME}`;
    const hooksSchema = z.looseObject({ webhooks: z.array(z.looseObject({ clientConfig: z.looseObject({}) })) });
    const stored = hooksSchema.parse(await client.json('GET', path));
    const service = { namespace: SYSTEM_NAMESPACE, name: 'hook' };
    const webhooks = stored.webhooks.map(({ clientConfig: { caBundle }, ...rest }) => ({
      ...rest,
      clientConfig: { caBundle, service },
    }));
    await client.json('PUT', path, { body: { ...stored, webhooks } });
    t.match(run().stdout, /^error +webhook: the Service gpu-autoscaler-system\/hook, .* is absent/);
    const body = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'hook' }, spec: { ports: [{ port: 443 }] } };
    await client.json('POST', `/api/v1/namespaces/${SYSTEM_NAMESPACE}/services`, { body });
    t.match(run().stdout, /^error +webhook: no pod is ready behind the Service gpu-autoscaler-system\/hook/);
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'hook-1', labels: { 'kubernetes.io/service-name': 'hook' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }],
    };
    await client.json('POST', `/apis/discovery.k8s.io/v1/namespaces/${SYSTEM_NAMESPACE}/endpointslices`, {
      body: slice,
    });
    t.match(run().stdout, /: nothing found\n$/);
  });

  await t.test('a definition of another version', async (t) => {
    const versionsSchema = z.object({ spec: z.object({ versions: z.array(z.looseObject({})) }) });
    const stored = versionsSchema.parse(await client.json('GET', DEFINITION));
    const text = JSON.stringify(stored.spec.versions).replace('"whenBusy":', '"whenOccupied":');
    const body = { spec: { versions: JSON.parse(text) } };
    await client.json('PATCH', DEFINITION, { body, contentType: MERGE_PATCH });
    const { status, stdout } = run();
    t.equal(status, 1);
    t.match(
      stdout,
      /^warning {2}crds: .*gpunodeconfigs\.gpuautoscaler\.io is not of this version .*spec\.properties\.whenBusy.*\n +fix: kubectl apply --server-side/,
    );
  });
});
