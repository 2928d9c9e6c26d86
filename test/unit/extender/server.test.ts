/** The extender's wire format, and what it says to those who do not keep to it. */

import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import tap from 'tap';
import { BODY_LIMIT } from '#src/extender/server.ts';
import { makeExtender } from '../../fakes/extender.ts';
import { exclusiveNode, migNode, mpsNode, timeSlicingNode } from '../../objects/nodes.ts';
import { gpuPod, livePod } from '../../objects/pods.ts';

const NODES = [
  exclusiveNode({ name: 'whole', gpus: 2 }),
  mpsNode({ name: 'mps', gpus: 1, replicas: 8 }),
  timeSlicingNode({ name: 'sliced', gpus: 1, replicas: 4 }),
  migNode({ name: 'mig', gpus: 1, layout: { '1g.5gb': 7 } }),
];
const NAMES = ['whole', 'mps', 'sliced', 'mig'];
const POD = livePod(gpuPod({ name: 'pod', gpus: 1 }), 'uid-1');
const BIND = { PodName: 'pod', PodNamespace: 'default', PodUID: 'uid-1', Node: 'whole' };

tap.test('filter answers with names that fit, and a reason for each that does not', async (t) => {
  const { server } = makeExtender({ nodes: NODES });
  const asked: readonly [what: string, pod: object, passed: string[], failed: object, unresolvable: object][] = [
    ['a whole GPU', gpuPod({ name: 'p', gpus: 1 }), ['whole'], {}, { mps: /^WrongMode: / }],
    [
      'more than any node has',
      gpuPod({ name: 'p', gpus: 3 }),
      [],
      {},
      { whole: 'InsufficientSlots: not enough free slots of nvidia.com/gpu' },
    ],
    ['a shared slot', gpuPod({ name: 'p', resources: { 'nvidia.com/gpu.shared': 1 } }), ['mps', 'sliced'], {}, {}],
    [
      'a shared slot, promised by MPS',
      gpuPod({
        name: 'p',
        resources: { 'nvidia.com/gpu.shared': 1 },
        annotations: { 'gpu-autoscaler.io/optimization-strategy': 'mps' },
      }),
      ['mps'],
      {},
      { sliced: /^WrongMode: the pod was admitted for MPS, the node shares by time-slicing/ },
    ],
    [
      'two slots of MPS in one container',
      gpuPod({ name: 'p', resources: { 'nvidia.com/gpu.shared': 2 } }),
      ['sliced'],
      {},
      { mps: /^SharedCountTooLarge: / },
    ],
    [
      'more memory than a slot has',
      gpuPod({
        name: 'p',
        resources: { 'nvidia.com/gpu.shared': 1 },
        annotations: { 'gpu-autoscaler.io/gpu-memory': '6Gi' },
      }),
      ['sliced'],
      {},
      { mps: /^SlotTooSmall: / },
    ],
    ['no GPU at all', gpuPod({ name: 'p' }), NAMES, {}, {}],
  ];
  for (const [what, pod, passed, failed, unresolvable] of asked) {
    await t.test(what, async (t) => {
      const reply = await server.inject({ method: 'POST', url: '/filter', payload: { Pod: pod, NodeNames: NAMES } });
      t.equal(reply.statusCode, 200);
      const body = reply.json();
      t.same(Object.keys(body), ['NodeNames', 'FailedNodes', 'FailedAndUnresolvableNodes', 'Error']);
      t.same(body.NodeNames, passed);
      t.match(body.FailedNodes, failed);
      t.match(body.FailedAndUnresolvableNodes, unresolvable);
      const refused = [...Object.keys(body.FailedNodes), ...Object.keys(body.FailedAndUnresolvableNodes)];
      t.same([...passed, ...refused].sort(), [...NAMES].sort(), 'every name is in exactly one place');
    });
  }
});

tap.test('a node that is full now, but not for ever, is left to preemption', async (t) => {
  const { server, state } = makeExtender({ nodes: NODES });
  state.pods.update(livePod(gpuPod({ name: 'old', gpus: 2 }), 'uid-old', { nodeName: 'whole' }));
  const reply = await server.inject({ method: 'POST', url: '/filter', payload: { Pod: POD, NodeNames: ['whole'] } });
  t.match(reply.json(), {
    NodeNames: [],
    FailedNodes: { whole: 'InsufficientSlots: not enough free slots of nvidia.com/gpu' },
    FailedAndUnresolvableNodes: {},
  });
});

tap.test('node names never seen are refused, whatever they are called', async (t) => {
  const { server } = makeExtender({ nodes: NODES });
  const names = ['nobody', '__proto__', 'constructor', '', 'toString', 'ü'.repeat(300)];
  const filtered = await server.inject({ method: 'POST', url: '/filter', payload: { Pod: POD, NodeNames: names } });
  t.same(filtered.json().NodeNames, []);
  // JSON.parse makes an own property of "__proto__", as Go does on the other side.
  const refused = Object.keys(filtered.json().FailedAndUnresolvableNodes);
  t.same(refused.sort(), [...names].sort());
  const ranked = await server.inject({ method: 'POST', url: '/prioritize', payload: { Pod: POD, NodeNames: names } });
  t.same(ranked.json(), []);
});

