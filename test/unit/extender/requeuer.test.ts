/** A pod refused too early is looked at again, and its status is touched only if that helps. */

import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import tap, { type Test } from 'tap';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { LiveStrategy } from '#src/core/scoring/live-strategy.ts';
import { bestFit } from '#src/core/strategies/best-fit.ts';
import { EquivalenceCache } from '#src/extender/equivalence-cache.ts';
import { extenderMetrics } from '#src/extender/metrics.ts';
import { Requeuer } from '#src/extender/requeuer.ts';
import type { CallOptions } from '#src/kube/kube-client.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { createRegistry } from '#src/telemetry/registry.ts';
import { NO_FIGURES } from '../../fakes/extender.ts';
import { takeList } from '../../fakes/listing.ts';
import { ManualClock } from '../../objects/clock.ts';
import { mpsNode } from '../../objects/nodes.ts';
import { gpuPod, livePod } from '../../objects/pods.ts';
import { request } from '../make.ts';

const POD = { uid: 'uid-1', key: 'team/pod', request: request(SHARED_GPU, 1) };
const holder = livePod(gpuPod({ name: 'holder', resources: { [SHARED_GPU]: 1 } }), 'uid-0', { nodeName: 'a' });

/** Two full nodes, an API server that takes everything, and time that stands still. */
function setUp(t: Test, { broken = false } = {}) {
  const state = new ClusterState((message) => t.fail(message));
  takeList(
    state.nodes,
    ['a', 'b'].map((name) => mpsNode({ name, gpus: 1, replicas: 1 })),
  );
  state.pods.update(holder);
  state.pods.update(livePod(gpuPod({ name: 'other', resources: { [SHARED_GPU]: 1 } }), 'uid-2', { nodeName: 'b' }));
  const calls: { method: string; path: string; options: CallOptions | undefined }[] = [];
  const client = {
    async json(method: string, path: string, options?: CallOptions) {
      calls.push({ method, path, options });
      if (broken) throw new Error('the API server is on fire');
      return {};
    },
  };
  const said: object[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void said.push(JSON.parse(line)) });
  const registry = createRegistry();
  const { secondLooks } = extenderMetrics(registry, NO_FIGURES);
  const clock = new ManualClock();
  const { ledger } = state;
  const { delegated } = state;
  const equivalenceCache = new EquivalenceCache(ledger, new LiveStrategy(bestFit, ledger), { delegated });
  const second = new Requeuer({
    ledger,
    delegated,
    equivalenceCache,
    client,
    log,
    metrics: { secondLooks },
    clock,
  });
  const counted = async (result: string) =>
    (await secondLooks.get()).values.find(({ labels }) => labels.result === result)?.value;
  const wake = () => clock.next();
  const free = () => state.pods.delete(holder);
  return { second, state, calls, said, counted, wake, free };
}

tap.test('room that the watch brings after the refusal: the status is touched, once', async (t) => {
  const { second, calls, counted, wake, free } = setUp(t);
  second.filtered(POD, true, ['a', 'b']);
  free();
  await wake();
  t.match(calls, [
    {
      method: 'PATCH',
      path: '/api/v1/namespaces/team/pods/pod/status',
      options: {
        contentType: 'application/strategic-merge-patch+json',
        body: {
          metadata: { uid: 'uid-1', annotations: { 'gpu-autoscaler.io/second-look': /^\d{4}-.*Z$/ } },
          status: {
            conditions: [{ type: 'gpu-autoscaler.io/SecondLook', status: 'True', message: /^a has changed/ }],
          },
        },
      },
    },
  ]);
  t.equal(await wake(), 0);
  t.equal(calls.length, 1);
  t.equal(await counted('told'), 1);
});

tap.test('room that comes late is seen at the second look, after which there is none', async (t) => {
  const { second, calls, wake, free } = setUp(t);
  second.filtered(POD, true, ['a', 'b']);
  t.equal(await wake(), 300);
  free();
  t.equal(await wake(), 3_000);
  t.equal(calls.length, 1);
  t.equal(await wake(), 0);
});

tap.test(
  'a DeviceClass that comes after the refusal: a node that never offered anything is one with room',
  async (t) => {
    const { second, state, calls, wake } = setUp(t);
    second.filtered({ ...POD, request: request(WHOLE_GPU, 1) }, true, ['served-by-dra']);
    const spec = { extendedResourceName: WHOLE_GPU };
    state.deviceClasses.update({ metadata: { name: 'gpu.nvidia.com' }, spec });
    await wake();
    t.equal(calls.length, 1);
  },
);

