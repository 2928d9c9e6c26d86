/** Autoscalers, and the nodes that they misread. */

import tap from 'tap';
import { autoscalers } from '#src/cli/doctor/checks/autoscalers.ts';
import { exclusiveNode, mpsNode } from '../../../../objects/nodes.ts';
import { contextOf, deployment, essence, findingsOf, nodesOf, workloadsOf } from '../make.ts';

const LABEL = 'k8s.amazonaws.com/accelerator';
const labels = { [LABEL]: 'nvidia-tesla-a100' };
const AUTOSCALER = deployment('ca', { image: 'registry.k8s.io/autoscaling/cluster-autoscaler:v1.33.0' });

const SIGNS: readonly [what: string, seen: Parameters<typeof autoscalers.run>[0], says: RegExp][] = [
  [
    'an image',
    { deployments: workloadsOf(AUTOSCALER) },
    /^cluster-autoscaler \(Deployment kube-system\/ca\) makes no node/,
  ],
  [
    'an image for another processor',
    { deployments: workloadsOf(deployment('x', { image: 'a/cluster-autoscaler-arm64:v1' })) },
    /^cluster-autoscaler /,
  ],
  [
    'a label of the chart',
    { deployments: workloadsOf(deployment('x', { labels: { 'app.kubernetes.io/name': 'aws-cluster-autoscaler' } })) },
    /^cluster-autoscaler /,
  ],
  [
    'the status of one that cannot be seen',
    { autoscalerStatus: [{ namespace: 'kube-system', name: 'cluster-autoscaler-status', data: {} }] },
    /^cluster-autoscaler \(ConfigMap kube-system\/cluster-autoscaler-status\)/,
  ],
  [
    "Karpenter's image",
    { deployments: workloadsOf(deployment('k', { image: 'public.ecr.aws/karpenter/controller:1.8.0@sha256:00' })) },
    /^Karpenter \(Deployment kube-system\/k\) makes no node/,
  ],
  [
    "Karpenter's definitions",
    { definitions: [{ name: 'nodepools.karpenter.sh', established: true, versions: [] }] },
    /^Karpenter \(CustomResourceDefinition nodepools\.karpenter\.sh\)/,
  ],
];
for (const [what, seen, says] of SIGNS) {
  tap.test(`known by ${what}`, async (t) => {
    t.match(findingsOf(autoscalers, seen), [{ severity: 'warning', message: says }]);
  });
}

tap.test('none', async (t) => {
  const nodes = nodesOf(mpsNode({ name: 'a', gpus: 1, replicas: 4, labels }));
  const other = workloadsOf(
    deployment('cluster-proportional-autoscaler', { image: 'a/cluster-proportional-autoscaler:1' }),
  );
  t.same(findingsOf(autoscalers, { nodes, deployments: other, definitions: [] }), []);
  t.same(findingsOf(autoscalers, { nodes, autoscalerStatus: [], definitions: [] }), []);
  for (const seen of [{}, { definitions: [] }, { autoscalerStatus: [] }])
    t.equal(autoscalers.run({ nodes, ...seen }, contextOf()), undefined, 'what was seen does not tell');
});

tap.test('nodes with the label of the cloud: without a whole GPU now, or once they are changed', async (t) => {
  const nodes = nodesOf(
    mpsNode({ name: 'shared', gpus: 1, replicas: 4, labels }),
    exclusiveNode({ name: 'whole', gpus: 1, labels }),
    mpsNode({ name: 'unlabelled', gpus: 1, replicas: 4 }),
  );
  const seen = { nodes, deployments: workloadsOf(AUTOSCALER) };
  const found = findingsOf(autoscalers, seen);
  t.strictSame(essence(found).slice(0, 2), ['error: shared', 'warning: whole']);
  t.match(found[0]?.message, /takes node shared for unready: it has the label k8s\.amazonaws\.com\/accelerator/);
  const off = contextOf({ reconciler: { enabled: false } });
  t.strictSame(essence(findingsOf(autoscalers, seen, off)).slice(0, 2), [
    'error: shared',
    'warning: Deployment kube-system/ca',
  ]);
});
