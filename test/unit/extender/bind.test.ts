/** bind: nobody gets a slot that is taken, and no slot stays taken by nobody. */

import tap from 'tap';
import { KubeError } from '#src/kube/kube-client.ts';
import type { ApiFault } from '../../fakes/pod-api.ts';
import { NODE, OTHER, podManifest, setUp } from './binding.ts';

const BOUND = { result: 'bound' };

tap.test('a bind is one request, whose annotations carry the allocation record', async (t) => {
  const { api, bind, nodeOf, free } = setUp(t, { gpus: 2 });
  t.strictSame(await bind('a'), BOUND);
  t.strictSame(api.calls, ['POST a']);
  t.equal(nodeOf('a'), NODE);
  t.equal(free(), 1);
  t.match(api.bindings, [
    { kind: 'Binding', metadata: { name: 'a', namespace: 'team', uid: 'a' }, target: { kind: 'Node', name: NODE } },
  ]);
  t.strictSame(JSON.parse(api.bindings[0]?.metadata.annotations?.['gpu-autoscaler.io/allocation'] ?? ''), {
    v: 1,
    node: NODE,
    strategy: 'bestfit',
    mode: 'exclusive',
    resource: 'nvidia.com/gpu',
    count: 1,
    milliGpu: 1000,
    memoryMiB: 40960,
  });
});

for (const callers of [2, 128]) {
  for (const remembered of [true, false]) {
    const from = remembered ? 'filter' : 'the API server';
    tap.test(`${callers} pods that race for the last slot, known from ${from}: one gets it`, async (t) => {
      const pods = Array.from({ length: callers }, (_, i) => `pod-${i}`);
      const { api, bind, free } = setUp(t, { pods, remembered });
      const outcomes = await Promise.all(pods.map((name) => bind(name)));
      t.equal(outcomes.filter(({ result }) => result === 'bound').length, 1);
      const refusals = new Set(outcomes.map((outcome) => ('why' in outcome ? outcome.why : '')));
      t.strictSame(refusals, new Set(['', 'InsufficientSlots: not enough free slots of nvidia.com/gpu']));
      t.equal(api.bindings.length, 1);
      t.equal(free(), 0);
    });
  }
}

tap.test('the same bind twice at once is written once, and both succeed', async (t) => {
  const { api, bind } = setUp(t, { gpus: 2 });
  t.strictSame(await Promise.all([bind('a'), bind('a')]), [BOUND, BOUND]);
  t.strictSame(api.calls, ['POST a']);
});

tap.test('a bind that is repeated later, before or after the watch has told, is not written again', async (t) => {
  const { api, bind, watch } = setUp(t, { gpus: 2 });
  await bind('a');
  t.strictSame(await bind('a'), BOUND);
  watch('a');
  t.strictSame(await bind('a'), BOUND);
  t.strictSame(api.calls, ['POST a']);
});

tap.test('a pod that is bound, or being bound, to another node is refused', async (t) => {
  const { api, bind, free } = setUp(t);
  const [first, second] = await Promise.all([bind('a'), bind('a', OTHER)]);
  t.strictSame(first, BOUND);
  t.strictSame(second, { result: 'refused', why: `a Binding of this pod to ${NODE} is under way` });
  t.strictSame(await bind('a', OTHER), { result: 'refused', why: `the pod is bound to ${NODE}` });
  t.equal(api.bindings.length, 1);
  t.equal(free(OTHER), 1);
});

tap.test('a node that nobody knows is refused without a call', async (t) => {
  const { api, bind } = setUp(t);
  t.match(await bind('a', 'nowhere'), { result: 'refused', why: /^UnknownNode: / });
  t.strictSame(api.calls, []);
});

tap.test('a pod that names a GPU resource and asks for none of it is bound, and holds nothing', async (t) => {
  const { api, bind, free, ledger, nodeOf } = setUp(t);
  const resources = { limits: { 'nvidia.com/gpu': '0' } };
  api.store.put('pods', podManifest('zero', 'zero', { spec: { containers: [{ name: 'main', resources }] } }));
  t.strictSame(await bind('zero'), BOUND);
  t.equal(nodeOf('zero'), NODE);
  t.equal(api.bindings[0]?.metadata.annotations, undefined);
  t.equal(free(), 1);
  t.equal(ledger.reservations(), 0);
});

