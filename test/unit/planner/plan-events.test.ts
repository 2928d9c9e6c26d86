/** Who is told of a plan, and how often. */

import tap from 'tap';
import type { Change } from '#src/core/partitioning/plan-input.ts';
import { PlanEvents } from '#src/planner/plan-events.ts';
import { createLogger } from '#src/telemetry/logger.ts';
import { eventRecorder } from '../../objects/events.ts';
import { nodeConfig } from '../../objects/node-configs.ts';
import { pendingPod, RecordingClient } from './make.ts';

const CHANGE: Change = {
  node: 'n',
  from: { layouts: [undefined], sharing: undefined },
  to: { layouts: [undefined], sharing: { mode: 'mps', replicas: 8 } },
  serves: ['team/a', 'team/b'],
  gpusChanged: [0],
  recommendOnly: 'autoConfig is off',
  why: 'makes room for 2 pods',
};
const PODS = [pendingPod('a'), pendingPod('b')];
const REFUSED = { pods: ['team/a'], code: 'AllBusy', why: 'all GPUs are held' };

function setUp() {
  const client = new RecordingClient();
  return { client, events: new PlanEvents({ events: eventRecorder(client), log: createLogger('test', 'silent') }) };
}

tap.test('a GPUNodeConfig says why it was planned', async (t) => {
  const { client, events } = setUp();
  await events.planned(nodeConfig({ nodeName: 'n' }, { name: 'n', uid: 'u' }), CHANGE);
  t.match(client.calls, [
    {
      path: '/api/v1/namespaces/default/events',
      body: {
        involvedObject: { kind: 'GPUNodeConfig', name: 'n', uid: 'u', apiVersion: 'gpuautoscaler.io/v1alpha1' },
        reason: 'Planned',
        message: 'makes room for 2 pods',
      },
    },
  ]);
});

tap.test('pods are told what is recommended, and why it is not done', async (t) => {
  const { client, events } = setUp();
  await events.record(PODS, [CHANGE], []);
  t.strictSame(client.events, ['PartitionRecommended Pod a', 'PartitionRecommended Pod b']);
  t.match(client.calls[0], {
    path: '/api/v1/namespaces/team/events',
    body: {
      message:
        'recommended, but not done since autoConfig is off: n to 1 GPU by MPS, 8 clients each. makes room for 2 pods',
    },
  });
});

tap.test('each is told once, until the answer changes', async (t) => {
  const { client, events } = setUp();
  await events.record(PODS, [], [REFUSED]);
  await events.record(PODS, [], [REFUSED]);
  t.strictSame(client.events, ['NoPartition Pod a']);
  await events.record(PODS, [], [{ ...REFUSED, why: 'nodes rest' }]);
  await events.record(PODS, [], [REFUSED]);
  t.strictSame(client.methods, ['POST', 'POST', 'PATCH'], 'the first answer again raises its count');
});

tap.test('a pod that comes back under its name is told again', async (t) => {
  const { client, events } = setUp();
  await events.record(PODS, [], [REFUSED]);
  await events.record([pendingPod('a', { uid: 'another' })], [], [REFUSED]);
  t.equal(client.events.length, 2);
});

tap.test('and one that has waited, has gone, and waits again', async (t) => {
  const { client, events } = setUp();
  await events.record(PODS, [], [REFUSED]);
  await events.record([], [], []);
  await events.record(PODS, [], [REFUSED]);
  t.strictSame(client.methods, ['POST', 'PATCH']);
});

tap.test('of many that wait for the same, ten are told', async (t) => {
  const { client, events } = setUp();
  const pods = Array.from({ length: 12 }, (_, i) => pendingPod(`p${i}`));
  await events.record(pods, [], [{ ...REFUSED, pods: pods.map(({ name }) => `team/${name}`) }]);
  t.equal(client.events.length, 10);
});

tap.test('a pod that is not known any more is not told', async (t) => {
  const { client, events } = setUp();
  await events.record([], [CHANGE], [REFUSED]);
  t.strictSame(client.calls, []);
});

tap.test('an event that cannot be made keeps no other back', async (t) => {
  let tries = 0;
  const client = {
    json: async () => {
      tries += 1;
      throw new Error('no');
    },
  };
  const events = new PlanEvents({ events: eventRecorder(client), log: createLogger('test', 'silent') });
  await events.record(PODS, [CHANGE], []);
  t.equal(tries, 2);
});
