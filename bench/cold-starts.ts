/** Starts of a role on a large cluster, and what the API server alone takes to list all that the role lists. */

import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { type Cluster, createAll, startCluster } from '../test/cluster/start.ts';
import { gpuPod } from '../test/objects/pods.ts';
import { nodeNames, sharedNodes } from './fleet.ts';
import { quiet } from './quiet.ts';
import { median } from './scenario.ts';
import { BASELINE, type LiveRole } from './servers/live-role.ts';

export const NODES = 5_000;
export const PODS_PER_NODE = 10;
const ROUNDS = 5;
export const PAGE = 150;

/** Makes pods as long as real ones, with what controllers and sidecars add. */
const FILLER = { 'example.com/configuration': 'x'.repeat(1_500) };

export const ROUNDS_METHOD = `${ROUNDS} alternating rounds, each start once the machine is idle, medians; before is another checkout`;
export const RSS_METHOD = 'RSS is the most it ever had (VmHWM)';
export const STALL_METHOD =
  'the stall the longest of the event loop until ready, by perf_hooks (sampled every 10 ms, which is taken off)';

export interface ColdStart {
  readonly readyMs: number;
  /** Of the list alone, right before. */
  readonly floorMs: number;
  readonly rssMiB: number;
  readonly stallMs: number;
}

type Annotations = (node: string, n: number) => Readonly<Record<string, string>>;

export interface ColdStartsOptions<T> {
  readonly label: string;
  /** Of the nth pod of a node, besides `FILLER`; none by default. */
  readonly annotations?: Annotations;
  /** Before there are nodes and pods. */
  readonly prepare?: (client: KubeClient) => Promise<unknown>;
  /** What the role lists, such as `/api/v1/nodes`. */
  readonly paths: readonly string[];
  /** Resolves once it is ready. @param main another checkout's `src/main.ts` */
  readonly start: (cluster: Cluster, main: string | undefined) => Promise<LiveRole>;
  /** What else is looked at while it runs. */
  readonly more: (role: LiveRole) => Promise<T>;
  readonly log: (line: string) => void;
}

export interface ColdStarts<T> {
  readonly ours: readonly (ColdStart & T)[];
  /** Of `COLD_START_BASELINE`, if it is set. */
  readonly before: readonly (ColdStart & T)[];
}

/** Alternating rounds of the floor and a start, of each checkout. */
export async function coldStarts<T>(options: ColdStartsOptions<T>): Promise<ColdStarts<T>> {
  const { label, annotations = () => ({}), prepare, paths, start, more, log } = options;
  const cluster = await startCluster({ kubelets: false, label });
  try {
    const { client } = cluster;
    await prepare?.(client);
    await fill(client, annotations, log);
    const measured = async (main: string | undefined) => {
      await quiet(log);
      const floorMs = await floor(client, paths);
      const started = performance.now();
      const role = await start(cluster, main);
      try {
        const readyMs = performance.now() - started;
        log(`${main ?? 'ours'}: floor ${seconds(floorMs)}, ready ${seconds(readyMs)}`);
        const [rssMiB, stallMs] = [rss(role), await longestStall(role)];
        return { floorMs, readyMs, rssMiB, stallMs, ...(await more(role)) };
      } finally {
        await role.stop();
      }
    };
    const ours: (ColdStart & T)[] = [];
    const before: (ColdStart & T)[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      if (BASELINE) before.push(await measured(BASELINE));
      ours.push(await measured(undefined));
    }
    return { ours, before };
  } finally {
    await cluster.stop();
  }
}

/** The head of the columns of one case. */
export function headOf(what = ''): string[] {
  const columns = BASELINE ? ['before: median', 'worst', 'now: median', 'worst'] : ['median', 'worst'];
  return columns.map((column) => (what && column !== 'worst' ? `${what}: ${column}` : column));
}

/** What every role is asked. */
export function startRows<T>(starts: ColdStarts<T>): string[][] {
  return [
    row('the API server’s own list time', starts, ({ floorMs }) => floorMs, seconds),
    row('cold to ready', starts, ({ readyMs }) => readyMs, seconds),
    row('beyond the floor', starts, ({ readyMs, floorMs }) => readyMs - floorMs, seconds),
    row('RSS, MiB', starts, ({ rssMiB }) => rssMiB, mib),
    row('longest stall', starts, ({ stallMs }) => stallMs, ms),
  ];
}

/** A figure: its median, and the worst. */
export function row<T>(
  name: string,
  { ours, before }: ColdStarts<T>,
  figure: (start: ColdStart & T) => number,
  text: (value: number) => string,
): string[] {
  const cells = [before, ours].filter(({ length }) => length > 0).map((starts) => starts.map(figure));
  return [name, ...cells.flatMap((values) => [text(median(values)), text(Math.max(...values))])];
}

async function fill(client: KubeClient, annotations: Annotations, log: (line: string) => void): Promise<void> {
  const names = nodeNames(NODES);
  const started = performance.now();
  await createAll(client, '/api/v1/nodes', sharedNodes(names));
  log(`${NODES} nodes after ${seconds(performance.now() - started)}`);
  for (let i = 0; i < PODS_PER_NODE; i += 1) {
    const pods = names.map((nodeName, n) =>
      gpuPod({
        name: `pod-${n}-${i}`,
        resources: { 'nvidia.com/gpu.shared': 1 },
        annotations: { ...FILLER, ...annotations(nodeName, i) },
        nodeName,
      }),
    );
    await createAll(client, '/api/v1/namespaces/default/pods', pods);
    log(`${(i + 1) * NODES} pods after ${seconds(performance.now() - started)}`);
  }
}

/** ms to read all lists, page by page, and do nothing with them but find the next page. */
async function floor(client: KubeClient, paths: readonly string[]): Promise<number> {
  const started = performance.now();
  await Promise.all(
    paths.map(async (path) => {
      let cursor = '';
      do {
        const query = new URLSearchParams({ limit: String(PAGE), ...(cursor && { continue: cursor }) });
        const page = await buffer(await client.stream('GET', `${path}?${query}`));
        // The list's metadata come first.
        cursor = /"continue":"([^"]*)"/.exec(page.toString('latin1', 0, 2_000))?.[1] ?? '';
      } while (cursor);
    }),
  );
  return performance.now() - started;
}

/** MiB, the most it ever had. */
export function rss({ pid }: LiveRole): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** ms, since it was last asked. What perf_hooks measures has its sampling interval in it: an idle process shows 10 ms. */
export async function longestStall({ url }: LiveRole): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return -10 + 1000 * z.coerce.number().parse(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)?.[1]);
}

export function seconds(value = Number.NaN): string {
  return `${(value / 1000).toFixed(2)} s`;
}

export function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

export function mib(value: number): string {
  return value.toFixed(0);
}
