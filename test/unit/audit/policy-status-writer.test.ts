/** When the status of a policy is written. What it says: policy-status.test.ts. */

import { pino } from 'pino';
import { Registry } from 'prom-client';
import tap from 'tap';
import { admissionConfigurationOf } from '#src/api/admission-settings.ts';
import { configurationSchema } from '#src/api/configuration.ts';
import { auditMetrics } from '#src/audit/metrics.ts';
import { PolicyStatusWriter } from '#src/audit/policy-status-writer.ts';
import { ManualClock } from '../../objects/clock.ts';
import { exclusiveNode, mpsNode } from '../../objects/nodes.ts';
import { governedPod, inferencePod } from '../../objects/pods.ts';
import { FakeApi } from '../reconciler/fake-api.ts';
import { stateOf } from '../state/evaluating.ts';

const POLICIES = '/apis/gpuautoscaler.io/v1alpha1/gpusharingpolicies';
const SETTLE = 1_000;
const FIRST_RETRY = 5_000;
const MPS = { name: 'mps', gpus: 1, replicas: 8 };

/** One node that shares by MPS, and a policy of each of these names that wants just that. */
async function setUp({ names = ['p'], begun = true } = {}) {
  const { state, admission } = stateOf({ nodes: [mpsNode(MPS)] });
  const api = new FakeApi();
  const clock = new ManualClock();
  const said: object[] = [];
  const metrics = auditMetrics(new Registry());
  const writer = new PolicyStatusWriter({
    client: api,
    state,
    view: () => admission.view(),
    log: pino({ base: null, timestamp: false }, { write: (line: string) => said.push(JSON.parse(line)) }),
    metrics,
    clock,
    settleMs: SETTLE,
  });
  for (const name of names) {
    state.policies.update(
      api.put(`${POLICIES}/${name}`, { metadata: { name, generation: 1 }, spec: { strategy: 'mps' } }),
    );
  }
  if (begun) {
    writer.begin();
    // What it has written it looks at once more.
    for (let i = 0; i < 2; i += 1) await clock.pass(SETTLE);
    api.calls.length = 0;
  }
  const status = (name = 'p') => api.get(`${POLICIES}/${name}`)?.status;
  const counted = async () => (await metrics.statusWrites.get()).values[0]?.value;
  return { state, admission, api, clock, said, writer, status, counted };
}

tap.test('nothing is written before everything has been listed: half of the picture would say 0 pods', async (t) => {
  const { state, api, clock, writer, status } = await setUp({ begun: false });
  await clock.pass(10 * SETTLE);
  t.strictSame(api.calls, []);
  state.pods.update(governedPod('a'));
  writer.begin();
  await clock.pass(SETTLE);
  t.strictSame(api.calls, [`PATCH ${POLICIES}/p/status`]);
  t.match(status(), { appliedPods: 1, conditions: [{ type: 'Accepted' }, { type: 'Enforced', status: 'True' }] });
});

tap.test('a status that is right is not written again: not even what the writer has written itself', async (t) => {
  const { api, clock, writer, counted, state } = await setUp();
  t.equal(state.policies.get('p')?.status?.appliedPods, 0, 'the reply is known at once');
  await clock.pass(10 * SETTLE);
  writer.lookAgain();
  await clock.pass(SETTLE);
  t.strictSame(api.calls, []);
  t.equal(await counted(), 1);
});

tap.test('however many pods come and go, a policy is written once for them, and no other is', async (t) => {
  const { state, api, clock, status } = await setUp({ names: ['p', 'q'] });
  for (const uid of ['a', 'b', 'c']) state.pods.update(governedPod(uid));
  state.pods.delete(governedPod('b'));
  await clock.pass(SETTLE - 1);
  t.strictSame(api.calls, []);
  await clock.pass(1);
  t.strictSame(api.calls, [`PATCH ${POLICIES}/p/status`]);
  t.match(status(), { appliedPods: 2 });
  state.pods.update(governedPod('a', 'p', { phase: 'Succeeded' }));
  state.pods.update(governedPod('c', 'q'));
  await clock.pass(SETTLE);
  t.match([status('p'), status('q')], [{ appliedPods: 0 }, { appliedPods: 1 }], 'one is over, one has changed hands');
});

