/** The pods that workloads make, as the webhook would see them. */

import tap from 'tap';
import { admissionPodSchema, isPinned } from '#src/api/admission-pod.ts';
import { workloadOf } from '#src/api/workload.ts';
import { readManifests } from '#src/cli/decide/manifests.ts';
import { podOf } from '#src/cli/decide/templates.ts';

const TEMPLATE = {
  metadata: { labels: { app: 'web' }, annotations: { note: 'kept' } },
  spec: { containers: [{ name: 'main' }], priorityClassName: 'high' },
};

function made(kind: string, spec: object, metadata: object = { name: 'web', namespace: 'team' }) {
  const [manifest] = readManifests('f', JSON.stringify({ apiVersion: 'v1', kind, metadata, spec }));
  return manifest && podOf(manifest);
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
  tap.test(`a ${kind} makes no pod`, async (t) => {
    t.equal(made(kind, { template: TEMPLATE }), undefined);
  });
}

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
