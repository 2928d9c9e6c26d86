import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { gpuPod } from '../../test/objects/pods.ts';
import { median, quantile, type Scenario, type Table } from '../scenario.ts';
import { type Server, startServer } from '../servers/start.ts';

const NODES = 5_000;
const POLICIES = 500;
const CREATORS = 500;
/** Each creator makes a pod a second: as many as the API server beside it can store on a small machine. */
const PACED_SECONDS = 10;
const ROUNDS = 3;
const BURSTS = 10;

export const admissionLatency: Scenario = {
  name: 'admission-latency',
  question: `How long does a pod wait for the webhook, with ${NODES} nodes and ${POLICIES} policies?`,
  method:
    `the webhook and an echo server (AdmissionReview in, \`allowed\` out), each a process of its own with TLS, and ${CREATORS} ` +
    `connections that stay open, as the API server's do. Paced: each connection creates a pod a second, at moments spread over ` +
    `that second, for ${PACED_SECONDS} s. At once: all ${CREATORS} in the same moment, ${BURSTS} times; its last pod waits for all ` +
    `others, so that only the mean tells of the webhook, and p99 of the queue. ${ROUNDS} alternating rounds after a warm-up; ` +
    'medians of rounds. Server and client share the cores. Every pod is reviewed anew: nothing is remembered of pods; all but ' +
    `the last of the ${POLICIES} policies are asked in vain.`,
  async run(log) {
    const servers = {
      echo: await startServer('echo-review.ts', []),
      webhook: await startServer('webhook.ts', [String(NODES), String(POLICIES)]),
    };
    const rows: string[][] = [];
    const callers = Object.entries(servers).map(([who, server]) => ({ who, call: caller(server) }));
    try {
      for (const { call } of callers) for (let i = 0; i < 10; i += 1) await atOnce(call);
      const paces = new Map<string, number[][]>();
      const bursts = new Map<string, number[][]>();
      for (let round = 1; round <= ROUNDS; round += 1) {
        for (const { who, call } of callers) {
          log(`${who}, round ${round} of ${ROUNDS}`);
          paces.set(who, [...(paces.get(who) ?? []), await paced(call)]);
          const times: number[] = [];
          for (let i = 0; i < BURSTS; i += 1) times.push(...(await atOnce(call)));
          bursts.set(who, [...(bursts.get(who) ?? []), times]);
        }
      }
      for (const [how, all] of [
        [`${CREATORS} a second`, paces],
        [`${CREATORS} at once`, bursts],
      ] as const) {
        for (const [who, rounds] of all) {
          const of = (figure: (times: readonly number[]) => number) => `${median(rounds.map(figure)).toFixed(2)} ms`;
          const each = (times: readonly number[]) => quantile(times, 1) / CREATORS;
          rows.push([
            how,
            who,
            of((t) => quantile(t, 0.5)),
            of((t) => quantile(t, 0.99)),
            of((t) => quantile(t, 1)),
            all === bursts ? of(each) : '',
          ]);
        }
      }
    } finally {
      for (const server of Object.values(servers)) server.stop();
    }
    const head = ['creates', 'server', 'p50', 'p99', 'longest', 'longest / pods'];
    return { head, rows } satisfies Table;
  },
};

type Call = (i: number) => Promise<number>;

async function paced(call: Call): Promise<number[]> {
  const times: number[] = [];
  const creator = async (i: number) => {
    const started = performance.now() + (i / CREATORS) * 1000;
    for (let second = 0; second < PACED_SECONDS; second += 1) {
      await sleep(Math.max(0, started + second * 1000 - performance.now()));
      times.push(await call(i));
    }
  };
  await Promise.all(Array.from({ length: CREATORS }, (_, i) => creator(i)));
  return times;
}

async function atOnce(call: Call): Promise<number[]> {
  return Promise.all(Array.from({ length: CREATORS }, (_, i) => call(i)));
}

const replySchema = z.object({ response: z.object({ allowed: z.literal(true), patch: z.string().optional() }) });

/** Pods of every kind of decision. */
const KINDS = ['training', 'inference', 'development', 'batch'] as const;

function caller({ port }: Server): Call {
  const agent = new Agent({ keepAlive: true, maxSockets: CREATORS, rejectUnauthorized: false });
  const bodies = KINDS.map((type) => {
    const labels = { team: 'bench', 'gpu-autoscaler.io/workload-type': type };
    const object = gpuPod({ name: 'pod', gpus: 1, labels, schedulerName: 'default-scheduler' });
    const kind = { group: '', version: 'v1', kind: 'Pod' };
    const review = { uid: 'u', kind, namespace: 'default', operation: 'CREATE', object };
    return Buffer.from(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: review }));
  });
  return async (i) => {
    const body = bodies[i % bodies.length] ?? Buffer.of();
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const started = performance.now();
    const outgoing = request({ host: '127.0.0.1', port, path: '/mutate-v1-pod', method: 'POST', agent, headers });
    outgoing.end(body);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const reply = await text(response);
    const ms = performance.now() - started;
    replySchema.parse(JSON.parse(reply));
    return ms;
  };
}
