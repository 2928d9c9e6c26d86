/** Events: their content, one for what repeats, and what is done where they cannot be written. */

import tap from 'tap';
import { EventRecorder } from '#src/kube/event-recorder.ts';
import { KubeError } from '#src/kube/kube-client.ts';
import { ManualClock } from '../../objects/clock.ts';

const POD = { apiVersion: 'v1', kind: 'Pod' as const, namespace: 'team', name: 'train', uid: 'uid-of-train' };
const CONFIG = {
  apiVersion: 'gpuautoscaler.io/v1alpha1',
  kind: 'GPUNodeConfig' as const,
  name: 'node-a',
  uid: 'uid-of-a',
};
const POD_EVENTS = '/api/v1/namespaces/team/events';

interface EventBody {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly type: string;
  readonly message: string;
  readonly count: number;
  readonly involvedObject: object;
}

function setUp(answer: (method: string, path: string) => void = () => {}) {
  const requests: { method: string; path: string; body: EventBody }[] = [];
  const failures: string[] = [];
  const clock = new ManualClock();
  const recorder = new EventRecorder({
    client: {
      json: async (method: string, path: string, { body }: { body?: unknown } = {}) => {
        requests.push({ method, path, body: body as EventBody });
        answer(method, path);
        return {};
      },
    },
    component: 'gpu-autoscaler-controller',
    clock,
    failed: ({ message }) => failures.push(message),
  });
  return { recorder, requests, failures, clock };
}

tap.test('an event stands in the namespace of its object, with the type that the catalogue gives it', async (t) => {
  const { recorder, requests } = setUp();
  await recorder.record(POD, 'NotOptimized', 'holds a whole GPU');
  await recorder.record(CONFIG, 'PartitionReady', 'as asked for');
  t.strictSame(
    requests.map(({ method, path }) => `${method} ${path}`),
    [`POST ${POD_EVENTS}`, 'POST /api/v1/namespaces/default/events'],
  );
  t.match(requests[0]?.body, { type: 'Warning', reason: 'NotOptimized', involvedObject: POD, count: 1 });
  t.match(requests[1]?.body, { type: 'Normal', metadata: { namespace: 'default' }, involvedObject: CONFIG });
});

tap.test('what repeats within ten minutes raises the count of one event', async (t) => {
  const { recorder, requests, clock } = setUp();
  for (let i = 0; i < 3; i += 1) {
    await recorder.record(POD, 'NoPartition', 'none helps');
    await clock.pass(60_000);
  }
  const name = requests[0]?.body.metadata.name;
  t.strictSame(
    requests.map(({ method, path, body }) => [method, path, body.count]),
    [
      ['POST', POD_EVENTS, 1],
      ['PATCH', `${POD_EVENTS}/${name}`, 2],
      ['PATCH', `${POD_EVENTS}/${name}`, 3],
    ],
  );
  await recorder.record(POD, 'NoPartition', 'another reason');
  await recorder.record({ ...POD, uid: 'another' }, 'NoPartition', 'none helps');
  t.strictSame(
    requests.slice(3).map(({ method }) => method),
    ['POST', 'POST'],
    'another message, or another object, is another event',
  );
  t.equal(new Set(requests.filter(({ method }) => method === 'POST').map(({ body }) => body.metadata.name)).size, 3);

  await clock.pass(600_000);
  await recorder.record(POD, 'NoPartition', 'none helps');
  t.equal(requests.at(-1)?.method, 'POST', 'after that it is told anew');
});

tap.test('an event that has been deleted is written again, and counted from one', async (t) => {
  const { recorder, requests } = setUp((method) => {
    if (method === 'PATCH') throw new KubeError('not found', 404);
  });
  await recorder.record(POD, 'NoPartition', 'none helps');
  await recorder.record(POD, 'NoPartition', 'none helps');
  t.strictSame(
    requests.map(({ method, body }) => [method, body.count]),
    [
      ['POST', 1],
      ['PATCH', 2],
      ['POST', 1],
    ],
  );
});

tap.test('an event that cannot be written keeps nothing from being done, and is told', async (t) => {
  const { recorder, failures, requests } = setUp(() => {
    throw new KubeError('exceeded quota', 403);
  });
  await recorder.record(POD, 'NoPartition', 'none helps');
  await recorder.record(POD, 'NoPartition', 'none helps');
  t.strictSame(failures, ['exceeded quota', 'exceeded quota']);
  t.strictSame(
    requests.map(({ method }) => method),
    ['POST', 'POST'],
    'what was not written is not counted on',
  );
});

tap.test('a message longer than Kubernetes takes is cut', async (t) => {
  const { recorder, requests } = setUp();
  await recorder.record(POD, 'NoPartition', 'x'.repeat(5_000));
  t.equal(requests[0]?.body.message.length, 1_000);
});

tap.test('an event written once has a name of its own: after a restart it is there already', async (t) => {
  const refusals = [new KubeError('exists', 409), new KubeError('no namespace', 404), undefined];
  refusals.push(new KubeError('namespace team is being terminated', 403));
  for (const refusal of refusals) {
    const { recorder, requests } = setUp(() => {
      if (refusal) throw refusal;
    });
    await recorder.recordOnce(POD, 'NotOptimized', 'holds a whole GPU');
    t.equal(requests[0]?.body.metadata.name, 'train.uid-of-t.notoptimized');
  }
  const { recorder } = setUp(() => {
    throw new KubeError('exceeded quota', 403);
  });
  await t.rejects(recorder.recordOnce(POD, 'NotOptimized', 'holds a whole GPU'), { message: 'exceeded quota' });
});
