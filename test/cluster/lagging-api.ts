/** The API server as one sees it whose watches are late: everything else comes at once. */

import { once } from 'node:events';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Transform } from 'node:stream';
import { KubeConfig } from '@kubernetes/client-node';
import { createCertificate } from './certificates.ts';
import type { Cluster } from './start.ts';

export interface LaggingApi {
  readonly kubeConfig: KubeConfig;
  close(): void;
}

/** @param lagMs by how much each event of a watch is late */
export async function startLaggingApi({ kubeConfig }: Cluster, lagMs: number): Promise<LaggingApi> {
  const upstream = new URL(kubeConfig.getCurrentCluster()?.server ?? '');
  const tls = await createCertificate();
  const server = createServer(tls, (incoming, outgoing) => {
    const { method, url = '', headers } = incoming;
    const { hostname, port } = upstream;
    // Its certificate is its own; this proxy and it are on loopback.
    const forwarded = request({ hostname, port, method, path: url, headers, rejectUnauthorized: false }, (reply) => {
      outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
      outgoing.flushHeaders();
      if (/[?&]watch=(1|true)\b/.test(url)) reply.pipe(late(lagMs)).pipe(outgoing);
      else reply.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const lagging = new KubeConfig();
  lagging.loadFromOptions({
    clusters: [{ name: 'late', server: `https://127.0.0.1:${port}`, caData: Buffer.from(tls.cert).toString('base64') }],
    users: [kubeConfig.getCurrentUser()],
    contexts: [{ name: 'late', cluster: 'late', user: kubeConfig.getCurrentUser()?.name }],
    currentContext: 'late',
  });
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { kubeConfig: lagging, close };
}

/** Lets pass what comes, in order, each piece after so many ms. */
function late(ms: number): Transform {
  return new Transform({
    transform(chunk, _encoding, done) {
      setTimeout(() => this.push(chunk), ms);
      done();
    },
    flush: (done) => void setTimeout(done, ms),
  });
}
