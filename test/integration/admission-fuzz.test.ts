/** Whatever the API server takes without the webhook, it takes with it. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import tap from 'tap';
import { z } from 'zod';
import { type KubeClient, KubeError } from '#src/kube/kube-client.ts';
import { createRegistry } from '#src/telemetry/registry.ts';
import { webhookConfiguration } from '#src/webhook/configuration.ts';
import { webhookMetrics } from '#src/webhook/metrics.ts';
import { createWebhookServer } from '#src/webhook/server.ts';
import { createCertificate } from '../cluster/certificates.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { waitFor } from '../cluster/wait.ts';
import { sensibleMutation, wildMutation } from '../fixtures/pod-mutations.ts';
import { anySurroundings, contextIn } from '../fixtures/surroundings.ts';
import { gpuPod } from '../objects/pods.ts';

const RUNS = 500;
const FILE = resolve(import.meta.dirname, '../fixtures/admission-reviews.json');
const objectSchema = z.looseObject({ metadata: z.looseObject({}) });
const PODS = z
  .array(z.object({ request: z.object({ object: objectSchema }) }))
  .parse(JSON.parse(readFileSync(FILE, 'utf8')))
  .map(({ request }) => request.object);

const anyCreation = fc.record({
  pod: fc.constantFrom(...PODS),
  surroundings: anySurroundings,
  mutations: fc.oneof(
    { weight: 3, arbitrary: fc.array(sensibleMutation, { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.array(wildMutation, { minLength: 1, maxLength: 2 }) },
  ),
});

/** Undefined if it is taken; else what the API server says. */
async function refusal(client: KubeClient, namespace: string, pod: object): Promise<string | undefined> {
  try {
    await client.json('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, { body: pod });
    return undefined;
  } catch (error) {
    if (error instanceof KubeError && error.status !== undefined) return error.message;
    throw error;
  }
}

tap.test(`${RUNS} pods, with and without`, async (t) => {
  const cluster = await clusterFor(t, { kubelets: false });
  if (!cluster) return;
  const { client } = cluster;
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.comment(`seed ${seed}`);
  let context = fc.sample(anySurroundings, { seed, numRuns: 1 }).map(contextIn)[0];
  let asked = 0;
  const registry = createRegistry();
  const tls = await createCertificate();
  const server = createWebhookServer({
    log: pino({ level: 'silent' }),
    registry,
    tls,
    metrics: webhookMetrics(registry),
    notReadyReason: () => (context ? undefined : 'a context'),
    context: () => {
      asked += 1;
      if (!context) throw new Error('there is no context');
      return context();
    },
  });
  t.teardown(() => server.close());
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const body = webhookConfiguration({
    clientConfig: { url: `${url}/mutate-v1-pod` },
    caBundle: tls.cert,
    exemptNamespaces: ['kube-system'],
    // A fault of ours must show.
    failurePolicy: 'Fail',
    timeoutSeconds: 30,
  });
  await client.json('POST', '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations', { body });
  const probe = gpuPod({ name: 'probe', gpus: 1, schedulerName: 'default-scheduler' });
  await waitFor('the API server asks', async () => {
    await refusal(client, 'default', probe);
    return asked > 0;
  });
  const counts = { taken: 0, refused: 0, madeGood: 0 };
  await fc.assert(
    fc.asyncProperty(anyCreation, async ({ pod, surroundings, mutations }) => {
      context = contextIn(surroundings);
      const changed = structuredClone(pod);
      for (const mutate of mutations) mutate(changed);
      const [without, withUs] = await Promise.all(
        ['kube-system', 'default'].map((namespace) => {
          const { metadata } = changed;
          const own = typeof metadata === 'object' && metadata?.namespace === 'default' ? { namespace } : {};
          return refusal(client, namespace, { ...changed, metadata: metadata && { ...metadata, ...own } });
        }),
      );
      if (without === undefined && withUs !== undefined) throw new Error(`refused with the webhook: ${withUs}`);
      counts[without === undefined ? 'taken' : withUs === undefined ? 'madeGood' : 'refused'] += 1;
    }),
    { seed, numRuns: RUNS },
  );
  t.comment(`${JSON.stringify(counts)}, ${asked} reviews`);
  t.ok(counts.taken > RUNS / 3, 'many are taken');
  t.ok(asked > RUNS / 3, 'and most of them were reviewed');
});