tap.test('prioritize answers with integers from 0 to 10, and exactly one 10', async (t) => {
  const nodes = Array.from({ length: 30 }, (_, i) => exclusiveNode({ name: `node-${i}`, gpus: 4 }));
  for (const strategy of ['bestfit', 'firstfit', 'worstfit']) {
    const { server } = makeExtender({ nodes, strategy });
    const NodeNames = nodes.map((_, i) => `node-${29 - i}`);
    const reply = await server.inject({ method: 'POST', url: '/prioritize', payload: { Pod: POD, NodeNames } });
    const oldest = Array.from({ length: 10 }, (_, rank) => ({ Host: `node-${rank}`, Score: 10 - rank }));
    t.same(reply.json(), oldest, `${strategy}: of equals the oldest; who is not named has 0`);
  }
});

tap.test('bind makes one write, and an empty Error is success', async (t) => {
  const { server, writes, state } = makeExtender({ nodes: NODES });
  await server.inject({ method: 'POST', url: '/filter', payload: { Pod: POD, NodeNames: NAMES } });
  const reply = await server.inject({ method: 'POST', url: '/bind', payload: BIND });
  t.same(reply.json(), { Error: '' });
  t.same(writes, ['/api/v1/namespaces/default/pods/pod/binding']);
  t.match(state.ledger.allocationOf('uid-1'), { node: 'whole', state: 'reserved' });
});

tap.test('health, readiness, metrics', async (t) => {
  const waiting = makeExtender({ notReadyReason: 'waiting for the list of pods' }).server;
  t.equal((await waiting.inject('/healthz')).statusCode, 200, 'alive while it waits');
  const readyz = await waiting.inject('/readyz');
  t.equal(readyz.statusCode, 503);
  t.match(readyz.json(), { code: 'NotReady', message: /waiting for the list of pods/ });
  const { server } = makeExtender({ nodes: NODES });
  t.equal((await server.inject('/readyz')).statusCode, 200);
  await server.inject({ method: 'POST', url: '/filter', payload: { Pod: POD, NodeNames: NAMES } });
  const metrics = (await server.inject('/metrics')).body;
  t.match(metrics, /gpu_autoscaler_extender_request_duration_seconds_count\{verb="filter",status="200"\} 1/);
  t.match(metrics, /gpu_autoscaler_extender_refused_nodes_total\{reason="WrongMode"\} 3/);
});

interface Bad {
  readonly what: string;
  readonly url: string;
  readonly payload: unknown;
  readonly status: number;
  readonly code: string;
  readonly says?: RegExp;
  readonly type?: string;
}

const json = (value: unknown) => ({ Pod: value, NodeNames: NAMES });
const quantity = (amount: unknown) =>
  json({ metadata: {}, spec: { containers: [{ name: 'c', resources: { limits: { 'nvidia.com/gpu': amount } } }] } });
const nested = (depth: number) => `{"Pod":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)},"NodeNames":[]}`;

