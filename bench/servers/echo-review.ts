/** The floor: a server by TLS that reads an AdmissionReview, and allows. */

import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { createCertificate } from '../../test/cluster/certificates.ts';

const server = createServer(await createCertificate(), async (request, response) => {
  const {
    apiVersion,
    kind,
    request: review,
  } = JSON.parse(await text(request)) as {
    apiVersion: string;
    kind: string;
    request: { uid: string };
  };
  const reply = { apiVersion, kind, response: { uid: review.uid, allowed: true } };
  response.setHeader('content-type', 'application/json').end(JSON.stringify(reply));
});
server.keepAliveTimeout = 120_000;
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as { port: number }).port }));
process.on('disconnect', () => process.exit());
