/** What besides GPUs decides whether a pod can go to a node. */

import tap from 'tap';
import { podSchema } from '#src/api/kubernetes.ts';
import { NodeResourceUsage, resourcesOf } from '#src/state/node-resource-usage.ts';
import { takeList } from '../../fakes/listing.ts';

const READY = [{ type: 'Ready', status: 'True' }];
const node = (name: string, more: { spec?: object; status?: object; labels?: Record<string, string> } = {}) => ({
  metadata: { name, labels: more.labels ?? {} },
  spec: more.spec ?? {},
  status: { allocatable: { cpu: '8', memory: '16Gi', pods: '10' }, conditions: READY, ...more.status },
});
const pod = (uid: string, nodeName: string | undefined, requests: Record<string, string>, phase = 'Running') => ({
  metadata: { uid, name: uid, namespace: 'team' },
  spec: { ...(nodeName && { nodeName }), containers: [{ name: 'c', resources: { requests } }] },
  status: { phase },
});
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
    const hosts = new NodeResourceUsage();
    takeList(hosts.nodes, [object]);
    takeList(hosts.pods, pods);
    t.equal(hosts.roomOn('n', size, []), room);
  });
}

tap.test('taints keep pods off that do not tolerate them; those that only prefer do not', async (t) => {
  const hosts = new NodeResourceUsage();
  const taint = { key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' };
  takeList(hosts.nodes, [
    node('tainted', { spec: { taints: [taint] } }),
    node('shy', { spec: { taints: [{ ...taint, effect: 'PreferNoSchedule' }] } }),
  ]);
  t.equal(hosts.roomOn('tainted', SMALL, []), 0);
  t.equal(hosts.roomOn('tainted', SMALL, [{ key: 'nvidia.com/gpu', operator: 'Exists' }]), 8);
  t.equal(hosts.roomOn('shy', SMALL, []), 8);
  t.equal(hosts.roomOn('unknown', SMALL, []), 0);
});

tap.test('pods that come, move and go are counted once', async (t) => {
  const hosts = new NodeResourceUsage();
  takeList(hosts.nodes, [node('n')]);
  hosts.pods.changed(pod('a', 'n', { cpu: '4' }));
  hosts.pods.changed(pod('a', 'n', { cpu: '2' }));
  t.equal(hosts.roomOn('n', SMALL, []), 6);
  hosts.pods.deleted(pod('a', 'n', { cpu: '2' }));
  hosts.pods.deleted(pod('a', 'n', { cpu: '2' }));
  t.equal(hosts.roomOn('n', SMALL, []), 8);
});

tap.test('the effective request: init containers peak, sidecars stay; a limit alone is a request', async (t) => {
  const container = (cpu: string, more: object = {}) => ({ name: 'c', resources: { requests: { cpu } }, ...more });
  const spec = {
    initContainers: [container('3'), container('500m', { restartPolicy: 'Always' })],
    containers: [container('1'), { name: 'd', resources: { limits: { cpu: '1', memory: '2Gi' } } }],
  };
  t.same(resourcesOf(podSchema.parse({ metadata: {}, spec })), { cpu: 3_000, memory: 2_048, pods: 1 });
});
