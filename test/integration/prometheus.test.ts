/** Our metrics in the eyes of Prometheus: its linter, and a server that scrapes them. */

import { spawnSync } from 'node:child_process';
import type { FastifyInstance } from 'fastify';
import tap from 'tap';
import { createRegistry } from '#src/telemetry/registry.ts';
import { certificateMetrics, registrationMetrics } from '#src/webhook/certificates/metrics.ts';
import { webhookMetrics } from '#src/webhook/metrics.ts';
import { isPrometheusInstalled, startPrometheus } from '../cluster/prometheus.ts';
import { waitFor } from '../cluster/wait.ts';
import { makeExtender } from '../fakes/extender.ts';
import { exclusiveNode } from '../objects/nodes.ts';
import { gpuPod, livePod } from '../objects/pods.ts';

/** An extender that has filtered, ranked, refused and bound. */
async function usedExtender(): Promise<FastifyInstance> {
  const { server } = makeExtender({
    nodes: [exclusiveNode({ name: 'a', gpus: 2 }), exclusiveNode({ name: 'b', gpus: 1 })],
  });
  const ask = (url: string, payload: object) => server.inject({ method: 'POST', url, payload });
  const Pod = livePod(gpuPod({ name: 'pod', gpus: 2 }), 'uid');
  await ask('/filter', { Pod, NodeNames: ['a', 'b', 'c'] });
  await ask('/prioritize', { Pod, NodeNames: ['a'] });
  await ask('/bind', { PodName: 'pod', PodNamespace: 'default', PodUID: 'uid', Node: 'a' });
  await ask('/bind', { PodName: 'pod', PodNamespace: 'default', PodUID: 'uid', Node: 'b' });
  return server;
}

tap.test('promtool finds nothing to object to', async (t) => {
  if (!isPrometheusInstalled(t)) return;
  const webhook = createRegistry();
  webhookMetrics(webhook).decisions.inc({ strategy: 'mig' });
  certificateMetrics(webhook).rotations.inc({ result: 'taken' });
  registrationMetrics(webhook);
  const server = await usedExtender();
  for (const text of [(await server.inject({ url: '/metrics' })).body, await webhook.metrics()]) {
    t.match(text, /^gpu_autoscaler_\w+\{.*\} 1$/m);
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    t.equal(status, 0, `${stdout}${stderr}`);
  }
});

tap.test('a Prometheus server scrapes them, and answers questions about them', async (t) => {
  if (!isPrometheusInstalled(t)) return;
  const server = await usedExtender();
  t.teardown(() => server.close());
  const { host } = new URL(await server.listen({ host: '127.0.0.1', port: 0 }));
  const scrape = { job_name: 'extender', static_configs: [{ targets: [host] }] };
  const { ask } = await startPrometheus(t, { scrape: [scrape] });
  t.equal(await waitFor('the first scrape', () => ask('gpu_autoscaler_extender_binds_total{result="bound"}')), '1');
  t.equal(await ask('sum(gpu_autoscaler_extender_refused_nodes_total)'), '2');
  t.equal(await ask('count(gpu_autoscaler_extender_request_duration_seconds_count)'), '3', 'one series for each verb');
  const slow = 'histogram_quantile(1, sum by (le) (gpu_autoscaler_extender_request_duration_seconds_bucket)) < 5';
  t.ok(await ask(slow), 'the buckets make a quantile');
});
