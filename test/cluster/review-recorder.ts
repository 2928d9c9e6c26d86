/** A webhook that admits everything and keeps what the API server sent. */

import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Test } from 'tap';
import { z } from 'zod';
import { webhookConfiguration } from '#src/webhook/configuration.ts';
import { createCertificate } from './certificates.ts';
import type { Cluster } from './start.ts';

const reviewSchema = z.object({
  request: z.object({
    uid: z.string(),
    object: z.object({
      metadata: z.object({ name: z.string().optional(), generateName: z.string().optional() }),
    }),
  }),
});

/** Registers it as ours is registered; reviews by the name of the pod, or what it was generated from. Ends with the test. */
export async function recordReviews(t: Test, { client }: Cluster): Promise<ReadonlyMap<string, unknown>> {
  const tls = await createCertificate();
  const reviews = new Map<string, unknown>();
  const server = createServer(tls, async (request, response) => {
    const review = await json(request);
    const { uid, object } = reviewSchema.parse(review).request;
    reviews.set(object.metadata.name ?? object.metadata.generateName ?? '', review);
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, allowed: true } }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const body = webhookConfiguration({
    clientConfig: { url: `https://127.0.0.1:${port}/mutate-v1-pod` },
    caBundle: tls.cert,
    exemptNamespaces: ['kube-system'],
  });
  await client.json('POST', '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations', { body });
  return reviews;
}