const BAD: readonly Bad[] = [
  { what: 'no JSON', url: '/filter', payload: '{"Pod":', status: 400, code: 'InvalidJson' },
  { what: 'no body', url: '/filter', payload: '', status: 400, code: 'InvalidJson' },
  { what: 'JSON that is no object', url: '/filter', payload: '[1]', status: 400, code: 'InvalidEnvelope' },
  { what: 'no Pod', url: '/filter', payload: { NodeNames: [] }, status: 400, code: 'InvalidEnvelope', says: /Pod/ },
  {
    what: 'lower-case keys',
    url: '/filter',
    payload: { pod: POD, nodenames: [] },
    status: 400,
    code: 'InvalidEnvelope',
  },
  {
    what: 'no NodeNames',
    url: '/filter',
    payload: { Pod: POD },
    status: 400,
    code: 'InvalidEnvelope',
    says: /NodeNames/,
  },
  {
    what: 'NodeNames that are no strings',
    url: '/filter',
    payload: { Pod: POD, NodeNames: [1] },
    status: 400,
    code: 'InvalidEnvelope',
    says: /NodeNames\.0/,
  },
  {
    what: 'full Node objects',
    url: '/filter',
    payload: { Pod: POD, Nodes: { items: [] }, NodeNames: null },
    status: 400,
    code: 'NodeListNotSupported',
    says: /nodeCacheCapable/,
  },
  {
    what: 'a pod without containers',
    url: '/filter',
    payload: json({ metadata: {}, spec: { containers: [] } }),
    status: 400,
    code: 'InvalidPod',
    says: /spec\.containers/,
  },
  {
    what: 'a pod without a spec',
    url: '/prioritize',
    payload: json({ metadata: {} }),
    status: 400,
    code: 'InvalidPod',
    says: /spec/,
  },
  {
    what: 'containers missing',
    url: '/filter',
    payload: json({ metadata: {}, spec: {} }),
    status: 400,
    code: 'InvalidPod',
    says: /spec\.containers/,
  },
  {
    what: 'a quantity of 1e400',
    url: '/filter',
    payload: quantity('1e400'),
    status: 400,
    code: 'InvalidQuantity',
    says: /container c, nvidia\.com\/gpu: "1e400" is too large/,
  },
  {
    what: 'a quantity of -1',
    url: '/filter',
    payload: quantity('-1'),
    status: 400,
    code: 'InvalidQuantity',
    says: /negative/,
  },
  {
    what: 'a quantity of NaN',
    url: '/filter',
    payload: quantity('NaN'),
    status: 400,
    code: 'InvalidQuantity',
    says: /not a Kubernetes quantity/,
  },
  {
    what: 'half a GPU',
    url: '/filter',
    payload: quantity('0.5'),
    status: 400,
    code: 'InvalidQuantity',
    says: /not a whole number/,
  },
  {
    what: 'a quantity that is an object',
    url: '/filter',
    payload: quantity({}),
    status: 400,
    code: 'InvalidPod',
    says: /nvidia\.com\/gpu/,
  },
  {
    what: 'nesting of 100,000 levels in the pod',
    url: '/filter',
    payload: nested(100_000),
    status: 400,
    code: 'InvalidPod',
  },
  {
    what: 'bind without a UID',
    url: '/bind',
    payload: { ...BIND, PodUID: '' },
    status: 400,
    code: 'InvalidEnvelope',
    says: /PodUID/,
  },
  { what: 'bind of another shape', url: '/bind', payload: json(POD), status: 400, code: 'InvalidEnvelope' },
  { what: 'an unknown verb', url: '/reserve', payload: {}, status: 404, code: 'UnknownPath', says: /POST \/reserve/ },
  {
    what: 'another content type',
    url: '/filter',
    payload: 'Pod=1',
    type: 'application/x-www-form-urlencoded',
    status: 415,
    code: 'UnsupportedMediaType',
  },
  {
    what: 'text',
    url: '/filter',
    payload: 'Pod=1',
    type: 'text/plain',
    status: 415,
    code: 'UnsupportedMediaType',
  },
  {
    what: 'a body of 10 MB',
    url: '/filter',
    payload: `{"Pod":"${'x'.repeat(10_000_000)}"}`,
    status: 413,
    code: 'BodyTooLarge',
  },
];

tap.test('bad input gets its status, a stable code and a sentence', async (t) => {
  const { server, state } = makeExtender({ nodes: NODES });
  for (const { what, url, payload, status, code, says = /./, type = 'application/json' } of BAD) {
    await t.test(what, async (t) => {
      const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
      const reply = await server.inject({ method: 'POST', url, payload: body, headers: { 'content-type': type } });
      t.equal(reply.statusCode, status, reply.body);
      t.match(reply.json(), { code, message: says });
      t.ok(reply.body.length < 1_000, 'the answer does not repeat what was sent');
    });
  }
  t.equal(state.ledger.reservations(), 0);
  t.ok(BODY_LIMIT < 10_000_000);
});

tap.test('GET on a verb is an unknown path', async (t) => {
  const reply = await makeExtender().server.inject('/filter');
  t.equal(reply.statusCode, 404);
  t.match(reply.json(), { code: 'UnknownPath', message: /GET \/filter/ });
});

tap.test('before the first full list no verb answers', async (t) => {
  const { server } = makeExtender({ notReadyReason: 'waiting for the list of nodes' });
  for (const [url, payload] of [
    ['/filter', json(POD)],
    ['/prioritize', json(POD)],
    ['/preempt', json(POD)],
    ['/bind', BIND],
  ] as const) {
    const reply = await server.inject({ method: 'POST', url, payload });
    t.equal(reply.statusCode, 503);
    t.match(reply.json(), { code: 'NotReady' });
  }
});

tap.test('what is no request at all is told so in the same words', async (t) => {
  const { server } = makeExtender();
  t.teardown(() => server.close());
  const { port } = new URL(await server.listen({ host: '127.0.0.1', port: 0 }));
  const said = async (request: string) => {
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(request);
    return text(socket);
  };
  t.match(await said('nonsense\r\n\r\n'), /^HTTP\/1\.1 400 [\s\S]*"code":"MalformedRequest"/);
  t.match(
    await said(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 [\s\S]*"code":"HeadersTooLarge"/,
  );
  const reply = await fetch(`http://127.0.0.1:${port}/%zz`);
  t.equal(reply.status, 400);
  t.match(await reply.json(), { code: 'MalformedRequest' });
});
