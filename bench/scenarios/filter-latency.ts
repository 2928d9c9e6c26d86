import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gpuPod } from '../../test/cluster/pods.ts';
import { livePod } from '../../test/fakes/extender.ts';
import { median, quantile, type Scenario, type Table } from '../scenario.ts';
import { type Server, startServer } from '../servers/start.ts';

const SIZES = [500, 5_000];
const VERBS = ['filter', 'prioritize'] as const;
const ROUNDS = 12;
const CALLS = 50;
const WARM_UP = 100;

export const filterLatency: Scenario = {
  name: 'filter-latency',
  question: 'How much longer than an echo server does the extender take to filter and prioritize?',
  method:
    `the extender (N nodes of 8 GPUs shared 4 ways, 4 GPU pods on each) and an echo server (JSON in, JSON out), each a ` +
    `process of its own, asked by one client over one connection as kube-scheduler does; all N names in each request; ` +
    `${ROUNDS} alternating rounds of ${CALLS} calls after ${WARM_UP} to warm up; p50 is the median of the rounds’ ` +
    'medians, p99 is over all calls; ratios are of these.',
  async run(log) {
    const rows: string[][] = [];
    for (const nodes of SIZES) {
      const echo = await startServer('echo.ts', []);
      const extender = await startServer('extender.ts', [String(nodes)]);
      try {
        for (const verb of VERBS) {
          log(`${nodes} nodes, ${verb}`);
          rows.push([String(nodes), verb, ...(await compare(verb, bodyFor(nodes), echo, extender))]);
        }
      } finally {
        echo.stop();
        extender.stop();
      }
    }
    const head = ['nodes', 'verb', 'echo p50', 'ours p50', 'ratio', 'echo p99', 'ours p99', 'ratio'];
    return { head, rows } satisfies Table;
  },
};

function bodyFor(nodes: number): Buffer {
  const Pod = livePod(gpuPod({ name: 'pod', resources: { 'nvidia.com/gpu.shared': 1 } }), 'uid');
  const NodeNames = Array.from({ length: nodes }, (_, i) => `gpu-node-${String(i).padStart(5, '0')}`);
  return Buffer.from(JSON.stringify({ Pod, Nodes: null, NodeNames }));
}

async function compare(verb: string, body: Buffer, echo: Server, extender: Server): Promise<string[]> {
  const callers = [caller(echo, verb, body), caller(extender, verb, body)];
  const rounds: number[][][] = callers.map(() => []);
  for (const call of callers) for (let i = 0; i < WARM_UP; i += 1) await call();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [who, call] of callers.entries()) {
      const times: number[] = [];
      for (let i = 0; i < CALLS; i += 1) times.push(await call());
      rounds[who]?.push(times);
    }
  }
  const [p50 = [], p99 = []] = [
    rounds.map((of) => median(of.map(median))),
    rounds.map((of) => quantile(of.flat(), 0.99)),
  ];
  return [p50, p99].flatMap(([floor = 0, ours = 0]) => [ms(floor), ms(ours), (ours / floor).toFixed(2)]);
}

/** Time of one call, in ms. */
function caller({ port }: Server, verb: string, body: Buffer): () => Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  return async () => {
    const started = performance.now();
    const call = request({ host: '127.0.0.1', port, path: `/${verb}`, method: 'POST', agent, headers });
    call.end(body);
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    await buffer(response);
    if (response.statusCode !== 200) throw new Error(`${verb}: HTTP ${response.statusCode}`);
    return performance.now() - started;
  };
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}