tap.test('a refusal of the API server is final: the slot is free, and the pod may try again', async (t) => {
  for (const status of [400, 401, 403, 404, 422, 429]) {
    const { api, bind, free, ledger } = setUp(t);
    api.meet(/POST/, { status });
    t.strictSame(await bind('a'), { result: 'failed', why: `a planned ${status}` });
    t.strictSame(api.calls, ['POST a'], `${status} needs no second call`);
    t.equal(free(), 1);
    t.equal(ledger.reservations(), 0);
    t.strictSame(await bind('a'), BOUND);
  }
});

tap.test('a conflict means success if the pod is bound to this node', async (t) => {
  const { api, bind, free, ledger } = setUp(t);
  api.store.put('pods', podManifest('a', 'a', { spec: { nodeName: NODE } }));
  t.strictSame(await bind('a'), BOUND);
  t.strictSame(api.calls, ['POST a', 'GET a']);
  t.equal(free(), 0);
  t.equal(ledger.reservations(), 1, 'until the watch tells');
});

tap.test('a conflict means failure, and a free slot, if the pod is not bound to this node', async (t) => {
  const conflicts = {
    'bound elsewhere': podManifest('a', 'a', { spec: { nodeName: OTHER } }),
    'going away': podManifest('a', 'a', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }),
    'replaced by another of its name': podManifest('a', 'a-2'),
    'replaced, and that one is on this node': podManifest('a', 'a-2', { spec: { nodeName: NODE } }),
  };
  for (const [what, manifest] of Object.entries(conflicts)) {
    const { api, bind, free, ledger } = setUp(t);
    api.store.put('pods', manifest);
    t.match(await bind('a'), { result: 'failed', why: String }, what);
    t.strictSame(api.calls, ['POST a', 'GET a']);
    t.equal(free(), 1);
    t.equal(ledger.reservations(), 0);
  }
});

const lost: readonly [what: string, fault: ApiFault, written: boolean][] = [
  ['the reply was lost', 'lost reply', true],
  ['the reply was an error of the server', { status: 500, done: true }, true],
  ['the reply was a timeout of the server', { status: 504, done: true }, true],
  ['the request never arrived', 'unsent', false],
  ['the server failed', { status: 500 }, false],
];
for (const [what, fault, written] of lost) {
  const then = written
    ? 'the pod itself tells that it is bound'
    : 'it is not bound yet, and the Binding is made once more';
  tap.test(`${what}: ${then}`, async (t) => {
    const { api, bind, free, ledger, nodeOf } = setUp(t);
    api.meet(/POST/, fault);
    t.strictSame(await bind('a'), BOUND);
    t.strictSame(api.calls, written ? ['POST a', 'GET a'] : ['POST a', 'GET a', 'POST a']);
    t.equal(nodeOf('a'), NODE);
    t.equal(free(), 0);
    t.equal(ledger.reservations(), 1);
  });
}

tap.test('a Binding that arrives late, after nobody knew, finds its slot given to nobody else', async (t) => {
  const { api, bind, nodeOf } = setUp(t, { pods: ['a', 'b'] });
  api.meet(/POST/, 'unsent');
  api.meet(/GET/, 'unsent');
  t.match(await bind('a'), { result: 'failed', why: /not known yet$/ });
  t.match(await bind('b'), { result: 'refused', why: /^InsufficientSlots/ }, 'there is one slot');
  // The frozen server wakes up.
  const [late] = api.bindings;
  if (late) api.store.bind('team/a', late);
  t.equal(nodeOf('a'), NODE);
  t.match(await bind('b'), { result: 'refused' });
});

