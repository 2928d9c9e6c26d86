/** When it is planned, what is written, and what is told. What is planned for whom: test/unit/core/partitioning. */

import { Registry } from 'prom-client';
import tap from 'tap';
import { LeaseError } from '#src/kube/lease.ts';
import { plannerMetrics } from '#src/planner/metrics.ts';
import { Planner } from '#src/planner/planner.ts';
import { createLogger } from '#src/telemetry/logger.ts';
import { ManualClock } from '../../objects/clock.ts';
import { eventRecorder } from '../../objects/events.ts';
import { waitingPod } from '../../objects/pods.ts';
import { quietState } from '../../objects/records.ts';
import { viewOf } from '../audit/make.ts';
import { configurationOf, NODE_CONFIGS, RecordingClient, readyNode } from './make.ts';

const IDLE = 10_000;
const LONGEST = 60_000;
const RETRY = 5_000;
const AGAIN = 60_000;
const MIG_1G = 'nvidia.com/mig-1g.5gb';

interface Options {
  readonly sharing?: object;
  readonly hold?: () => Promise<void> | undefined;
  readonly speed?: number;
}

/** A planner that has begun, on two nodes of one and of two A100s. */
function setUp({ sharing = {}, hold = () => undefined, speed }: Options = {}) {
  const state = quietState();
  const client = new RecordingClient();
  const clock = new ManualClock();
  const registry = new Registry();
  const recommended: ReadonlyMap<string, string>[] = [];
  const lease = { hold, isHeld: true };
  const configuration = configurationOf({ sharing });
  const view = viewOf();
  const planner = new Planner({
    client,
    events: eventRecorder(client, { clock }),
    lease,
    state,
    recommend: (all) => recommended.push(all),
    view: () => view,
    configuration: () => configuration,
    log: createLogger('test', 'silent'),
    metrics: plannerMetrics(registry),
    clock,
    speed,
  });
  for (const [name, gpus] of [
    ['a', 1],
    ['b', 2],
  ] as const)
    state.nodes.update(readyNode({ name, gpus }));
  planner.begin();
  const figure = async (name: string, labels: object) => {
    const { values } = (await registry.getSingleMetric(`gpu_autoscaler_planner_${name}`)?.get()) ?? { values: [] };
    return values.find((each) => JSON.stringify(each.labels) === JSON.stringify(labels))?.value;
  };
  return { state, client, clock, planner, lease, recommended, figure };
}

tap.test('a while after the last pod, what is planned is written, told and counted', async (t) => {
  const { state, client, clock, planner, figure } = setUp();
  state.pods.update(waitingPod('p', { resources: { [MIG_1G]: 1 } }));
  await clock.pass(IDLE - 1);
  t.strictSame(client.calls, [], 'others may come');
  state.pods.update(waitingPod('q', { resources: { [MIG_1G]: 1 } }));
  await clock.pass(1);
  t.strictSame(client.calls, [], 'and one has');
  await clock.pass(IDLE - 1);
  t.match(client.writes, [
    {
      method: 'POST',
      path: NODE_CONFIGS,
      body: { metadata: { name: 'a' }, spec: { nodeName: 'a', migEnabled: true } },
    },
  ]);
  t.strictSame(client.events, ['Planned GPUNodeConfig a']);
  t.equal(state.nodeConfigs.get('a')?.nodeName, 'a', 'it is known at once');
  t.equal(await figure('changes_total', { result: 'carried-out' }), 1);
  t.equal(await figure('pods', { answer: 'change' }), 2);
  await planner.stop();
});

tap.test('however many come one after the other, it is planned a minute after the first', async (t) => {
  const { state, client, clock, planner } = setUp();
  for (let ms = 0; ms < LONGEST; ms += IDLE / 2) {
    t.strictSame(client.writes, []);
    state.pods.update(waitingPod(`p${ms}`));
    await clock.pass(IDLE / 2);
  }
  t.equal(client.writes.length, 2, 'a change of each node');
  await planner.stop();
});

tap.test('faster clocks of nodes make the times shorter', async (t) => {
  const { state, client, clock, planner } = setUp({ speed: 10 });
  state.pods.update(waitingPod('p'));
  await clock.pass(IDLE / 10);
  t.equal(client.writes.length, 1);
  await planner.stop();
});

tap.test('as long as pods wait it is planned again every minute, and what is on its way serves them', async (t) => {
  const { state, client, clock, planner, figure } = setUp();
  state.pods.update(waitingPod('p'));
  await clock.pass(IDLE);
  t.equal(await figure('pods', { answer: 'free' }), 0);
  await clock.pass(AGAIN);
  t.equal(client.writes.length, 1);
  t.equal(await figure('pods', { answer: 'free' }), 1);
  t.equal(await figure('pods', { answer: 'change' }), 0);
  await planner.stop();
});