const LEFT_ALONE: Readonly<Record<string, (made: ReturnType<typeof setUp>) => unknown>> = {
  'nothing changes': ({ second }) => second.filtered(POD, true, ['a', 'b']),
  'a node changes, and is still too full': ({ second, state }) => {
    second.filtered(POD, true, ['a', 'b']);
    state.nodes.update(mpsNode({ name: 'a', gpus: 1, replicas: 1, labels: { 'nvidia.com/gpu.memory': '8' } }));
  },
  'another node than those that refused it has room': ({ second, free }) => {
    second.filtered(POD, true, ['b']);
    free();
  },
  'its victims stay where they are': ({ second }) => {
    second.filtered(POD, true, ['b']);
    second.preempting(POD, ['a', 'b']);
  },
  'preempt left no node': ({ second, free }) => {
    second.preempting(POD, []);
    free();
  },
  'it was tried again after preemption, and passed': ({ second, free }) => {
    second.preempting(POD, ['a']);
    free();
    second.filtered(POD, false, ['a']);
  },
  'a node passed': ({ second, free }) => {
    second.filtered(POD, false, ['a', 'b']);
    free();
  },
  'it was tried again, and passed': ({ second, free }) => {
    second.filtered(POD, true, ['a', 'b']);
    free();
    second.filtered(POD, false, ['a', 'b']);
  },
  'we end': async ({ second, free }) => {
    second.filtered(POD, true, ['a', 'b']);
    free();
    await second.stop();
  },
};
for (const [what, happens] of Object.entries(LEFT_ALONE)) {
  tap.test(`the pod is left alone if ${what}`, async (t) => {
    const made = setUp(t);
    await happens(made);
    await made.wake();
    await made.wake();
    t.same(made.calls, []);
  });
}

const PREEMPTIONS: Readonly<Record<string, (made: ReturnType<typeof setUp>) => unknown>> = {
  'goes before preempt is answered': ({ second, free }) => {
    free();
    second.preempting(POD, ['a']);
  },
  'goes after preempt is answered': ({ second, free }) => {
    second.preempting(POD, ['a']);
    free();
  },
  'was on a node that filter was not asked about': ({ second, free }) => {
    second.filtered(POD, true, ['b']);
    free();
    second.preempting(POD, ['a']);
  },
};
for (const [what, happens] of Object.entries(PREEMPTIONS)) {
  tap.test(`a victim that ${what} leaves room: the status is touched, once`, async (t) => {
    const made = setUp(t);
    await happens(made);
    t.equal(await made.wake(), 300);
    t.match(made.calls, [{ path: '/api/v1/namespaces/team/pods/pod/status' }]);
    t.equal(await made.wake(), 0);
    t.equal(made.calls.length, 1);
  });
}

tap.test(
  'of a node that filter refused, room that was there before does not count, preemption elsewhere or not',
  async (t) => {
    const { second, calls, wake, free } = setUp(t);
    free();
    second.filtered(POD, true, ['a']);
    second.preempting(POD, ['b']);
    await wake();
    await wake();
    t.same(calls, []);
  },
);

tap.test('tried again and refused again, it is looked at once, from the later try on', async (t) => {
  const { second, calls, wake, free } = setUp(t);
  second.filtered(POD, true, ['a', 'b']);
  second.filtered(POD, true, ['a', 'b']);
  free();
  await wake();
  await wake();
  t.equal(calls.length, 1);
});

tap.test('an API server that refuses is no fault of ours: it is said, and that is all', async (t) => {
  const { second, said, counted, wake, free } = setUp(t, { broken: true });
  second.filtered(POD, true, ['a']);
  free();
  await wake();
  t.match(said, [{ pod: 'team/pod', node: 'a', why: 'the API server is on fire' }]);
  t.equal(await counted('failed'), 1);
});

tap.test('no more than 200 are looked after at once', async (t) => {
  const { second, calls, wake, free } = setUp(t);
  for (let i = 0; i < 300; i += 1) second.filtered({ ...POD, uid: `uid-${i}` }, true, ['a']);
  free();
  await wake();
  await turn();
  t.equal(calls.length, 200);
  second.filtered(POD, true, ['a']);
  t.equal(await wake(), 300, 'and then others');
});
