/** Pods as the API server sends them: containers of every kind, gates, places, and what cannot be read. */

import tap from 'tap';
import { evaluateAdmission } from '#src/state/evaluate-admission.ts';
import { exclusiveNode, mpsNode, timeSlicingNode } from '../../objects/nodes.ts';
import { judged, KEY, type PodParts, podOf, stateOf, type World } from './evaluating.ts';

const INFERENCE: PodParts = { labels: { 'workload-type': 'inference' } };
const asks = (resource = 'nvidia.com/gpu', count: number | string = 1) => ({
  resources: { requests: { [resource]: count } },
});
const containers = (...list: object[]) => list.map((container, i) => ({ name: `c${i}`, ...container }));
const several = (count: number) => `the pod asks for ${count} GPUs, and only single-GPU pods share`;
const MPS = 'considered MPS: inference takes a slot of 1/8 GPU (5Gi), offered by 1 node';
const SIDECAR = { restartPolicy: 'Always' };
const affinity = (...nodeSelectorTerms: object[]) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
});
const host = (...names: string[]) => ({
  matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: names }],
});

const specs: readonly [says: string, spec: object, becomes: string, because: string][] = [
  ['one container of several asks', { containers: containers({}, asks(), {}) }, 'mps gpu.shared', MPS],
  ['two containers ask', { containers: containers(asks(), asks()) }, 'exclusive', several(2)],
  [
    'as a limit',
    { containers: containers({ resources: { limits: { 'nvidia.com/gpu': '1' } } }) },
    'mps gpu.shared',
    MPS,
  ],
  [
    'an init container alone asks',
    { initContainers: containers(asks()), containers: containers({}) },
    'mps gpu.shared',
    MPS,
  ],
  [
    'an init container asks, and a container after it',
    { initContainers: containers(asks()), containers: containers(asks()) },
    'mps gpu.shared',
    MPS,
  ],
  [
    'init containers ask one after the other',
    { initContainers: containers(asks(), asks()), containers: containers({}) },
    'mps gpu.shared',
    MPS,
  ],
  [
    'a greedy init container',
    { initContainers: containers(asks('nvidia.com/gpu', 4)), containers: containers(asks()) },
    'exclusive',
    several(4),
  ],
  [
    'a sidecar asks, and a container beside it',
    { initContainers: containers({ ...asks(), ...SIDECAR }), containers: containers(asks()) },
    'exclusive',
    several(2),
  ],
  [
    'a sidecar alone asks',
    { initContainers: containers({ ...asks(), ...SIDECAR }), containers: containers({}) },
    'mps gpu.shared',
    MPS,
  ],
  ['a count of 0', { containers: containers(asks('nvidia.com/gpu', 0)) }, 'leave', 'the pod asks for no GPU'],
  ['another vendor’s GPU', { containers: containers(asks('amd.com/gpu')) }, 'leave', 'the pod asks for no GPU'],
  [
    'a slot by name beside a whole GPU',
    { containers: containers(asks(), asks('nvidia.com/gpu.shared')) },
    'schedule',
    'the pod asks for nvidia.com/gpu.shared by name',
  ],
  ['a gated pod is decided like any other', { schedulingGates: [{ name: 'example.com/wait' }] }, 'mps gpu.shared', MPS],
  ['a pod bound by hand', { nodeName: 'mps' }, 'leave', 'the pod is made for one node'],
  [
    'nodeSelector: to nodes that offer it',
    { nodeSelector: { 'kubernetes.io/hostname': 'mps' } },
    'mps gpu.shared',
    MPS,
  ],
  [
    'nodeSelector: to nodes that do not',
    { nodeSelector: { 'kubernetes.io/hostname': 'whole' } },
    'exclusive',
    'no rule shares this pod: it keeps a whole GPU',
  ],
  ['required affinity: to nodes that offer it', affinity(host('whole', 'mps')), 'mps gpu.shared', MPS],
  [
    'required affinity: to nodes that do not',
    affinity(host('whole', 'sliced')),
    'exclusive',
    'no rule shares this pod: it keeps a whole GPU',
  ],
  ['required affinity: one term of two', affinity(host('whole'), host('mps')), 'mps gpu.shared', MPS],
  [
    'required affinity: an empty term is no way in',
    affinity(host('whole'), {}),
    'exclusive',
    'no rule shares this pod: it keeps a whole GPU',
  ],
  [
    'required affinity and nodeSelector that exclude each other',
    { nodeSelector: { 'kubernetes.io/hostname': 'mps' }, ...affinity(host('whole')) },
    'exclusive',
    'no rule shares this pod: it keeps a whole GPU',
  ],
  ['an empty schedulerName is the default one', { schedulerName: '' }, 'mps gpu.shared', MPS],
  ['another scheduler', { schedulerName: 'volcano' }, 'leave', 'the pod chose scheduler volcano'],
];
for (const [says, spec, becomes, because] of specs) {
  tap.test(says, async (t) => {
    const result = judged(podOf({ ...INFERENCE, spec }));
    t.equal(result.becomes, becomes);
    t.equal(result.reasons.at(-1), because);
  });
}

