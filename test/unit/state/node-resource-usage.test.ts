/** What besides GPUs decides whether a pod can go to a node. */

import tap from 'tap';
import { takeList } from '../../fakes/listing.ts';
import { storedPod } from '../../objects/pods.ts';
import { quietState } from '../../objects/records.ts';

const READY = [{ type: 'Ready', status: 'True' }];
const node = (name: string, more: { spec?: object; status?: object; labels?: Record<string, string> } = {}) => ({
  metadata: { name, labels: { 'nvidia.com/gpu.count': '1', ...more.labels } },
  spec: more.spec ?? {},
  status: { allocatable: { cpu: '8', memory: '16Gi', pods: '10' }, conditions: READY, ...more.status },
});
const pod = (name: string, nodeName: string | undefined, resources: Record<string, string>, phase = 'Running') =>
  storedPod({ name, nodeName, resources, phase });
const SMALL = { cpu: 1_000, memory: 1_024, pods: 1 };

const ROOMS: readonly [sentence: string, node: object, pods: object[], size: typeof SMALL, room: number][] = [
  ['an empty node: as many as its cpu holds', node('n'), [], SMALL, 8],
  ['memory may be scarcer', node('n'), [], { ...SMALL, memory: 8_192 }, 2],
  ['or the number of pods', node('n'), [], { cpu: 1, memory: 1, pods: 1 }, 10],
  ['what others have asked for is gone', node('n'), [pod('a', 'n', { cpu: '6500m' })], SMALL, 1],
  ['pods that are over hold nothing', node('n'), [pod('a', 'n', { cpu: '8' }, 'Succeeded')], SMALL, 8],
  ['nor do pods that are nowhere', node('n'), [pod('a', undefined, { cpu: '8' })], SMALL, 8],
  ['more than there is: none', node('n'), [pod('a', 'n', { cpu: '12' })], SMALL, 0],
  ['a cordoned node takes none', node('n', { spec: { unschedulable: true } }), [], SMALL, 0],
  [
    'nor one that is not ready',
    node('n', { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }),
    [],
    SMALL,
    0,
  ],
  ['nor one that says nothing of itself', { metadata: { name: 'n' } }, [], SMALL, 0],
  ['a pod that asks for nothing is held by its number', node('n'), [], { cpu: 0, memory: 0, pods: 1 }, 10],
];
for (const [sentence, object, pods, size, room] of ROOMS) {
  tap.test(sentence, async (t) => {
    const { usage, nodes, pods: store } = quietState();
    takeList(nodes, [object]);
    takeList(store, pods);
    t.equal(usage.roomOn('n', size, []), room);
  });
}

tap.test('taints keep pods off that do not tolerate them; those that only prefer do not', async (t) => {
  const { usage, nodes } = quietState();
  const taint = { key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' };
  takeList(nodes, [
    node('tainted', { spec: { taints: [taint] } }),
    node('shy', { spec: { taints: [{ ...taint, effect: 'PreferNoSchedule' }] } }),
  ]);
  t.equal(usage.roomOn('tainted', SMALL, []), 0);
  t.equal(usage.roomOn('tainted', SMALL, [{ key: 'nvidia.com/gpu', operator: 'Exists' }]), 8);
  t.equal(usage.roomOn('shy', SMALL, []), 8);
  t.equal(usage.roomOn('unknown', SMALL, []), 0);
});

tap.test('pods that come, move and go are counted once', async (t) => {
  const { usage, nodes, pods } = quietState();
  takeList(nodes, [node('n')]);
  pods.update(pod('a', 'n', { cpu: '4' }));
  pods.update(pod('a', 'n', { cpu: '2' }));
  t.equal(usage.roomOn('n', SMALL, []), 6);
  pods.delete(pod('a', 'n', { cpu: '2' }));
  pods.delete(pod('a', 'n', { cpu: '2' }));
  t.equal(usage.roomOn('n', SMALL, []), 8);
});
