/** Kueue's queues as manifests have them, and pods that they count. */

import tap from 'tap';
import { admissionPodSchema } from '#src/api/admission-pod.ts';
import { clusterQueueSchema, localQueueSchema, queueSignsOf } from '#src/api/queues.ts';

const QUEUE = { 'kueue.x-k8s.io/queue-name': 'q' };
const GPU = 'nvidia.com/gpu';
const SHARED = 'nvidia.com/gpu.shared';
const pod = (metadata: object, spec: object = {}) =>
  admissionPodSchema.parse({ metadata, spec: { containers: [{ name: 'main' }], ...spec } });
const queueOfPod = (each: ReturnType<typeof pod>) => queueSignsOf(each)?.localQueue;
const signOfKueue = (each: ReturnType<typeof pod>) => queueSignsOf(each)?.sign;
const owned = (kind: string) => ({ labels: QUEUE, ownerReferences: [{ kind, name: 'x', controller: true }] });

tap.test('a pod that Kueue counts by what the pod itself asks for', async (t) => {
  t.equal(queueOfPod(pod({ labels: QUEUE })), 'q');
  t.equal(queueOfPod(pod(owned('ReplicaSet'))), 'q', 'of a Deployment');
});

tap.test('a pod that was counted with others, or by what made it', async (t) => {
  for (const kind of ['Job', 'JobSet', 'RayCluster', 'PyTorchJob', 'StatefulSet'])
    t.equal(queueOfPod(pod(owned(kind))), undefined, kind);
  t.equal(queueOfPod(pod({ labels: { ...QUEUE, 'kueue.x-k8s.io/pod-group-name': 'g' } })), undefined);
  t.equal(queueOfPod(pod({ labels: { ...QUEUE, 'kueue.x-k8s.io/podset': 'main' } })), undefined);
  t.equal(queueOfPod(pod({ labels: QUEUE, annotations: { 'kueue.x-k8s.io/workload': 'w' } })), undefined);
  t.equal(queueOfPod(pod({})), undefined);
});

tap.test('signs of Kueue', async (t) => {
  t.equal(signOfKueue(pod({ labels: QUEUE })), 'kueue.x-k8s.io/queue-name');
  t.equal(signOfKueue(pod({ annotations: { 'kueue.x-k8s.io/workload': 'w' } })), 'kueue.x-k8s.io/workload');
  const gate = 'kueue.x-k8s.io/admission';
  t.equal(signOfKueue(pod({}, { schedulingGates: [{ name: gate }] })), gate);
  t.equal(signOfKueue(pod({ labels: { app: 'kueue.x-k8s.io' } }, { schedulingGates: [{ name: 'other' }] })), undefined);
});

tap.test('a ClusterQueue grants what it has quota for, or may borrow', async (t) => {
  const queue = (spec: object) => clusterQueueSchema.parse({ metadata: { name: 'c' }, spec });
  const group = (...quotas: (string | number)[]) => ({
    coveredResources: ['cpu', GPU, SHARED],
    flavors: quotas.map((nominalQuota) => ({
      name: 'f',
      resources: [
        { name: 'cpu', nominalQuota: '9' },
        { name: GPU, nominalQuota: 4 },
        { name: SHARED, nominalQuota },
      ],
    })),
  });
  const grants = (spec: object) => queue(spec).grants;
  t.strictSame(grants({ resourceGroups: [group('8')] }), ['cpu', GPU, SHARED]);
  t.strictSame(grants({ resourceGroups: [group(0, '0')] }), ['cpu', GPU], 'nothing of it in any flavor');
  t.strictSame(grants({ resourceGroups: [group(0, 2)] }), ['cpu', GPU, SHARED], 'in one of them');
  t.strictSame(grants({ resourceGroups: [group(0)], cohort: 'all' }), ['cpu', GPU, SHARED], 'v1beta1');
  t.strictSame(grants({ resourceGroups: [group(0)], cohortName: 'all' }), ['cpu', GPU, SHARED], 'v1beta2');
  for (const none of ['0m', '0.0', '0Gi', -1, 'x'])
    t.strictSame(grants({ resourceGroups: [group(none)] }), ['cpu', GPU], `a quota of ${none}`);
  t.strictSame(grants({ resourceGroups: [group('500m')] }), ['cpu', GPU, SHARED]);
  const borrowing = (borrowingLimit: unknown) => ({
    cohort: 'all',
    resourceGroups: [
      {
        coveredResources: [SHARED],
        flavors: [{ name: 'f', resources: [{ name: SHARED, nominalQuota: 0, borrowingLimit }] }],
      },
    ],
  });
  t.strictSame([grants(borrowing(0)), grants(borrowing('4')), grants(borrowing(undefined))], [[], [SHARED], [SHARED]]);
  const counted = { 'gpu-autoscaler.io/counted-resources': `${GPU},${SHARED}` };
  const shares = (resource: string, annotations: object | null) =>
    clusterQueueSchema.parse({
      metadata: { name: 'c', annotations },
      spec: {
        resourceGroups: [
          { coveredResources: [resource], flavors: [{ name: 'f', resources: [{ name: resource, nominalQuota: 1 }] }] },
        ],
      },
    }).grants;
  const MILLI = 'gpu-autoscaler.io/milli-gpu';
  t.strictSame(shares(MILLI, counted), [MILLI, GPU, SHARED], 'what Kueue counts as milli-GPU');
  const byHand = { 'gpu-autoscaler.io/counted-resources': `${GPU}, ${SHARED} ` };
  t.strictSame(shares(MILLI, byHand), [MILLI, GPU, SHARED], 'written by hand');
  t.strictSame(shares(MILLI, null), [MILLI]);
  t.strictSame(shares('cpu', counted), ['cpu'], 'without a quota of milli-GPU');
  t.strictSame(queue({}), { name: 'c', covers: [], grants: [] });
  t.strictSame(clusterQueueSchema.parse({ metadata: { name: 'c' } }), { name: 'c', covers: [], grants: [] });
});

tap.test('a LocalQueue stands for a ClusterQueue', async (t) => {
  t.strictSame(localQueueSchema.parse({ metadata: { name: 'q', namespace: 'team' }, spec: { clusterQueue: 'c' } }), {
    namespace: 'team',
    name: 'q',
    clusterQueue: 'c',
  });
});
