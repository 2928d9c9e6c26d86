import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { gpuPod } from '../../test/cluster/pods.ts';
import { createAll, startCluster } from '../../test/cluster/start.ts';
import { nodeNames, sharedNodes } from '../fleet.ts';
import { median, type Scenario } from '../scenario.ts';
import { startLiveExtender } from '../servers/live-extender.ts';

const NODES = 5_000;
const PODS_PER_NODE = 10;
const ROUNDS = 3;
const PAGE = 150;

export const coldStart: Scenario = {
  name: 'cold-start',
  question: 'How long from nothing until the extender answers, and what does it take?',
  method:
    `a real kube-apiserver with ${NODES} nodes and ${NODES * PODS_PER_NODE} bound GPU pods (about 4 KiB each), made through its ` +
    `API; the floor lists both kinds in the same pages of ${PAGE}, and throws the bytes away; the extender is started as a ` +
    `process, and is ready when /readyz says so; ${ROUNDS} alternating rounds, medians. RSS is the most it ever had (VmHWM), ` +
    'the stall the longest of the event loop until ready, by perf_hooks (sampled every 10 ms, which is taken off); the comparison is one of the ledger ' +
    'with the API server, and the stall the longest meanwhile.',
  async run(log) {
    const cluster = await startCluster({ kubelets: false, label: 'cold-start' });
    try {
      const { client, kubeconfigFile } = cluster;
      await fill(client, log);
      const floors: number[] = [];
      const starts: Start[] = [];
      for (let round = 1; round <= ROUNDS; round += 1) {
        floors.push(await floor(client));
        starts.push(await start(kubeconfigFile));
        log(`round ${round}: floor ${seconds(floors.at(-1))}, ready ${seconds(starts.at(-1)?.readyMs)}`);
      }
      const of = (figure: (start: Start) => number) => median(starts.map(figure));
      const beyond = median(starts.map(({ readyMs }, i) => readyMs - (floors[i] ?? 0)));
      return {
        head: ['figure', 'median', 'worst'],
        rows: [
          ['the API server’s own list time', seconds(median(floors)), seconds(Math.max(...floors))],
          ['cold to ready', seconds(of(({ readyMs }) => readyMs)), seconds(Math.max(...starts.map((s) => s.readyMs)))],
          ['beyond the floor', seconds(beyond), ''],
          ['RSS, MiB', of(({ rssMiB }) => rssMiB).toFixed(0), Math.max(...starts.map((s) => s.rssMiB)).toFixed(0)],
          ['longest stall', ms(of(({ stallMs }) => stallMs)), ms(Math.max(...starts.map((s) => s.stallMs)))],
          [
            'one comparison',
            seconds(of(({ compareMs }) => compareMs)),
            seconds(Math.max(...starts.map((s) => s.compareMs))),
          ],
          [
            'longest stall in it',
            ms(of((s) => s.compareStallMs)),
            ms(Math.max(...starts.map((s) => s.compareStallMs))),
          ],
          [
            'RSS after it, MiB',
            of((s) => s.rssAfterMiB).toFixed(0),
            Math.max(...starts.map((s) => s.rssAfterMiB)).toFixed(0),
          ],
        ],
      };
    } finally {
      await cluster.stop();
    }
  },
};

async function fill(client: KubeClient, log: (line: string) => void): Promise<void> {
  const names = nodeNames(NODES);
  const started = performance.now();
  await createAll(client, '/api/v1/nodes', sharedNodes(names));
  log(`${NODES} nodes after ${seconds(performance.now() - started)}`);
  // As long as real ones: with what controllers and sidecars add.
  const annotations = { 'example.com/configuration': 'x'.repeat(1_500) };
  for (let i = 0; i < PODS_PER_NODE; i += 1) {
    const pods = names.map((nodeName, n) =>
      gpuPod({ name: `pod-${n}-${i}`, resources: { 'nvidia.com/gpu.shared': 1 }, annotations, nodeName }),
    );
    await createAll(client, '/api/v1/namespaces/default/pods', pods);
    log(`${(i + 1) * NODES} pods after ${seconds(performance.now() - started)}`);
  }
}

/** ms to read both lists, page by page, and do nothing with them but find the next page. */
async function floor(client: KubeClient): Promise<number> {
  const started = performance.now();
  await Promise.all(
    ['nodes', 'pods'].map(async (kind) => {
      let cursor = '';
      do {
        const query = new URLSearchParams({ limit: String(PAGE), ...(cursor && { continue: cursor }) });
        const page = await buffer(await client.stream('GET', `/api/v1/${kind}?${query}`));
        // The list's metadata come first.
        cursor = /"continue":"([^"]*)"/.exec(page.toString('latin1', 0, 2_000))?.[1] ?? '';
      } while (cursor);
    }),
  );
  return performance.now() - started;
}

interface Start {
  readonly readyMs: number;
  readonly rssMiB: number;
  readonly stallMs: number;
  readonly compareMs: number;
  readonly compareStallMs: number;
  readonly rssAfterMiB: number;
}

async function start(kubeconfigFile: string): Promise<Start> {
  const started = performance.now();
  const { url, pid, stop } = await startLiveExtender(kubeconfigFile, ['--compare-interval', '0']);
  try {
    const readyMs = performance.now() - started;
    const rssMiB = rss(pid);
    const stallMs = await longestStall(url);
    const compared = performance.now();
    const reply = await fetch(`${url}/compare`, { method: 'POST' });
    const compareMs = performance.now() - compared;
    z.object({ total: z.literal(0) }).parse(await reply.json());
    const compareStallMs = await longestStall(url);
    return { readyMs, rssMiB, stallMs, compareMs, compareStallMs, rssAfterMiB: rss(pid) };
  } finally {
    await stop();
  }
}

/** MiB, the most it ever had. */
function rss(pid: number | undefined): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** ms, since it was last asked. What perf_hooks measures has its sampling interval in it: an idle process shows 10 ms. */
async function longestStall(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return -10 + 1000 * z.coerce.number().parse(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)?.[1]);
}

function seconds(value = Number.NaN): string {
  return `${(value / 1000).toFixed(2)} s`;
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}
