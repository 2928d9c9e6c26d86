/** The webhook's own certificates, judged by a real API server: it checks each of them, and fails closed where told to. */

import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, get } from 'node:https';
import { connect } from 'node:tls';
import tap from 'tap';
import { z } from 'zod';
import type { RunningWebhook } from '#src/app/webhook.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { Balancer } from '../cluster/balancer.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { waitFor } from '../cluster/wait.ts';
import { HASTY, managedAt, startReplica } from '../cluster/webhooks.ts';
import { mpsNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const SECRET = '/api/v1/namespaces/default/secrets/webhook-server-cert';
const CONFIGURATION = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/gpu-autoscaler-webhook';
const NODES = [mpsNode({ name: 'mps', gpus: 1, replicas: 8 })];
/** Time for five certificates and three authorities. */
const LOAD_MS = 48_000;
/** Between renewals of days there is nothing to be seen in a test. */
const CALM = { pollMs: 100, settleMs: 1_000 };

const textsSchema = z.object({
  data: z.record(
    z.string(),
    z.string().transform((text) => Buffer.from(text, 'base64').toString()),
  ),
});

async function secretOf(client: KubeClient): Promise<Readonly<Record<string, string>>> {
  return textsSchema.parse(await client.json('GET', SECRET)).data;
}

async function caBundleOf(client: KubeClient): Promise<string> {
  const schema = z.object({ webhooks: z.tuple([z.object({ clientConfig: z.object({ caBundle: z.string() }) })]) });
  const { webhooks } = schema.parse(await client.json('GET', CONFIGURATION));
  return Buffer.from(webhooks[0].clientConfig.caBundle, 'base64').toString();
}

/** A pod as the API server would store it: has the webhook been asked? */
async function isMutated(client: KubeClient): Promise<boolean> {
  const body = gpuPod({ name: 'probe', gpus: 1, schedulerName: 'default-scheduler' });
  const reply = await client.json('POST', '/api/v1/namespaces/default/pods?dryRun=All', { body });
  return JSON.stringify(reply).includes('gpu-autoscaler.io/optimized');
}

/** `mutated`, or what went wrong. */
async function outcomeOf(client: KubeClient): Promise<string> {
  return isMutated(client).then(
    (mutated) => (mutated ? 'mutated' : 'left as it was'),
    (error: Error) => error.message,
  );
}

/** What a replica serves to those who connect now. */
async function servedBy({ url }: RunningWebhook): Promise<X509Certificate> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), rejectUnauthorized: false });
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate();
      socket.destroy();
      if (certificate) resolve(certificate);
      else reject(new Error('no certificate'));
    });
  });
}

/** Our end of the connection on which a request was answered. */
async function portOf(agent: Agent, { url }: RunningWebhook): Promise<number | undefined> {
  const [response] = (await once(get(`${url}/healthz`, { agent }), 'response')) as [IncomingMessage];
  const { localPort } = response.socket;
  response.resume();
  await once(response, 'end');
  return localPort;
}

async function balancerFor(t: { teardown(end: () => unknown): void }): Promise<Balancer> {
  const balancer = await Balancer.start();
  t.teardown(() => balancer.stop());
  return balancer;
}

