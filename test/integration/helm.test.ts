/** Installed, upgraded and taken away by helm, with a webhook that may do what its service account may. */

import tap from 'tap';
import { z } from 'zod';
import { type KubeClient, KubeError } from '#src/kube/kube-client.ts';
import { actAs, helm, NAMESPACE } from '../cluster/chart.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { waitFor } from '../cluster/wait.ts';
import { startReplica } from '../cluster/webhooks.ts';

const SECRETS = `/api/v1/namespaces/${NAMESPACE}/secrets`;
const SECRET = `${SECRETS}/webhook-server-cert`;
const CONFIGURATION = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/gpu-autoscaler-webhook';
const CERTIFICATES = { namespace: NAMESPACE, serviceName: 'gpu-autoscaler-webhook', policy: { pollMs: 100 } };

const configurationSchema = z.object({
  webhooks: z.tuple([
    z.object({
      timeoutSeconds: z.int(),
      clientConfig: z.object({ caBundle: z.string().optional(), service: z.object() }),
    }),
  ]),
});

async function hookOf(client: KubeClient) {
  return configurationSchema.parse(await client.json('GET', CONFIGURATION)).webhooks[0];
}

async function isGone(client: KubeClient, path: string): Promise<boolean> {
  return client.json('GET', path).then(
    () => false,
    (error) => error instanceof KubeError && error.status === 404,
  );
}

tap.test('a release', async (t) => {
  const cluster = await clusterFor(t, { controllers: true });
  if (!cluster) return;
  const { client, kubeconfigFile } = cluster;
  const release = (...args: string[]) => {
    const { status, stderr } = helm(...args, '--kubeconfig', kubeconfigFile, '--namespace', NAMESPACE);
    t.equal(status, 0, `helm ${args.join(' ')}${status === 0 ? '' : `: ${stderr}`}`);
  };
  const startWebhook = async () =>
    startReplica({ ...cluster, ...(await actAs(cluster, 'gpu-autoscaler-webhook')) }, CERTIFICATES);

  release('install', 'gpu', 'charts/gpu-autoscaler', '--create-namespace');
  t.equal((await hookOf(client)).clientConfig.caBundle, undefined, 'nobody is trusted yet');

  const webhook = await startWebhook();
  t.teardown(() => webhook.close());
  await webhook.ready;
  const secret = await client.json('GET', SECRET);
  const { 'ca.crt': authority } = z.object({ data: z.record(z.string(), z.string()) }).parse(secret).data;
  await waitFor('the configuration trusts it', async () => (await hookOf(client)).clientConfig.caBundle === authority);
  t.match(secret, { type: 'kubernetes.io/tls', metadata: { ownerReferences: [{ kind: 'Service' }] } });

  const { client: asWebhook } = await actAs(cluster, 'gpu-autoscaler-webhook');
  await t.rejects(asWebhook.json('GET', SECRETS), /forbidden/, 'it may not list Secrets');
  await t.rejects(asWebhook.json('GET', `${SECRETS}/other`), /forbidden/, 'nor read others');
  await t.rejects(asWebhook.json('DELETE', CONFIGURATION), /forbidden/, 'nor delete the configuration');

  // Nobody is there to mend what helm might break.
  await webhook.close();
  for (const [seconds, how] of [
    [5, '--server-side=true'],
    [6, '--server-side=false'],
  ] as const) {
    release('upgrade', 'gpu', 'charts/gpu-autoscaler', '--set', `admissionWebhook.timeoutSeconds=${seconds}`, how);
    const { timeoutSeconds, clientConfig } = await hookOf(client);
    t.equal(timeoutSeconds, seconds);
    t.equal(clientConfig.caBundle, authority, `${how}: caBundle is as it was`);
  }
  t.same(await client.json('GET', SECRET), secret);

  const again = await startWebhook();
  t.teardown(() => again.close());
  await again.ready;
  t.same(await client.json('GET', SECRET), secret, 'whoever starts later takes what is there');
  release('uninstall', 'gpu');
  t.ok(await isGone(client, CONFIGURATION));
  await waitFor('the Secret has gone with its Service', () => isGone(client, SECRET), { timeoutMs: 60_000 });
});
