/** The figures that are asked for at each scrape. */

import { Registry } from 'prom-client';
import tap from 'tap';
import { reconcilerMetrics } from '#src/reconciler/metrics.ts';

tap.test('what nodes share is asked for at each scrape', async (t) => {
  const registry = new Registry();
  let figures = { mpsClients: 3, virtualGpus: 8 };
  reconcilerMetrics(registry, () => figures);
  const scraped = async () => (await registry.metrics()).split('\n').filter((line) => /^\w+(clients|gpus) /.test(line));
  t.strictSame(await scraped(), ['gpu_autoscaler_mps_active_clients 3', 'gpu_autoscaler_timeslicing_virtual_gpus 8']);
  figures = { mpsClients: 0, virtualGpus: 4 };
  t.strictSame(await scraped(), ['gpu_autoscaler_mps_active_clients 0', 'gpu_autoscaler_timeslicing_virtual_gpus 4']);
});
