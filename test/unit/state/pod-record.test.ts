/** A pod as it is read from its API object. */

import tap from 'tap';
import { ClusterState } from '#src/state/cluster-state.ts';
import { type StoredPodOptions, storedPod } from '../../objects/pods.ts';
import { podRecord } from '../../objects/records.ts';

const GPU = 'nvidia.com/gpu';
const SHARED = 'nvidia.com/gpu.shared';

const pod = ({ resources = { [GPU]: 1 }, ...more }: Partial<StoredPodOptions> = {}) =>
  storedPod({ name: 'job', uid: 'uid-1', resources, ...more });

tap.test('a pod is its identity, its node, and what it asks for', async (t) => {
  t.match(podRecord(pod({ spec: { nodeName: 'n' }, phase: 'Running', resources: { [SHARED]: '1', cpu: '2' } })), {
    uid: 'uid-1',
    namespace: 'team',
    name: 'job',
    node: 'n',
    finished: false,
    terminating: false,
    resources: { cpu: 2_000, memory: 0, pods: 1 },
    gpu: { request: { resources: [{ resource: SHARED, count: 1 }] } },
  });
});

tap.test('GPUs are free again when the pod has finished, and not before', async (t) => {
  const phases = { Succeeded: true, Failed: true, Running: false, Pending: false, Unknown: false, '': false };
  for (const [phase, finished] of Object.entries(phases)) t.equal(podRecord(pod({ phase }))?.finished, finished, phase);
  const leaving = podRecord(pod({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' }, phase: 'Running' }));
  t.match(leaving, { finished: false, terminating: true }, 'a terminating pod still computes');
});

tap.test('a pod without a node has none, however that is written', async (t) => {
  for (const nodeName of [undefined, null, '']) t.equal(podRecord(pod({ spec: { nodeName } }))?.node, undefined);
});

tap.test('the allocation record is read; a broken one is none', async (t) => {
  const record = {
    v: 1,
    node: 'n',
    strategy: 'bestfit',
    mode: 'mps',
    resource: SHARED,
    count: 1,
    milliGpu: 250,
    gpus: [3],
  };
  const carrying = (text: string) =>
    podRecord(pod({ metadata: { annotations: { 'gpu-autoscaler.io/allocation': text } } }))?.gpu?.allocation;
  t.strictSame(carrying(JSON.stringify(record)), record);
  t.equal(carrying('{'), undefined);
});

tap.test('a pod that asks for no GPU has its cpu and memory alone', async (t) => {
  t.match(podRecord(pod({ resources: { cpu: '1', memory: '1Gi' } })), {
    resources: { cpu: 1_000, memory: 1_024 },
    gpu: undefined,
  });
});

tap.test('a GPU quantity that cannot be read: the pod asks for something that is not known', async (t) => {
  const record = podRecord(pod({ resources: { [GPU]: 'two' } }));
  t.ok(record?.gpu);
  t.equal(record?.gpu?.request, undefined);
});

tap.test('a fault is told once for each pod, by its names alone', async (t) => {
  const complaints: [string, object][] = [];
  const { pods } = new ClusterState((message, details) => void complaints.push([message, details]));
  const broken = (uid: string, phase: string, count = 'two') =>
    pods.update(
      pod({ name: uid, uid, phase, resources: { [GPU]: count }, metadata: { annotations: { secret: 'x' } } }),
    );
  for (const phase of ['Pending', 'Running', 'Succeeded']) broken('a', phase);
  broken('b', 'Pending');
  broken('a', 'Pending', 'three');
  t.strictSame(
    complaints.map(([, details]) => details),
    ['a', 'b', 'a'].map((uid, i) => ({
      pod: { namespace: 'team', name: uid, uid },
      error: `a GPU quantity of the pod cannot be read: container main, nvidia.com/gpu: "${i === 2 ? 'three' : 'two'}" is not a Kubernetes quantity`,
    })),
  );
});

tap.test('of a pod without a decision no more is kept than what admission needs', async (t) => {
  const large = 'x'.repeat(200_000);
  const env = [{ name: 'BLOB', value: large }];
  const resources = { limits: { [GPU]: '1' } };
  const record = podRecord(
    pod({
      resources: { [GPU]: 1 },
      metadata: { annotations: { note: large } },
      spec: { containers: [{ name: 'main', image: 'vllm-openai', args: ['serve', large], env, resources }] },
    }),
  );
  t.ok(record?.gpu?.unmutated);
  t.ok(JSON.stringify(record).length < 5_000, `${JSON.stringify(record).length} characters`);
});

tap.test('a record that names more GPUs than a pod can hold is cut', async (t) => {
  const gpus = Array.from({ length: 100_000 }, (_, i) => i % 8);
  const forged = { v: 1, node: 'n', strategy: 'x', mode: 'mps', resource: GPU, count: 1, milliGpu: 1, gpus };
  const annotations = {
    'gpu-autoscaler.io/allocation': JSON.stringify({ ...forged, others: Array(1_000).fill(forged) }),
  };
  const record = podRecord(pod({ resources: { [GPU]: 1 }, metadata: { annotations } }));
  t.equal(record?.gpu?.allocation?.gpus?.length, 256);
  t.equal(record?.gpu?.allocation?.others?.length, 16);
});
