/** Valid requests, broken at random: no crash, always a 4xx with a code or a reply that keeps to the format. */

import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import tap from 'tap';
import { z } from 'zod';
import { makeExtender } from '../fakes/extender.ts';
import { exclusiveNode, migNode, mpsNode } from '../objects/nodes.ts';
import { gpuPod, livePod } from '../objects/pods.ts';
import { makeWebhook, reviewOf } from '../unit/webhook/make.ts';

const RUNS = 10_000;
const NODES = [
  exclusiveNode({ name: 'whole', gpus: 8 }),
  mpsNode({ name: 'mps', gpus: 1, replicas: 8 }),
  migNode({ name: 'mig', gpus: 1, layout: { '1g.5gb': 7 } }),
];
const POD = livePod(
  gpuPod({
    name: 'pod',
    gpus: 1,
    resources: { 'nvidia.com/gpu.shared': 2, 'nvidia.com/mig-1g.5gb': 1 },
    labels: { 'gpu-autoscaler.io/workload-type': 'inference' },
    annotations: { 'gpu-autoscaler.io/gpu-memory': '4Gi', 'gpu-autoscaler.io/allocation': '{"v":1}' },
    spec: {
      initContainers: [{ name: 'init', restartPolicy: 'Always', resources: { limits: { 'nvidia.com/gpu': 1 } } }],
    },
  }),
  'uid-1',
);
const ARGS = { Pod: POD, Nodes: null, NodeNames: NODES.map((_, i) => ['whole', 'mps', 'mig'][i]) };

const errorSchema = z.strictObject({ code: z.string().min(1), message: z.string().min(1) });
const TARGETS = [
  {
    url: '/filter',
    body: ARGS,
    reply: z.strictObject({
      NodeNames: z.array(z.string()),
      FailedNodes: z.record(z.string(), z.string()),
      FailedAndUnresolvableNodes: z.record(z.string(), z.string()),
      Error: z.literal(''),
    }),
  },
  {
    url: '/prioritize',
    body: ARGS,
    reply: z.array(z.strictObject({ Host: z.string(), Score: z.int().min(0).max(10) })),
  },
  {
    url: '/preempt',
    body: {
      Pod: POD,
      NodeNameToVictims: null,
      NodeNameToMetaVictims: { whole: { Pods: [{ UID: 'uid-2' }], NumPDBViolations: 0 } },
    },
    reply: z.strictObject({
      NodeNameToMetaVictims: z.record(
        z.string(),
        z.strictObject({ Pods: z.array(z.strictObject({ UID: z.string() })), NumPDBViolations: z.int() }),
      ),
    }),
  },
  {
    url: '/bind',
    body: { PodName: 'pod', PodNamespace: 'default', PodUID: 'uid-1', Node: 'whole' },
    reply: z.strictObject({ Error: z.string() }),
  },
  {
    url: '/mutate-v1-pod',
    body: reviewOf(POD),
    reply: z.object({ response: z.object({ uid: z.string(), allowed: z.literal(true) }) }),
  },
] as const;

const junk = fc.oneof(
  fc.constantFrom(
    null,
    '',
    '-1',
    'NaN',
    '1e400',
    '0.5',
    '1e3',
    '-0',
    0,
    -1,
    1.5,
    1e308,
    true,
    [],
    {},
    [[]],
    '\u0000',
    '\ud800',
  ),
  fc.string(),
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('__proto__', 'constructor', 'nvidia.com/gpu', '9223372036854775808', 'x'.repeat(5_000)),
);
/** Where, by walking the JSON with a number; and what is done there. */
const mutation = fc.record({
  where: fc.nat(),
  how: fc.constantFrom('replace', 'delete', 'rename', 'repeat', 'wrap'),
  junk,
});
const broken = fc.record({
  target: fc.constantFrom(...TARGETS),
  mutations: fc.array(mutation, { minLength: 1, maxLength: 4 }),
  /** Now and then the text itself is damaged. */
  cut: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 400 }) }),
});
type Mutation = { where: number; how: string; junk: unknown };

/** Every place in the JSON: the object or array that holds it, and its key there. */
function places(value: unknown): { holder: Record<string, unknown> | unknown[]; key: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...places(holder[key])]);
}

function mutate(body: object, { where, how, junk }: Mutation): void {
  const all = places(body);
  const place = all[where % Math.max(1, all.length)];
  if (!place) return;
  const { holder, key } = place;
  const target = holder as Record<string, unknown>;
  const value = target[key];
  // A copy: what lies in the body twice, or in itself, is no JSON.
  if (how === 'replace') target[key] = structuredClone(junk);
  else if (how === 'wrap') target[key] = [value];
  else if (how === 'repeat' && Array.isArray(value)) value.push(...value);
  else {
    delete target[key];
    if (how === 'rename')
      Object.defineProperty(target, typeof junk === 'string' ? junk : 'renamed', {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
}

tap.test(`${RUNS} requests, broken at random`, async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.comment(`seed ${seed}`);
  const { server: extender, state } = makeExtender({ nodes: NODES });
  const webhook = makeWebhook();
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(broken, async ({ target, mutations, cut }) => {
      const body = structuredClone(target.body);
      for (const each of mutations) mutate(body, each);
      const text = JSON.stringify(body);
      const payload = text.slice(0, text.length - cut);
      const server: FastifyInstance = target.url === '/mutate-v1-pod' ? webhook : extender;
      const headers = { 'content-type': 'application/json' };
      const reply = await server.inject({ method: 'POST', url: target.url, payload, headers });
      statuses.set(reply.statusCode, (statuses.get(reply.statusCode) ?? 0) + 1);
      if (reply.statusCode === 200) target.reply.parse(reply.json());
      else if (reply.statusCode >= 400 && reply.statusCode < 500) errorSchema.parse(reply.json());
      else throw new Error(`HTTP ${reply.statusCode}: ${reply.body}`);
      state.ledger.release('uid-1');
    }),
    { seed, numRuns: RUNS },
  );
  t.comment(JSON.stringify(Object.fromEntries(statuses)));
  t.ok((statuses.get(200) ?? 0) > RUNS / 10, 'many are still valid');
  t.ok((statuses.get(400) ?? 0) > RUNS / 10, 'many are not');
});
