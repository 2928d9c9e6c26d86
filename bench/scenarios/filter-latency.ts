import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import { gpuPod, livePod } from '../../test/objects/pods.ts';
import { nodeNames } from '../fleet.ts';
import { median, quantile, type Scenario, type Table } from '../scenario.ts';
import { type Server, startServer } from '../servers/start.ts';

const SIZES = [1_000, 5_000, 10_000];
/** What kube-scheduler may ask for: filter with narrowing and without it, and prioritize. */
const KINDS = ['filter, narrowed', 'filter, all', 'prioritize'] as const;
type Kind = (typeof KINDS)[number];
const ROUNDS = 12;
const CALLS = 50;
const CHURN = 1_000;

export const filterLatency: Scenario = {
  name: 'filter-latency',
  question: 'How much longer than an echo server does the extender take to filter and prioritize?',
  method:
    `the extender (N nodes of 8 GPUs shared 4 ways, 4 GPU pods on each) and an echo server (JSON in, JSON out), each a ` +
    `process of its own, asked by one client over one connection as kube-scheduler does; all N names in each request, each ` +
    `for a pod not seen before; after ${CHURN} binds of churn ${ROUNDS} alternating rounds of ${CALLS} calls, with one more ` +
    'bind after each call; p50 is the median of the rounds’ medians, p99 is over all calls; ratios are of these. ' +
    'The echo answers filter with all names, and prioritize with a score for each.',
  async run(log) {
    const rows: string[][] = [];
    for (const nodes of SIZES) {
      for (const kind of KINDS) {
        log(`${nodes} nodes, ${kind}`);
        const echo = await startServer('echo.ts', []);
        const extender = await startServer('extender.ts', [String(nodes), kind === 'filter, narrowed' ? 'on' : 'off']);
        try {
          rows.push([String(nodes), kind, ...(await compare(kind, nodes, echo, extender))]);
        } finally {
          echo.stop();
          extender.stop();
        }
      }
    }
    const head = ['nodes', 'verb', 'echo p50', 'ours p50', 'ratio', 'echo p99', 'ours p99', 'ratio'];
    return { head, rows } satisfies Table;
  },
};

/** Requests for one new pod after the other; all have the same names. */
function requests(nodes: number): (uid: string) => Buffer {
  const Pod = JSON.stringify(livePod(gpuPod({ name: 'pod', resources: { 'nvidia.com/gpu.shared': 1 } }), 'THE-UID'));
  const NodeNames = JSON.stringify(nodeNames(nodes));
  return (uid) => Buffer.from(`{"Pod":${Pod.replace('THE-UID', uid)},"Nodes":null,"NodeNames":${NodeNames}}`);
}

async function compare(kind: Kind, nodes: number, echo: Server, extender: Server): Promise<string[]> {
  const verb = kind === 'prioritize' ? 'prioritize' : 'filter';
  const body = requests(nodes);
  const [callEcho, callOurs] = [echo, extender].map(caller);
  if (!callEcho || !callOurs) throw new Error('two servers are compared');
  let pods = 0;
  const bindOne = async () => {
    pods += 1;
    const { reply } = await callOurs('filter', body(`churn-${pods}`));
    const names = z.object({ NodeNames: z.array(z.string()) }).parse(JSON.parse(reply)).NodeNames;
    const Node = names[(pods * 7919) % names.length];
    const binding = { PodName: 'pod', PodNamespace: 'default', PodUID: `churn-${pods}`, Node };
    const { reply: bound } = await callOurs('bind', Buffer.from(JSON.stringify(binding)));
    if (bound !== '{"Error":""}') throw new Error(bound);
  };
  for (let i = 0; i < CHURN; i += 1) await bindOne();
  for (let i = 0; i < CHURN; i += 1) await callEcho(verb, body('warm-up'));
  const times: number[][][] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [who, call] of [callEcho, callOurs].entries()) {
      const ofRound: number[] = [];
      for (let i = 0; i < CALLS; i += 1) {
        const request = body(`${round}-${i}`);
        ofRound.push((await call(verb, request)).ms);
        if (call === callOurs) await bindOne();
      }
      times[who]?.push(ofRound);
    }
  }
  const p50 = times.map((rounds) => median(rounds.map(median)));
  const p99 = times.map((rounds) => quantile(rounds.flat(), 0.99));
  return [p50, p99].flatMap(([floor = 0, ours = 0]) => [ms(floor), ms(ours), (ours / floor).toFixed(2)]);
}

function caller({ port }: Server) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return async (verb: string, body: Buffer): Promise<{ ms: number; reply: string }> => {
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const started = performance.now();
    const call = request({ host: '127.0.0.1', port, path: `/${verb}`, method: 'POST', agent, headers });
    call.end(body);
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    const reply = await buffer(response);
    const ms = performance.now() - started;
    if (response.statusCode !== 200) throw new Error(`${verb}: HTTP ${response.statusCode} ${reply}`);
    return { ms, reply: reply.toString() };
  };
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`;
}
