/** A real Prometheus on 127.0.0.1, ended with the test. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { z } from 'zod';
import { freePorts } from './processes.ts';
import { waitFor } from './wait.ts';

/** False, and the test skipped, where Prometheus is not installed (Debian: apt-get install prometheus). */
export function isPrometheusInstalled(t: Test): boolean {
  if (spawnSync('promtool', ['--version']).status === 0) return true;
  if (process.env.PROMETHEUS_REQUIRED) throw new Error('promtool is not installed: apt-get install prometheus');
  t.pass('not run', { skip: 'promtool is not installed: apt-get install prometheus' });
  return false;
}

export interface PrometheusOptions {
  /** `scrape_configs`. */
  readonly scrape: readonly object[];
  /** `scrape_interval`; default 1s. */
  readonly every?: string;
  /** What was before, as OpenMetrics text with timestamps. */
  readonly past?: string;
}

export interface PrometheusServer {
  readonly url: string;
  /** Value of the first series of an instant vector; undefined if there is none. */
  ask(query: string): Promise<string | undefined>;
  stop(): Promise<void>;
}

/** Resolves once it answers queries. */
export async function startPrometheus(
  t: Test,
  { scrape, every = '1s', past }: PrometheusOptions,
): Promise<PrometheusServer> {
  const dir = t.testdir({ data: {} });
  const [config, data] = [join(dir, 'prometheus.yml'), join(dir, 'data')];
  writeFileSync(config, JSON.stringify({ global: { scrape_interval: every }, scrape_configs: scrape }));
  if (past !== undefined) importPast(dir, data, past);
  const [port = 0] = await freePorts(1);
  const flags = [`--config.file=${config}`, `--storage.tsdb.path=${data}`, '--storage.tsdb.retention.time=30d'];
  const prometheus = spawn('prometheus', [...flags, `--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' });
  const exit = once(prometheus, 'exit');
  const stop = async () => {
    prometheus.kill();
    await exit;
  };
  t.teardown(stop);
  const url = `http://127.0.0.1:${port}`;
  await waitFor('Prometheus is ready', async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok);
  return {
    url,
    stop,
    async ask(query) {
      const reply = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
      return reply.ok ? answerSchema.parse(await reply.json()).data.result[0]?.value[1] : undefined;
    },
  };
}

function importPast(dir: string, data: string, text: string): void {
  const file = join(dir, 'past.txt');
  writeFileSync(file, text);
  const args = ['tsdb', 'create-blocks-from', 'openmetrics', '--quiet', file, data];
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`promtool ${args.join(' ')}: ${stdout}${stderr}`);
}

const answerSchema = z.object({
  data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
});
