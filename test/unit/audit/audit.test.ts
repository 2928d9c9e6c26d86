/** Who slipped past the webhook, and what repairs it. */

import tap from 'tap';
import { audit } from '#src/audit/audit.ts';
import { UnmutatedPods } from '#src/state/unmutated-pods.ts';
import { takeList } from '../../fakes/listing.ts';
import { inferencePod } from '../../objects/pods.ts';
import { quietState } from '../../objects/records.ts';
import { viewOf } from './make.ts';

async function missed(metadata: object = {}, configuration: unknown = {}) {
  const { pods } = quietState();
  const unmutated = new UnmutatedPods(pods, () => {});
  takeList(pods, [inferencePod('pod-1', { nodeName: 'node', metadata })]);
  return (await audit(unmutated.all(), viewOf(configuration))).missed;
}

const owner = (kind: string, name: string) => ({
  ownerReferences: [{ apiVersion: /Set$/.test(kind) ? 'apps/v1' : 'batch/v1', kind, name, uid: 'o', controller: true }],
});
const inference = { 'gpu-autoscaler.io/workload-type': 'inference' };

const REPAIRS: readonly [what: string, metadata: object, workload: string, repair: RegExp][] = [
  [
    'a Deployment’s',
    { ...owner('ReplicaSet', 'web-5d4f8'), labels: { ...inference, 'pod-template-hash': '5d4f8' } },
    'Deployment/web',
    /^kubectl rollout restart deployment\/web -n team$/,
  ],
  [
    'a StatefulSet’s',
    owner('StatefulSet', 'db'),
    'StatefulSet/db',
    /^kubectl rollout restart statefulset\/db -n team$/,
  ],
  ['a ReplicaSet’s of its own', owner('ReplicaSet', 'rs'), 'ReplicaSet/rs', /^kubectl delete pod pod-1 -n team$/],
  ['a Job’s', owner('Job', 'train'), 'Job/train', /^kubectl delete pod pod-1 -n team$/],
  ['a CronJob’s', owner('Job', 'nightly-29384610'), 'CronJob/nightly', /^kubectl delete pod pod-1 -n team$/],
  ['another controller’s', owner('Notebook', 'lab'), 'Notebook/lab', /^kubectl delete pod pod-1 -n team$/],
  [
    'nobody’s',
    {},
    'Pod/pod-1',
    /^kubectl get pod pod-1 -n team -o json \| jq 'del\(\.spec\.nodeName, .*\)' \| kubectl replace --force -f -$/,
  ],
];
for (const [what, metadata, workload, repair] of REPAIRS) {
  tap.test(`a pod that is ${what} is repaired by a command of its own`, async (t) => {
    const [pod] = await missed(metadata);
    t.equal(`${pod?.workload.kind}/${pod?.workload.name}`, workload);
    t.match(pod?.repair, repair);
    t.match(pod, { mode: 'mps', namespace: 'team', name: 'pod-1' });
  });
}

const FINE: readonly [what: string, metadata: object, configuration?: unknown][] = [
  ['it would keep a whole GPU', { labels: { 'gpu-autoscaler.io/workload-type': 'training' } }],
  ['it opted out', { annotations: { 'gpu-autoscaler.io/optimize': 'false' } }],
  ['it was decided', { annotations: { 'gpu-autoscaler.io/optimized': 'true' } }],
  [
    'its wishes cannot be read: the webhook would have let it pass as well',
    { annotations: { 'gpu-autoscaler.io/sharing-mode': 'magic' } },
  ],
  ['its namespace is exempt', {}, { admissionWebhook: { exemptNamespaces: ['team'] } }],
  ['requests are not rewritten', {}, { admissionWebhook: { rewriteRequests: false } }],
];
for (const [what, metadata, configuration] of FINE) {
  tap.test(`nothing was missed: ${what}`, async (t) => t.same(await missed(metadata, configuration), []));
}

tap.test(
  'a pod whose wishes cannot be read is told of as such: its author may never have seen the warning',
  async (t) => {
    const { pods } = quietState();
    const unmutated = new UnmutatedPods(pods, () => {});
    const metadata = {
      annotations: { 'gpu-autoscaler.io/sharing-mode': 'magic', 'gpu-autoscaler.io/gpu-memory': 'much' },
    };
    takeList(pods, [inferencePod('a', { metadata }), inferencePod('b')]);
    t.match((await audit(unmutated.all(), viewOf())).unclear, [
      { uid: 'a', namespace: 'team', name: 'a', faults: [/sharing-mode: "magic" is not one of/, /gpu-memory: "much"/] },
    ]);
    t.equal((await audit(unmutated.all(), viewOf())).unclear.length, 1);
    const exempt = viewOf({ admissionWebhook: { exemptNamespaces: ['team'] } });
    t.strictSame((await audit(unmutated.all(), exempt)).unclear, [], 'but not in an exempt namespace');
  },
);

tap.test('no owner can put words into the command: Kubernetes does not check its name', async (t) => {
  for (const reference of [
    { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'x; touch /tmp/pwned #' },
    { apiVersion: 'foo.example.com/v1', kind: 'StatefulSet', name: 'x' },
    { apiVersion: 'apps/v1', kind: 'ReplicaSet; reboot', name: 'x' },
  ]) {
    const [pod] = await missed({ ownerReferences: [{ ...reference, uid: 'o', controller: true }] });
    t.equal(pod?.repair, 'kubectl delete pod pod-1 -n team');
  }
});
