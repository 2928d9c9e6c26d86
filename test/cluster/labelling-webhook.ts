/** A webhook that comes after ours and writes a label into pods, as policy engines do. */

import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Test } from 'tap';
import { z } from 'zod';
import { webhookConfiguration } from '#src/webhook/configuration.ts';
import { createCertificate } from './certificates.ts';
import type { Cluster } from './start.ts';

const reviewSchema = z.object({ request: z.object({ uid: z.string() }) });

/** Registers it under a name that sorts after ours; it ends with the test. @param label its key, with `/` written as `~1` */
export async function startLabellingWebhook(t: Test, { client }: Cluster, label: string, value: string): Promise<void> {
  const tls = await createCertificate();
  const server = createServer(tls, async (request, response) => {
    const { uid } = reviewSchema.parse(await json(request)).request;
    const patch = Buffer.from(JSON.stringify([{ op: 'add', path: `/metadata/labels/${label}`, value }])).toString(
      'base64',
    );
    const reply = { uid, allowed: true, patchType: 'JSONPatch', patch };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: reply }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const made = webhookConfiguration({
    clientConfig: { url: `https://127.0.0.1:${port}/` },
    caBundle: tls.cert,
    exemptNamespaces: ['kube-system'],
  });
  const body = { ...made, metadata: { name: 'kyverno-resource-mutating-webhook-cfg' } };
  await client.json('POST', '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations', { body });
}
