/** The configuration file changes, and nobody restarts. */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import tap from 'tap';
import { z } from 'zod';
import { startExtender } from '#src/app/extender.ts';
import { startWebhook } from '#src/app/webhook.ts';
import { systemClock } from '#src/kube/clock.ts';
import { createCertificate } from '../cluster/certificates.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { waitFor } from '../cluster/wait.ts';
import { A100_40GB, timeSlicingNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';
import { reviewOf } from '../unit/webhook/make.ts';

const LOG = pino({ level: 'silent' });
const NODES = ['a', 'b'].map((name) => timeSlicingNode({ name, gpus: 1, replicas: 4, gpu: A100_40GB }));

/** Whoever signed its certificate. */
async function call(url: string, body?: object): Promise<string> {
  const request = url.startsWith('https:') ? tlsRequest : plainRequest;
  const headers = { 'content-type': 'application/json' };
  const options = { method: body ? 'POST' : 'GET', headers, rejectUnauthorized: false, agent: false } as const;
  const outgoing = request(url, options);
  outgoing.end(body && JSON.stringify(body));
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return text(response);
}

const reviewSchema = z.object({ response: z.object({ patch: z.string().default('') }) });
const filteredSchema = z.object({ NodeNames: z.array(z.string()) });

tap.test('a change is taken, one that cannot be used is refused, and what was before holds on', async (t) => {
  const cluster = await clusterFor(t, { nodes: NODES, kubelets: false });
  if (!cluster) return;
  const { kubeConfig } = cluster;
  const dir = t.testdir({});
  const file = join(dir, 'config.yaml');
  const write = (text: string) => writeFileSync(file, text);
  write('{}\n');
  const { cert, key } = await createCertificate();
  const [certFile, keyFile] = [join(dir, 'tls.crt'), join(dir, 'tls.key')];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  const common = {
    kubeConfig,
    host: '127.0.0.1',
    port: 0,
    log: LOG,
    random: Math.random,
    configurationFile: file,
    configurationMs: 50,
  };
  const webhook = await startWebhook({
    ...common,
    certificates: { from: 'files', certFile, keyFile },
    namespace: 'gpu-autoscaler-system',
    schedulerName: 'gpu-autoscaler-scheduler',
    clock: systemClock,
  });
  t.teardown(() => webhook.close());
  const extender = await startExtender({ ...common, clock: systemClock, identity: 'test' });
  t.teardown(() => extender.close());
  await Promise.all([webhook.ready, extender.ready]);

  const shares = async (annotations: Record<string, string> = {}) => {
    const labels = { 'gpu-autoscaler.io/workload-type': 'development' };
    const pod = gpuPod({ name: 'p', gpus: 1, labels, annotations, schedulerName: 'default-scheduler' });
    const { response } = reviewSchema.parse(JSON.parse(await call(`${webhook.url}/mutate-v1-pod`, reviewOf(pod))));
    return /gpu\.shared/.test(Buffer.from(response.patch, 'base64').toString());
  };
  t.ok(await shares());

  write('sharing: { timeSlicing: { enabled: false } }\n');
  await waitFor('time-slicing is off', async () => !(await shares()));
  write('sharing: { timeSlicing: { enabled: maybe } }\n');
  const refused = async (url: string) =>
    /configuration_reloads_total\{result="refused"\} 1/.test(await call(`${url}/metrics`));
  await waitFor(
    'both say that this one cannot be used',
    async () => (await refused(webhook.url)) && refused(extender.url),
  );
  t.notOk(await shares(), 'and what was before holds');
  write('');
  const refusedTwice = async () =>
    /configuration_reloads_total\{result="refused"\} 2/.test(await call(`${webhook.url}/metrics`));
  await waitFor('nor is an empty one taken', refusedTwice);

  const large = { 'gpu-autoscaler.io/gpu-memory': '30Gi' };
  write('{}\n');
  await waitFor('time-slicing is on again', () => shares());
  t.notOk(await shares(large), 'a quarter of the memory does not hold it');
  write('sharing: { timeSlicing: { oversubscribe: true } }\nbinPacking: { strategy: worstfit }\n');
  await waitFor('a slot may use the memory of the whole GPU', () => shares(large));

  const Pod = gpuPod({ name: 'p', resources: { 'nvidia.com/gpu.shared': 1 }, annotations: large });
  await waitFor('the extender agrees', async () => {
    const reply = JSON.parse(await call(`${extender.url}/filter`, { Pod, NodeNames: ['a', 'b'] }));
    return filteredSchema.parse(reply).NodeNames.length > 0;
  });
  const decisions = await call(`${extender.url}/metrics`);
  t.match(decisions, /decisions_total\{strategy="worstfit",result="narrowed"\}/, 'and places by the other strategy');
});
