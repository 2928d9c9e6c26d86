/** What dcgm-exporter tells of GPUs, now and in the past. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

/** One GPU, or MIG instance, or slot of a shared GPU, while one pod holds it. */
export interface MeasuredGpu {
  /** As the exporter's: `gpu`, `UUID`, `modelName`, `namespace`, `pod`, `GPU_I_PROFILE`, `vgpu`, … */
  readonly labels: Readonly<Record<string, string>>;
  /** By metric: a value, or how it went; at a time in seconds before now. Undefined: it was not there. */
  readonly metrics: Readonly<Record<string, number | ((secondsAgo: number) => number | undefined)>>;
}

/** Serves them at `/metrics`, as of now; ends with the test. Its `host:port`. */
export async function startDcgmExporter(t: Test, gpus: readonly MeasuredGpu[]): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4').end(exposition(gpus, [0], () => ''));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/**
 * OpenMetrics text of the past, every `stepSeconds` from `seconds` ago to just before now.
 * @param target labels that Prometheus adds; where the exporter has one of the same name, that is kept as `exported_…`
 */
export function pastOf(
  gpus: readonly MeasuredGpu[],
  {
    now,
    seconds,
    stepSeconds,
    target,
  }: { now: Date; seconds: number; stepSeconds: number; target: Record<string, string> },
): string {
  const renamed = gpus.map(({ labels, metrics }) => ({ labels: asTarget(labels, target), metrics }));
  const times = Array.from({ length: Math.floor(seconds / stepSeconds) }, (_, i) => seconds - i * stepSeconds);
  return `${exposition(renamed, times, (ago) => ` ${Math.round(now.getTime() / 1000 - ago)}`)}# EOF\n`;
}

/** `honor_labels: false`. */
function asTarget(labels: MeasuredGpu['labels'], target: Record<string, string>): Record<string, string> {
  const own = Object.entries(labels).map(([key, value]) => [
    Object.hasOwn(target, key) ? `exported_${key}` : key,
    value,
  ]);
  return { ...target, ...Object.fromEntries(own) };
}

function exposition(
  gpus: readonly MeasuredGpu[],
  times: readonly number[],
  stamp: (secondsAgo: number) => string,
): string {
  const names = new Set(gpus.flatMap(({ metrics }) => Object.keys(metrics)));
  let text = '';
  for (const name of names) {
    text += `# TYPE ${name} gauge\n`;
    for (const { labels, metrics } of gpus) {
      const metric = metrics[name];
      const series = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
      for (const ago of times) {
        const value = typeof metric === 'function' ? metric(ago) : metric;
        if (value !== undefined) text += `${name}{${series.join(',')}} ${value}${stamp(ago)}\n`;
      }
    }
  }
  return text;
}
