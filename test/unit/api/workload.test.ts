/** The workload that a pod belongs to, by its owner and by how Kubernetes names what it makes. */

import tap from 'tap';
import { admissionPodSchema } from '#src/api/admission-pod.ts';
import { workloadKey, workloadOf } from '#src/api/workload.ts';

const HASH = { 'pod-template-hash': '7f9c6bd5b' };
const owner = (kind: string, name: string, controller = true) => ({ ownerReferences: [{ kind, name, controller }] });

const pods: readonly [says: string, metadata: object, workload: string][] = [
  ['a pod of its own', { name: 'p' }, 'team/Pod/p'],
  ['one whose name is to be made up', { generateName: 'p-' }, 'team/Pod/p'],
  ['a Deployment', { labels: HASH, ...owner('ReplicaSet', 'web-7f9c6bd5b') }, 'team/Deployment/web'],
  [
    'a Deployment with dashes',
    { labels: HASH, ...owner('ReplicaSet', 'web-a-b-7f9c6bd5b') },
    'team/Deployment/web-a-b',
  ],
  [
    'a Rollout',
    { labels: { 'rollouts-pod-template-hash': '7f9c6bd5b' }, ...owner('ReplicaSet', 'web-7f9c6bd5b') },
    'team/Rollout/web',
  ],
  [
    'a revision of Knative',
    {
      labels: { ...HASH, 'serving.knative.dev/configuration': 'hello' },
      ...owner('ReplicaSet', 'hello-00001-deployment-7f9c6bd5b'),
    },
    'team/Configuration/hello',
  ],
  ['a ReplicaSet that nobody made', { ...owner('ReplicaSet', 'web-7f9c6bd5b') }, 'team/ReplicaSet/web-7f9c6bd5b'],
  ['a ReplicaSet of another name', { labels: HASH, ...owner('ReplicaSet', 'web') }, 'team/ReplicaSet/web'],
  ['a StatefulSet', { name: 'db-0', ...owner('StatefulSet', 'db') }, 'team/StatefulSet/db'],
  ['a Job', owner('Job', 'train'), 'team/Job/train'],
  ['a Job with a number', owner('Job', 'train-2024'), 'team/Job/train-2024'],
  ['a CronJob', owner('Job', 'nightly-28771230'), 'team/CronJob/nightly'],
  ['a DaemonSet', owner('DaemonSet', 'dcgm'), 'team/DaemonSet/dcgm'],
  ['a custom resource', owner('PyTorchJob', 'resnet'), 'team/PyTorchJob/resnet'],
  ['an owner that does not control it', { name: 'p', ...owner('Widget', 'w', false) }, 'team/Pod/p'],
  [
    'the controller of several owners',
    {
      ownerReferences: [
        { kind: 'Widget', name: 'w' },
        { kind: 'Job', name: 'j', controller: true },
      ],
    },
    'team/Job/j',
  ],
];
for (const [says, metadata, workload] of pods) {
  tap.test(`${says}: ${workload}`, async (t) => {
    const pod = admissionPodSchema.parse({ metadata, spec: { containers: [{}] } });
    t.equal(workloadKey(workloadOf(pod.metadata, 'team')), workload);
  });
}