const ON_DEMAND: World = { nodes: [exclusiveNode({ name: 'whole', gpus: 4 })] };
const auto = (mode: string) => ({ ...ON_DEMAND, configuration: { sharing: { [mode]: { autoConfig: true } } } });
const demands: readonly [says: string, pod: PodParts, world: World, becomes: string, because: string][] = [
  [
    'without autoConfig what nodes could offer does not count',
    INFERENCE,
    ON_DEMAND,
    'exclusive',
    'no rule shares this pod: it keeps a whole GPU',
  ],
  [
    'autoConfig of MPS',
    INFERENCE,
    auto('mps'),
    'mps gpu.shared',
    'considered MPS: inference takes a slot of 1/16 GPU (2560Mi), which 1 node could be configured to offer',
  ],
  [
    'autoConfig of time-slicing',
    { labels: { 'workload-type': 'development' } },
    auto('timeSlicing'),
    'timeslicing gpu.shared',
    'considered time-slicing: development takes a slot of 1/4 GPU (10Gi), which 1 node could be configured to offer',
  ],
  [
    'autoConfig of MIG',
    { annotations: { 'gpu-memory': '8Gi' } },
    auto('mig'),
    'mig mig-1g.10gb',
    'considered MIG: declared 8Gi needs 1g.10gb, which 1 node could be configured to offer',
  ],
  ['autoConfig of another mode', INFERENCE, auto('mig'), 'exclusive', 'no rule shares this pod: it keeps a whole GPU'],
  [
    'a node with time-slices does not become one with MPS',
    INFERENCE,
    { ...auto('mps'), nodes: [timeSlicingNode({ name: 's', gpus: 1, replicas: 4 })] },
    'exclusive',
    'no rule shares this pod: it keeps a whole GPU',
  ],
  [
    'a mode’s nodeSelector',
    INFERENCE,
    { configuration: { sharing: { mps: { nodeSelector: { pool: 'none' } } } } },
    'exclusive',
    'no rule shares this pod: it keeps a whole GPU',
  ],
  [
    'oversubscribe: a time-slice has the memory of the whole GPU',
    { labels: { 'workload-type': 'development' }, annotations: { 'gpu-memory': '30Gi' } },
    { configuration: { sharing: { timeSlicing: { oversubscribe: true } } } },
    'timeslicing gpu.shared',
    'considered time-slicing: development takes a slot of 1/4 GPU (40Gi), offered by 1 node',
  ],
];
for (const [says, pod, world, becomes, because] of demands) {
  tap.test(says, async (t) => {
    const result = judged(podOf(pod), world);
    t.equal(result.becomes, becomes);
    t.equal(result.reasons.at(-1), because);
  });
}

