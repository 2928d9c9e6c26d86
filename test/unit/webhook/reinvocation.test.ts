/** A pod that comes again within one admission is decided anew; all others stay as they were decided. */

import { applyPatch } from 'rfc6902';
import tap from 'tap';
import { RecentDecisions } from '#src/webhook/reinvocation.ts';
import { review } from '#src/webhook/review.ts';
import { exclusiveNode, mpsNode } from '../../objects/nodes.ts';
import { KEY, podOf, stateOf } from '../state/evaluating.ts';

const NOW = new Date('2026-01-02T03:04:05.678Z');
const NODES = [mpsNode({ name: 'mps', gpus: 1, replicas: 8 }), exclusiveNode({ name: 'whole', gpus: 1 })];
const CONFIGURATION = { sharing: { mps: { defaultActiveThreads: 6 } }, binPacking: { enabled: false } };

interface Pod {
  metadata: { labels: Record<string, string>; annotations: Record<string, string> };
  spec: { nodeSelector?: object; containers: { env?: object[]; resources: { requests: object; limits?: object } }[] };
}

function setUp() {
  const { admission } = stateOf({ nodes: NODES, configuration: CONFIGURATION });
  const promises: string[] = [];
  const recent = new RecentDecisions();
  const admit = (pod: unknown, now = NOW): Pod => {
    const context = {
      view: admission.view(),
      promise: (resource: string) => void promises.push(`+${resource}`),
      withdraw: (resource: string) => void promises.push(`-${resource}`),
      recent,
      now,
    };
    const { reply } = review({ uid: 'u', operation: 'CREATE', namespace: 'team', object: pod }, context);
    const after = structuredClone(pod);
    const { patch } = reply.response;
    if (patch) applyPatch(after, JSON.parse(Buffer.from(patch, 'base64').toString()));
    return after as Pod;
  };
  return { admit, promises };
}

const INFERENCE = podOf({ labels: { 'workload-type': 'inference' } });
const labelled = (pod: Pod, type: string): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, [`${KEY}workload-type`]: type } },
});

tap.test('a label that a later webhook writes counts', async (t) => {
  const { admit, promises } = setUp();
  const first = admit(INFERENCE);
  t.match(first.metadata.annotations, { [`${KEY}optimization-strategy`]: 'mps' });
  t.match(first.spec.containers[0]?.env, [{ name: 'CUDA_MPS_ACTIVE_THREAD_PERCENTAGE', value: '6' }]);
  t.same(first.spec.nodeSelector, { 'nvidia.com/gpu.sharing-strategy': 'mps' });

  const second = admit(labelled(first, 'training'));
  t.match(second.metadata.annotations, { [`${KEY}optimization-strategy`]: 'exclusive' });
  t.ok('nvidia.com/gpu' in (second.spec.containers[0]?.resources.requests ?? {}), 'the whole GPU is back');
  t.notOk('nvidia.com/gpu.shared' in (second.spec.containers[0]?.resources.requests ?? {}));
  t.same(second.spec.containers[0]?.env ?? [], [], 'our limits have gone');
  t.same(second.spec.nodeSelector ?? {}, {}, 'and so has our selector');
  t.strictSame(promises, ['+nvidia.com/gpu.shared', '-nvidia.com/gpu.shared'], 'the slot is promised to nobody');

  const third = admit(labelled(second, 'inference'));
  t.match(third.metadata.annotations, { [`${KEY}optimization-strategy`]: 'mps' }, 'and the other way round');
});

tap.test('what the author had set himself stays', async (t) => {
  const { admit } = setUp();
  const own = podOf({
    labels: { 'workload-type': 'inference' },
    spec: {
      nodeSelector: { pool: 'a' },
      containers: [
        { name: 'main', env: [{ name: 'MINE', value: '1' }], resources: { requests: { 'nvidia.com/gpu': 1 } } },
      ],
    },
  });
  const nodes = admit(own);
  const again = admit(labelled(nodes, 'training'));
  t.match(again.spec.nodeSelector, { pool: 'a' });
  t.same(again.spec.containers[0]?.env, [{ name: 'MINE', value: '1' }]);
});

tap.test('a decision that is not ours of a moment ago stays, whatever is written there', async (t) => {
  const first = setUp().admit(INFERENCE);
  const late = labelled(first, 'training');
  t.same(setUp().admit(late), late, 'of another replica, of another admission, or of the author');
  const { admit } = setUp();
  const known = admit(INFERENCE);
  const other = {
    ...late,
    metadata: {
      ...late.metadata,
      annotations: { ...late.metadata.annotations, [`${KEY}optimization-timestamp`]: '2026-01-02T03:04:05.679Z' },
    },
  };
  t.same(admit(other), other, 'of another time');
  t.notSame(admit(labelled(known, 'training')), labelled(known, 'training'));
});

tap.test('what others have set or changed since is not taken away', async (t) => {
  const { admit } = setUp();
  const first = admit(INFERENCE);
  const [container] = first.spec.containers;
  const changed = {
    ...labelled(first, 'training'),
    spec: {
      ...first.spec,
      nodeSelector: { ...first.spec.nodeSelector, team: 'a' },
      containers: [
        {
          ...container,
          env: [
            { name: 'HTTPS_PROXY', value: 'audit:1' },
            { name: 'CUDA_MPS_ACTIVE_THREAD_PERCENTAGE', value: '3' },
          ],
        },
      ],
    },
  };
  const second = admit(changed);
  t.same(second.spec.nodeSelector, { team: 'a' });
  t.same(second.spec.containers[0]?.env, [
    { name: 'HTTPS_PROXY', value: 'audit:1' },
    { name: 'CUDA_MPS_ACTIVE_THREAD_PERCENTAGE', value: '3' },
  ]);
});

tap.test('what can no longer be read, or opts out, is as it came', async (t) => {
  const { admit } = setUp();
  const scheduled = {
    ...(INFERENCE as { spec: object }),
    spec: { ...(INFERENCE as { spec: object }).spec, schedulerName: 'default-scheduler' },
  };
  const annotated = (pod: Pod, key: string, value: string) => ({
    ...pod,
    metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, [KEY + key]: value } },
  });
  for (const [key, value] of [
    ['gpu-fraction', 'half'],
    ['optimize', 'false'],
  ] as const) {
    const again = admit(annotated(admit(scheduled), key, value));
    t.same(Object.keys(again.metadata.annotations), [KEY + key]);
    t.ok('nvidia.com/gpu' in (again.spec.containers[0]?.resources.requests ?? {}), key);
    t.equal((again.spec as { schedulerName?: string }).schedulerName, 'default-scheduler');
  }
});