tap.test('a pod that neither watch nor filter knows is read once', async (t) => {
  await t.test('and bound', async (t) => {
    const { api, bind } = setUp(t, { remembered: false });
    t.strictSame(await bind('a'), BOUND);
    t.strictSame(api.calls, ['GET a', 'POST a']);
  });

  await t.test('or not, if that fails, if it is no pod, or if another has taken its name', async (t) => {
    const { api, bind, ledger } = setUp(t, { remembered: false });
    for (const fault of [{ status: 500 }, { status: 404 }, 'unsent', 'nonsense'] as const) {
      api.meet(/GET/, fault);
      t.match(await bind('a'), { result: 'failed', why: String });
    }
    api.store.put('pods', podManifest('a', 'a-2'));
    t.strictSame(await bind('a'), { result: 'failed', why: 'the pod has been replaced by another of its name' });
    t.equal(api.bindings.length, 0);
    t.equal(ledger.reservations(), 0);
  });

  await t.test('and what the watch tells of it meanwhile counts', async (t) => {
    const { state, api, bind } = setUp(t, { remembered: false });
    api.pass = async () => state.pods.update(podManifest('a', 'a', { spec: { nodeName: NODE } }));
    t.strictSame(await bind('a'), BOUND);
    api.pass = async () => state.pods.update(podManifest('b', 'b', { spec: { nodeName: NODE } }));
    api.store.put('pods', podManifest('b'));
    t.strictSame(await bind('b', OTHER), { result: 'refused', why: `the pod is bound to ${NODE}` });
    t.strictSame(api.bindings, []);
  });
});

tap.test('a pod that has finished is refused: nothing would be told of it that ends a reservation', async (t) => {
  const { state, api, bind, free } = setUp(t);
  state.pods.update({ ...podManifest('a', 'a', { spec: { nodeName: NODE } }), status: { phase: 'Succeeded' } });
  t.strictSame(await bind('a'), { result: 'refused', why: 'the pod has finished' });
  t.strictSame(api.calls, []);
  t.equal(free(), 1);
});

tap.test('bind never rejects, whatever the client throws', async (t) => {
  const { api, bind, free } = setUp(t);
  api.pass = async (what) => {
    api.pass = async () => {};
    throw what.startsWith('POST') ? new TypeError('a fault of ours') : new KubeError('never');
  };
  t.strictSame(await bind('a'), BOUND, 'asked, the pod was not bound; made once more, the Binding went through');
  t.equal(free(), 0);
  api.pass = async () => {
    throw new KubeError('never');
  };
  t.match(await bind('b', OTHER), { result: 'failed', why: /^never/ });
});

tap.test('without the Lease nothing is reserved, and no Binding is made', async (t) => {
  const { api, bind, free, lease } = setUp(t);
  lease.hold = () => Promise.reject(new Error('another extender, x, holds the Lease'));
  t.strictSame(await bind('a'), { result: 'failed', why: 'another extender, x, holds the Lease' });
  t.strictSame(api.calls, []);
  t.equal(free(), 1);
  let asked = 0;
  lease.hold = () => {
    asked += 1;
    return asked < 3 ? Promise.resolve() : undefined;
  };
  t.strictSame(await bind('a'), BOUND);
});

tap.test('a promise to hold the Lease may be kept too late: it is asked again until it holds', async (t) => {
  const { api, bind, lease } = setUp(t);
  let asked = 0;
  lease.hold = () => {
    asked += 1;
    return asked < 3 ? Promise.resolve() : undefined;
  };
  t.strictSame(await bind('a'), BOUND);
  t.equal(asked, 3);
  t.strictSame(api.calls, ['POST a']);
});

tap.test('while a Binding is under way or in doubt it is busy: the Lease must not be given back', async (t) => {
  const { api, bind, binder, wake } = setUp(t, { asleep: true });
  t.notOk(binder.isBusy);
  api.meet(/POST/, 'lost reply');
  api.meet(/GET/, 'unsent');
  const binding = bind('a');
  t.ok(binder.isBusy);
  await binding;
  t.ok(binder.isBusy, 'in doubt');
  await wake();
  t.notOk(binder.isBusy);
});