tap.test('nobody waits any more: nothing is planned, and nothing recommended', async (t) => {
  const { state, client, clock, planner, recommended } = setUp();
  state.pods.update(waitingPod('p'));
  state.pods.update(waitingPod('p', { spec: { nodeName: 'a' } }));
  await clock.pass(LONGEST);
  t.strictSame(client.calls, []);
  t.strictSame(recommended.at(-1), new Map());
  await planner.stop();
});

tap.test('what may not be changed is recommended: for the node, and to the pod, once', async (t) => {
  const off = { autoConfig: false };
  const { state, client, clock, planner, recommended } = setUp({ sharing: { mig: off, mps: off, timeSlicing: off } });
  state.pods.update(waitingPod('p', { resources: { [MIG_1G]: 1 } }));
  await clock.pass(IDLE);
  await clock.pass(AGAIN);
  t.strictSame(client.writes, []);
  t.strictSame(client.events, ['PartitionRecommended Pod p']);
  t.match(recommended.at(-1)?.get('a'), /^1 GPU as 7 × 1g\.5gb: makes room for 1 pod/);
  await planner.stop();
});

tap.test('pods that nothing serves, or that ask for several kinds of GPUs, are told why', async (t) => {
  const { state, client, clock, planner, figure } = setUp();
  state.pods.update(waitingPod('much', { resources: { 'nvidia.com/gpu': 3 } }));
  state.pods.update(waitingPod('several', { resources: { 'nvidia.com/gpu': 1, [MIG_1G]: 1 } }));
  await clock.pass(IDLE);
  t.strictSame(client.events, ['NoPartition Pod much', 'NoPartition Pod several']);
  t.equal(await figure('pods', { answer: 'refused' }), 1);
  await planner.stop();
});

tap.test('slots that pods hold are not free, and their GPUs are left alone', async (t) => {
  const { state, client, clock, planner } = setUp();
  const GPU = 'nvidia.com/gpu';
  for (const [node, gpus] of [
    ['a', 1],
    ['b', 2],
  ] as const) {
    const pod = waitingPod(`on-${node}`, { resources: { [GPU]: gpus }, spec: { nodeName: node } });
    state.pods.update({ ...pod, status: { phase: 'Running' } });
  }
  state.pods.update(waitingPod('p'));
  await clock.pass(IDLE);
  t.strictSame(client.events, ['NoPartition Pod p']);
  t.strictSame(client.writes, []);
  await planner.stop();
});

for (const status of [404, 409, 422]) {
  tap.test(`somebody was quicker (${status}): counted, and planned again later`, async (t) => {
    const { state, client, clock, planner, figure } = setUp();
    client.faults.push(status);
    state.pods.update(waitingPod('p'));
    await clock.pass(IDLE);
    t.equal(await figure('changes_total', { result: 'outdated' }), 1);
    t.strictSame(client.events, []);
    await clock.pass(RETRY);
    t.equal(client.writes.length, 1, 'not as a fault');
    await clock.pass(AGAIN - RETRY);
    t.equal(client.writes.length, 2);
    t.equal(await figure('changes_total', { result: 'carried-out' }), 1);
    await planner.stop();
  });
}

tap.test('the API server does not answer: tried again soon', async (t) => {
  const { state, client, clock, planner } = setUp();
  client.faults.push(0, 500);
  state.pods.update(waitingPod('p'));
  await clock.pass(IDLE);
  await clock.pass(RETRY);
  await clock.pass(RETRY);
  t.equal(client.writes.length, 3);
  t.strictSame(client.events, ['Planned GPUNodeConfig a']);
  await planner.stop();
});

tap.test('as long as another controller plans, this one does not', async (t) => {
  let others = true;
  const hold = () => (others ? Promise.reject(new LeaseError('held by another')) : undefined);
  const { state, client, clock, planner } = setUp({ hold });
  state.pods.update(waitingPod('p'));
  await clock.pass(IDLE);
  await clock.pass(RETRY);
  t.strictSame(client.calls, []);
  others = false;
  await clock.pass(AGAIN - RETRY);
  t.equal(client.writes.length, 1);
  await planner.stop();
});

tap.test('once the Lease is lost nothing is sent', async (t) => {
  const { state, client, clock, planner, lease } = setUp();
  lease.isHeld = false;
  state.pods.update(waitingPod('p'));
  await clock.pass(IDLE);
  t.strictSame(client.calls, []);
  await planner.stop();
});

tap.test('once it is stopped nothing is planned', async (t) => {
  const { state, client, clock, planner } = setUp();
  state.pods.update(waitingPod('p'));
  await planner.stop();
  await clock.pass(LONGEST);
  t.strictSame(client.calls, []);
});
