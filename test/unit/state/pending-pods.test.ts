/** Which pods the planner answers. */

import tap from 'tap';
import { PendingPods } from '#src/state/pending-pods.ts';
import { type WaitingPodOptions, waitingPod } from '../../objects/pods.ts';
import { quietState } from '../../objects/records.ts';

const CASES: readonly [sentence: string, answered: boolean, made: WaitingPodOptions][] = [
  ['kube-scheduler counts too few slots', true, {}],
  ['it has whole GPUs in mind', true, { resources: { 'nvidia.com/gpu': 1 } }],
  [
    'our extender has refused the mode of every node',
    true,
    { message: '0/1 nodes are available: 1 WrongMode: the pod was admitted for MPS, the node shares by time-slicing.' },
  ],
  [
    'one reason among others',
    true,
    { message: '0/4 nodes are available: 1 Insufficient cpu, 3 Insufficient nvidia.com/gpu.shared.' },
  ],
  [
    'nodes that are not ours mention a GPU',
    false,
    { message: '0/2 nodes are available: 2 node(s) had untolerated taint {reserved: GPU-team}.' },
  ],
  [
    'another plugin speaks of a GPU',
    false,
    { message: '0/1 nodes are available: 1 node(s) did not have enough GPU bandwidth.' },
  ],
  ['cpu alone', false, { message: '0/3 nodes are available: 3 Insufficient cpu.' }],
  ['a volume', false, { message: '0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.' }],
  ['a selector', false, { message: "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector." }],
  ['others keep it back', false, { reason: 'SchedulingGated', spec: { schedulingGates: [{ name: 'quota' }] } }],
  ['others keep it back, whatever the condition says', false, { spec: { schedulingGates: [{ name: 'quota' }] } }],
  ['it was not tried yet', false, { status: { conditions: [] } }],
  ['it is placed', false, { spec: { nodeName: 'n' } }],
  ['it is over', false, { status: { phase: 'Failed' } }],
  ['it is on its way out', false, { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }],
  [
    'it asks for no GPU',
    false,
    { resources: { cpu: 1 }, message: '0/3 nodes are available: 3 Insufficient nvidia.com/gpu.' },
  ],
];
for (const [sentence, answered, made] of CASES) {
  tap.test(`${answered ? 'answered' : 'left alone'}: ${sentence}`, async (t) => {
    const { pods } = quietState();
    const pending = new PendingPods(pods, () => {});
    pods.update(waitingPod('a', made));
    t.equal(pending.size, answered ? 1 : 0);
  });
}

tap.test('in the order of priority, then age, then name', async (t) => {
  const { pods } = quietState();
  const pending = new PendingPods(pods, () => {});
  const at = (creationTimestamp: string) => ({ metadata: { creationTimestamp } });
  pods.update(waitingPod('young', at('2026-01-03T00:00:00Z')));
  pods.update(waitingPod('b', at('2026-01-01T00:00:00Z')));
  pods.update(waitingPod('a', at('2026-01-01T00:00:00Z')));
  pods.update(waitingPod('urgent', { ...at('2026-01-04T00:00:00Z'), spec: { priority: 10 } }));
  t.strictSame(
    pending.inOrder().map(({ name }) => name),
    ['urgent', 'a', 'b', 'young'],
  );
});

tap.test('another try in vain is no change, and wakes nobody', async (t) => {
  let changes = 0;
  const { pods } = quietState();
  const pending = new PendingPods(pods, () => {
    changes += 1;
  });
  pods.update(waitingPod('a'));
  pods.update(waitingPod('a', { message: '0/4 nodes are available: 4 Insufficient nvidia.com/gpu.shared.' }));
  t.equal(changes, 1);
  pods.update(waitingPod('a', { spec: { nodeName: 'n' } }));
  t.equal(changes, 2);
  t.equal(pending.size, 0);
});