const unreadable: readonly [says: string, pod: unknown, fault: RegExp][] = [
  ['no pod', null, /^body: /],
  ['a pod without a spec', { metadata: {} }, /^spec: /],
  ['a pod without containers', { metadata: {}, spec: { containers: [] } }, /^spec\.containers: /],
  ['a count that is none', podOf({ gpus: '1.5' }), /container main, nvidia\.com\/gpu: "1\.5" is not a whole number/],
  ['an unknown mode', podOf({ annotations: { 'sharing-mode': 'turbo' } }), /sharing-mode: "turbo" is not one of/],
  ['an unknown type', podOf({ labels: { 'workload-type': 'yoga' } }), /workload-type: "yoga" is not one of/],
  [
    'an operator that is none',
    podOf({ spec: affinity({ matchExpressions: [{ key: 'a', operator: 'Like' }] }) }),
    /matchExpressions\.0\.operator/,
  ],
];
for (const [says, pod, fault] of unreadable) {
  tap.test(`cannot be read: ${says}`, async (t) => {
    const { becomes, warnings } = judged(pod);
    t.equal(becomes, 'error');
    t.match(warnings, [fault]);
  });
}

tap.test('a wish that cannot be read of a pod without GPU is nobody’s business', async (t) => {
  t.equal(judged(podOf({ gpus: 0, annotations: { 'sharing-mode': 'turbo' } })).becomes, 'leave');
});

tap.test('a wish that cannot be read is nobody’s business where nobody reads it', async (t) => {
  const pod = podOf({ annotations: { 'sharing-mode': 'turbo' } });
  const webhook = (admissionWebhook: object): World => ({ configuration: { admissionWebhook } });
  const selector = { matchLabels: { gpu: 'shared' } };
  t.equal(judged(pod, webhook({ exemptNamespaces: ['team'] })).becomes, 'leave');
  t.equal(judged(pod, webhook({ namespaceSelector: selector })).becomes, 'leave');
  const selected = { ...webhook({ namespaceSelector: selector }), namespaces: { team: { gpu: 'shared' } } };
  t.equal(judged(pod, selected).becomes, 'error');
  // The API server has asked for a namespace that is not known here yet: it is selected.
  t.equal(judged(pod, webhook({ namespaceSelector: selector }), 'new').becomes, 'error');
});

tap.test('the namespace is that of the request, which the pod itself may lack', async (t) => {
  const pod = podOf({ ...INFERENCE, metadata: { namespace: 'kube-system', name: undefined, generateName: 'web-' } });
  t.match(judged(pod, {}, 'team'), { pod: 'team/web-*', becomes: 'mps gpu.shared' });
  const { admission } = stateOf();
  t.match(evaluateAdmission(pod, undefined, admission.view()), {
    pod: 'kube-system/web-*',
    decision: { action: 'leave' },
  });
});

tap.test('history is asked for the workload, not for the pod', async (t) => {
  const asked: string[] = [];
  const metadata = {
    labels: { 'pod-template-hash': 'abc', [`${KEY}workload-type`]: 'inference' },
    ownerReferences: [{ kind: 'ReplicaSet', name: 'web-abc', controller: true }],
  };
  const world: World = {
    historyOf: ({ namespace, kind, name }) => {
      asked.push(`${namespace}/${kind}/${name}`);
      return { known: false, why: 'Prometheus has not answered yet' };
    },
  };
  const { reasons } = judged(podOf({ metadata }), world);
  t.strictSame(asked, ['team/Deployment/web']);
  t.equal(reasons[0], 'no history: Prometheus has not answered yet');
});

const POLICY = { strategy: 'mps', nodeSelector: { pool: 'a' } };
const POOLS = [
  mpsNode({ name: 'a', gpus: 1, replicas: 4, labels: { pool: 'a' } }),
  mpsNode({ name: 'b', gpus: 1, replicas: 8, labels: { pool: 'b' } }),
];
tap.test('a policy’s nodeSelector and the pod’s own bound each other', async (t) => {
  const world: World = { nodes: POOLS, policies: { a: POLICY } };
  t.equal(judged(podOf({}), world).becomes, 'mps gpu.shared by a on pool=a');
  t.equal(judged(podOf({ spec: { nodeSelector: { pool: 'b' } } }), world).becomes, 'exclusive by a');
  const term = { matchExpressions: [{ key: 'pool', operator: 'NotIn', values: ['a'] }] };
  t.equal(judged(podOf({ spec: affinity(term) }), world).becomes, 'exclusive by a');
  t.equal(judged(podOf({ spec: affinity(term, host('a')) }), world).becomes, 'mps gpu.shared by a on pool=a');
});