tap.test('from nothing: two replicas that start at once', async (t) => {
  const cluster = await clusterFor(t, { nodes: NODES });
  if (!cluster) return;
  const { client } = cluster;
  const balancer = await balancerFor(t);
  const replicas = await Promise.all([1, 2].map(() => startReplica(cluster, managedAt(balancer.url, CALM))));
  for (const replica of replicas) t.teardown(() => replica.close());
  balancer.backends.push(...replicas.map(({ url }) => Number(new URL(url).port)));
  await Promise.all(replicas.map(({ ready }) => ready));

  await t.test('pods are mutated, and both serve what the Secret holds', async (t) => {
    await waitFor('a pod is mutated', () => isMutated(client));
    const secret = await secretOf(client);
    t.equal(await caBundleOf(client), secret['ca.crt']);
    for (const replica of replicas) t.equal((await servedBy(replica)).toString(), secret['tls.crt']);
  });

  await t.test('what somebody changes in the configuration is put right, and labels of others stay', async (t) => {
    const body = {
      metadata: { labels: { team: 'a' } },
      webhooks: [{ name: 'pods.gpu-autoscaler.io', failurePolicy: 'Fail', clientConfig: { caBundle: null } }],
    };
    const contentType = 'application/strategic-merge-patch+json';
    await client.json('PATCH', CONFIGURATION, { body, contentType });
    const expected = {
      metadata: { labels: { team: 'a' } },
      webhooks: [{ failurePolicy: 'Ignore', timeoutSeconds: 3 }],
    };
    const { 'ca.crt': bundle } = await secretOf(client);
    await waitFor('the configuration is put right', async () => {
      const found = await client.json('GET', CONFIGURATION);
      return JSON.stringify(found).includes('"Ignore"') && (await caBundleOf(client).catch(() => '')) === bundle;
    });
    t.match(await client.json('GET', CONFIGURATION), expected);
  });

  await t.test('a Secret that is deleted is restored, and admissions go on', async (t) => {
    const before = await secretOf(client);
    await client.json('DELETE', SECRET);
    await waitFor('the Secret is there again', () => secretOf(client).catch(() => undefined));
    t.same(await secretOf(client), before);
    for (let i = 0; i < 20; i += 1) t.ok(await isMutated(client));
  });

  await t.test('rubbish in the Secret as well', async (t) => {
    const before = await secretOf(client);
    const body = { data: { 'tls.key': Buffer.from('rubbish').toString('base64') } };
    await client.json('PATCH', SECRET, { body, contentType: 'application/merge-patch+json' });
    await waitFor('the Secret is as before', async () => (await secretOf(client))['tls.key'] === before['tls.key']);
    t.same(await secretOf(client), before);
    t.ok(await isMutated(client));
  });

  await t.test('a configuration that is deleted is made again', async (t) => {
    await client.json('DELETE', CONFIGURATION);
    await waitFor('a pod is mutated', () => isMutated(client));
    t.equal(await caBundleOf(client), (await secretOf(client))['ca.crt']);
  });
});

tap.test(
  '1,000 pods while certificates and authorities are renewed: every one is mutated, though it fails closed',
  async (t) => {
    const cluster = await clusterFor(t, { nodes: NODES });
    if (!cluster) return;
    const { client } = cluster;
    const balancer = await balancerFor(t);
    const replicas = await Promise.all([1, 2].map(() => startReplica(cluster, managedAt(balancer.url, HASTY, 'Fail'))));
    for (const replica of replicas) t.teardown(() => replica.close());
    balancer.backends.push(...replicas.map(({ url }) => Number(new URL(url).port)));
    await Promise.all(replicas.map(({ ready }) => ready));
    await waitFor('a pod is mutated', () => isMutated(client).catch(() => false));

    const leaves = new Set<string>();
    const authorities = new Set<string>();
    const outcomes = new Map<string, number>();
    const connectionsBefore = balancer.connections;
    const until = performance.now() + LOAD_MS;
    // The API server keeps 25 connections: each burst opens new ones, and each of those checks a certificate.
    while (performance.now() < until) {
      for (const outcome of await Promise.all(Array.from({ length: 60 }, () => outcomeOf(client)))) {
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      const secret = await secretOf(client);
      leaves.add(secret['tls.crt'] ?? '');
      authorities.add(secret['ca.key'] ?? '');
    }
    const connections = balancer.connections - connectionsBefore;
    const { mutated = 0, ...others } = Object.fromEntries(outcomes);
    t.comment(
      `${mutated} pods, ${connections} connections, ${leaves.size} certificates, ${authorities.size} authorities`,
    );
    t.same(others, {});
    t.ok(mutated >= 1_000, `${mutated} pods`);
    t.ok(leaves.size >= 5, `${leaves.size} certificates`);
    t.ok(authorities.size >= 3, `${authorities.size} authorities`);
    t.ok(connections >= 500, `${connections} connections`);

    const [replica] = replicas;
    if (!replica) return;
    const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
    t.teardown(() => agent.destroy());
    const [before, { serialNumber }] = [await portOf(agent, replica), await servedBy(replica)];
    await waitFor('another certificate is served', async () => (await servedBy(replica)).serialNumber !== serialNumber);
    t.equal(await portOf(agent, replica), before, 'who was there before keeps the connection');
  },
);
