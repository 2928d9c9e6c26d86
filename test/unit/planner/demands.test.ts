/** Which pods are one demand, and how finely their GPUs may be shared. */

import tap from 'tap';
import { WHOLE_GPU } from '#src/core/resources.ts';
import { demandsOf, type HostFacts } from '#src/planner/demands.ts';
import type { AdmissionView } from '#src/state/evaluate-admission.ts';
import type { PendingPod } from '#src/state/pending-pods.ts';
import { stateOf } from '../state/evaluating.ts';
import { pendingPod } from './make.ts';

const HOSTS: HostFacts = { labelsOf: (node) => ({ zone: node }), roomOn: () => 7 };
const SHARING = { sharing: { mps: { maxClients: 12 }, timeSlicing: { replicasPerGPU: 6 } } };

function viewOf(world: Parameters<typeof stateOf>[0] = {}): AdmissionView {
  return stateOf({ configuration: SHARING, ...world }).admission.view(world?.historyOf);
}

const VIEW = viewOf();

/** Keys of the pods of each demand. */
function keysOf(pods: readonly PendingPod[]): (readonly string[])[] {
  return demandsOf(pods, HOSTS, VIEW).demands.map(({ pods: keys }) => keys);
}

const { request: SHARED } = pendingPod('p');

tap.test('pods that ask for the same are one demand, in their order', async (t) => {
  t.strictSame(keysOf([pendingPod('b'), pendingPod('a')]), [['team/b', 'team/a']]);
});

const DIFFERENCES: readonly [what: string, other: Partial<PendingPod>][] = [
  ['the mode', { request: { ...SHARED, mode: 'mps' } }],
  ['declared memory', { request: { ...SHARED, slotMiB: 1 } }],
  ['a declared share', { request: { ...SHARED, slotMilli: 1 } }],
  ['the count', { request: { ...SHARED, resources: [{ resource: WHOLE_GPU, count: 2, largestContainer: 2 }] } }],
  ['nodes', { nodeConstraints: [[{ key: 'zone', operator: 'In', values: ['a'] }]] }],
  ['tolerations', { tolerations: [{ key: 'gpu', operator: 'Exists' }] }],
  ['cpu', { size: { cpu: 1, memory: 0, pods: 1 } }],
  ['the priority', { priority: 1 }],
];
for (const [what, other] of DIFFERENCES) {
  tap.test(`${what} keeps pods apart`, async (t) => {
    t.strictSame(keysOf([pendingPod('a'), pendingPod('b', other)]), [['team/a'], ['team/b']]);
  });
}

tap.test('where a pod may go: by labels, then by room', async (t) => {
  const nodeConstraints: PendingPod['nodeConstraints'] = [
    [{ key: 'zone', operator: 'In', values: ['a'] }],
    [{ key: 'zone', operator: 'In', values: ['b'] }],
  ];
  const { demands } = demandsOf([pendingPod('p', { nodeConstraints }), pendingPod('q')], HOSTS, VIEW);
  const rooms = demands.map(({ roomOn }) => ['a', 'b', 'c'].map(roomOn));
  t.strictSame(rooms, [
    [7, 7, 0],
    [7, 7, 7],
  ]);
});

tap.test('pods that ask for several kinds of GPUs are not planned for', async (t) => {
  const [part] = SHARED.resources;
  const resources = [...(part ? [part] : []), { resource: WHOLE_GPU, count: 1, largestContainer: 1 }];
  const { demands, refused } = demandsOf([pendingPod('p', { request: { ...SHARED, resources } })], HOSTS, VIEW);
  t.strictSame(demands, []);
  t.match(refused, [{ pods: ['team/p'], code: 'SeveralResources', why: /create a GPUNodeConfig/ }]);
});

tap.test('slots that would get around a quota for whole GPUs are not planned for', async (t) => {
  const { state, admission } = stateOf({ configuration: SHARING });
  const quota = (hard: object) => state.quotas.update({ metadata: { name: 'q', namespace: 'team' }, spec: { hard } });
  const answer = () => demandsOf([pendingPod('a'), pendingPod('b')], HOSTS, admission.view());
  quota({ 'requests.nvidia.com/gpu': '1' });
  t.strictSame(answer(), {
    demands: [],
    refused: [
      {
        pods: ['team/a', 'team/b'],
        code: 'UncountedByQuota',
        why: 'a ResourceQuota of the namespace counts nvidia.com/gpu, and not nvidia.com/gpu.shared',
      },
    ],
  });
  quota({ 'requests.nvidia.com/gpu': '1', 'requests.nvidia.com/gpu.shared': '4' });
  t.equal(answer().demands.length, 1);
});

const POLICIES = {
  few: { strategy: 'mps', podSelector: {}, mpsConfig: { maxClients: 3 } },
  slices: { strategy: 'timeslicing', podSelector: {}, timeSlicingConfig: { replicasPerGPU: 5 } },
};
const used = (mean: number, p95: number) =>
  viewOf({
    policies: POLICIES,
    historyOf: () => ({ known: true, history: { mean, p95, peakMiB: undefined, suitsMps: true } }),
  });
const plain = viewOf({ policies: POLICIES });
const mps = { request: { ...SHARED, mode: 'mps' } } as const;
const whole = { request: { ...SHARED, resources: [{ resource: WHOLE_GPU, count: 1, largestContainer: 1 }] } };
const REPLICAS: readonly [what: string, pod: Partial<PendingPod>, view: AdmissionView, replicas: number][] = [
  ['a whole GPU is for one', whole, plain, 1],
  ['without a mode, as many as time-slicing lets', {}, plain, 6],
  ['under MPS, as many as the table has at most', mps, plain, 8],
  ['under MPS, as many as its policy lets', { ...mps, policy: 'few' }, plain, 3],
  ['a policy of another mode says nothing', { ...mps, policy: 'slices' }, plain, 8],
  ['time-sliced, as many as its policy lets', { policy: 'slices' }, plain, 5],
  ['as many as its past bears', {}, used(0.3, 0.8), 4],
  ['and two at least, however busy it was', {}, used(0.9, 0.95), 2],
];
for (const [what, pod, view, replicas] of REPLICAS) {
  tap.test(`on one GPU: ${what}`, async (t) => {
    t.equal(demandsOf([pendingPod('p', pod)], HOSTS, view).demands[0]?.maxReplicas, replicas);
  });
}
