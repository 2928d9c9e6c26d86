/** The pods that workloads make, as the webhook would see them. */

import tap from 'tap';
import { admissionPodSchema, isPinned } from '#src/api/admission-pod.ts';
import { workloadOf } from '#src/api/workload.ts';
import { type Manifest, readManifests } from '#src/cli/decide/manifests.ts';
import { podsOf } from '#src/cli/decide/templates.ts';

const TEMPLATE = {
  metadata: { labels: { app: 'web' }, annotations: { note: 'kept' } },
  spec: { containers: [{ name: 'main' }], priorityClassName: 'high' },
};

function made(kind: string, spec: object, metadata: object = { name: 'web', namespace: 'team' }) {
  const [manifest] = readManifests('f', JSON.stringify({ apiVersion: 'v1', kind, metadata, spec }));
  return all(manifest)[0]?.pod;
}

function all(manifest: Manifest | undefined) {
  return manifest ? podsOf(manifest) : [];
}

const KINDS: readonly [kind: string, spec: object, workload: string][] = [
  ['Deployment', { template: TEMPLATE }, 'Deployment'],
  ['ReplicaSet', { template: TEMPLATE }, 'ReplicaSet'],
  ['ReplicationController', { template: TEMPLATE }, 'ReplicationController'],
  ['StatefulSet', { template: TEMPLATE }, 'StatefulSet'],
  ['DaemonSet', { template: TEMPLATE }, 'DaemonSet'],
  ['Job', { template: TEMPLATE }, 'Job'],
  ['CronJob', { jobTemplate: { spec: { template: TEMPLATE } } }, 'CronJob'],
];
for (const [kind, spec, workload] of KINDS) {
  tap.test(`a ${kind}: its template, in its namespace, and of the workload that history knows`, async (t) => {
    const pod = admissionPodSchema.parse(made(kind, spec));
    t.strictSame(workloadOf(pod.metadata, 'team'), { namespace: 'team', kind: workload, name: 'web' });
    t.match(made(kind, spec), {
      kind: 'Pod',
      metadata: { namespace: 'team', labels: { app: 'web' }, annotations: { note: 'kept' } },
      spec: { containers: [{ name: 'main' }], priorityClassName: 'high' },
    });
    t.equal(isPinned(pod), kind === 'DaemonSet', 'each pod of a DaemonSet is made for one node');
  });
}

tap.test('a Pod is what it is', async (t) => {
  const spec = { containers: [] };
  t.strictSame(made('Pod', spec, { name: 'a' }), { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec });
});

tap.test('a ReplicaSet of a Deployment, as kubectl shows it, is of the Deployment', async (t) => {
  const template = { ...TEMPLATE, metadata: { labels: { app: 'web', 'pod-template-hash': '66b6c48dd5' } } };
  const pod = admissionPodSchema.parse(made('ReplicaSet', { template }, { name: 'web-66b6c48dd5' }));
  t.match(workloadOf(pod.metadata, 'team'), { kind: 'Deployment', name: 'web' });
});

tap.test('what a DaemonSet’s pods ask of nodes besides stays', async (t) => {
  const affinity = { podAntiAffinity: { x: 1 }, nodeAffinity: { y: 1 } };
  const template = { ...TEMPLATE, spec: { ...TEMPLATE.spec, affinity } };
  t.match(made('DaemonSet', { template }), { spec: { affinity: { podAntiAffinity: { x: 1 } } } });
});

for (const kind of ['Service', 'ConfigMap', 'constructor', '__proto__']) {
  tap.test(`a ${kind} without the spec of a pod makes none`, async (t) => {
    t.equal(made(kind, { template: { spec: { containers: [] }, containers: 'none' } }), undefined);
  });
}

const SHAPES: readonly [kind: string, spec: object, places: readonly string[]][] = [
  ['Rollout', { template: TEMPLATE }, ['']],
  ['Notebook', { template: TEMPLATE }, ['']],
  ['InferenceService', { predictor: { containers: [{ name: 'main' }] } }, ['']],
  [
    'RayCluster',
    { headGroupSpec: { template: TEMPLATE }, workerGroupSpecs: [{ template: TEMPLATE }] },
    ['spec.headGroupSpec.template', 'spec.workerGroupSpecs.0.template'],
  ],
  [
    'PyTorchJob',
    { pytorchReplicaSpecs: { Master: { template: TEMPLATE }, Worker: { template: TEMPLATE } } },
    ['spec.pytorchReplicaSpecs.Master.template', 'spec.pytorchReplicaSpecs.Worker.template'],
  ],
  ['Workflow', { templates: [{ script: 1 }, { podSpec: TEMPLATE.spec }] }, ['']],
];
for (const [kind, spec, places] of SHAPES) {
  tap.test(`a ${kind}, by its shape: the pods that are in it, of an owner of that kind`, async (t) => {
    const metadata = { name: 'x', namespace: 'team' };
    const [manifest] = readManifests('f', JSON.stringify({ apiVersion: 'example.com/v1', kind, metadata, spec }));
    const pods = all(manifest);
    t.strictSame(
      pods.map(({ place }) => place),
      places,
    );
    for (const { pod } of pods) {
      t.match(pod, { metadata: { namespace: 'team' }, spec: { containers: [{ name: 'main' }] } });
      t.match(workloadOf(admissionPodSchema.parse(pod).metadata, 'team'), { kind, name: 'x' });
    }
  });
}

tap.test('a template by its shape has its labels', async (t) => {
  t.match(made('Rollout', { template: TEMPLATE }), {
    metadata: { labels: { app: 'web' }, annotations: { note: 'kept' } },
  });
});

const BAD: readonly [kind: string, spec: object, message: RegExp][] = [
  ['Deployment', {}, /^f:1:\d+: Deployment web: spec\.template: /],
  ['CronJob', { template: TEMPLATE }, /^f:1:\d+: CronJob web: spec\.jobTemplate: /],
  ['Job', { template: { spec: [] } }, /^f:1:\d+: Job web: spec\.template\.spec: /],
  [
    'Job',
    { template: { metadata: { labels: { a: 1 } }, spec: {} } },
    /^f:1:\d+: Job web: spec\.template\.metadata\.labels\.a: /,
  ],
];
for (const [kind, spec, message] of BAD) {
  tap.test(`${kind} with ${JSON.stringify(spec)}: a sentence with the place`, async (t) => {
    t.throws(() => made(kind, spec), { name: 'InputError', message });
  });
}