type World = Awaited<ReturnType<typeof setUp>>;

/** What changes, and what the policy is then; nothing: its status is not written. */
const CHANGES: readonly [says: string, change: (world: World) => void, enforced?: string][] = [
  [
    'its spec',
    ({ state, api }) =>
      state.policies.update(
        api.put(`${POLICIES}/p`, { metadata: { name: 'p', generation: 2 }, spec: { strategy: 'exclusive' } }),
      ),
    'Enforced',
  ],
  [
    'nodes offer something else',
    ({ state }) => state.nodes.update(exclusiveNode({ name: 'mps', gpus: 1 })),
    'NoNodeOffers',
  ],
  [
    'somebody has written another status',
    ({ state, api }) =>
      state.policies.update(api.put(`${POLICIES}/p`, { ...api.get(`${POLICIES}/p`), status: { appliedPods: 7 } })),
    'Enforced',
  ],
  ['one more node offers the same', ({ state }) => state.nodes.update(mpsNode({ ...MPS, name: 'more' }))],
  ['a pod that no policy governs', ({ state }) => state.pods.update(inferencePod('a'))],
  ['a pod of a policy that nobody knows', ({ state }) => state.pods.update(governedPod('a', 'gone'))],
];
for (const [says, change, enforced] of CHANGES) {
  tap.test(`${enforced ? 'written' : 'not written'}: ${says}`, async (t) => {
    const world = await setUp();
    change(world);
    await world.clock.pass(SETTLE);
    t.equal(world.api.calls.length, enforced ? 1 : 0);
    if (enforced) t.match(world.status(), { appliedPods: 0, conditions: [{}, { reason: enforced }] });
  });
}

tap.test('a write that fails is told, tried again later and later, and keeps no other back', async (t) => {
  const { api, clock, said, writer, counted } = await setUp({ names: ['p', 'q'], begun: false });
  for (let i = 0; i < 2; i += 1) api.faults.push({ on: /\/p\/status$/, status: 500 });
  writer.begin();
  await clock.pass(SETTLE);
  t.strictSame(api.calls, [`PATCH ${POLICIES}/p/status`, `PATCH ${POLICIES}/q/status`]);
  t.equal(await counted(), 1);
  const [line] = said;
  t.match(line, { level: 40, policy: 'p', error: 'planned', msg: 'could not write to the API server, trying again' });
  await clock.pass(FIRST_RETRY - 1);
  t.equal(api.calls.length, 2);
  await clock.pass(1);
  t.equal(api.calls.length, 3);
  await clock.pass(2 * FIRST_RETRY);
  t.equal(await counted(), 2);
  await clock.pass(100 * FIRST_RETRY);
  t.equal(api.calls.length, 4, 'until it succeeds');
  t.equal(said.length, 2);
});

tap.test('a policy that has gone, known or not, is let go', async (t) => {
  const { state, api, clock, said, writer } = await setUp({ names: ['p', 'q'], begun: false });
  writer.begin();
  api.objects.delete(`${POLICIES}/p`);
  state.policies.delete({ metadata: { name: 'q' } });
  await clock.pass(SETTLE);
  t.strictSame(api.calls, [`PATCH ${POLICIES}/p/status`], 'the one whose end has not been heard of');
  await clock.pass(100 * FIRST_RETRY);
  t.equal(api.calls.length, 1, 'and not again');
  t.strictSame(said, []);
});

tap.test('the configuration has changed: all policies are looked at, a while later', async (t) => {
  const { admission, api, clock, writer, status } = await setUp({ names: ['p', 'q'] });
  const configuration = configurationSchema.parse({ sharing: { mps: { enabled: false } } });
  admission.configure(admissionConfigurationOf(configuration, 'gpu-autoscaler-system'));
  writer.lookAgain();
  await clock.pass(SETTLE - 1);
  t.strictSame(api.calls, []);
  await clock.pass(1);
  for (const name of ['p', 'q']) t.match(status(name), { conditions: [{}, { reason: 'ModeDisabled' }] });
});

tap.test('once stopped nothing is written', async (t) => {
  const { state, api, clock, writer } = await setUp();
  state.pods.update(governedPod('a'));
  await writer.stop();
  await clock.pass(SETTLE);
  t.strictSame(api.calls, []);
});
