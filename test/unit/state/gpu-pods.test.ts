/** Who holds GPUs where, and who of them may be evicted. */

import tap from 'tap';
import { GpuPods } from '#src/state/gpu-pods.ts';
import { takeList } from '../../fakes/listing.ts';
import { storedPod } from '../../objects/pods.ts';
import { quietState } from '../../objects/records.ts';

const GPU = 'nvidia.com/gpu';

interface Parts {
  readonly uid?: string;
  readonly metadata?: object;
  readonly node?: string;
  readonly phase?: string;
  readonly limits?: Record<string, string>;
  readonly init?: Record<string, string>;
}

function pod({ uid = 'u', node = 'a', limits = { [GPU]: '2' }, init, ...more }: Parts = {}): object {
  const spec = init && { initContainers: [{ name: 'i', resources: { limits: init } }] };
  return storedPod({ name: 'p', uid, nodeName: node, resources: limits, spec, ...more });
}

const owned = (kind: string, controller = true) => ({ ownerReferences: [{ kind, name: 'o', controller }] });

function setUp() {
  const changed: string[] = [];
  const store = quietState().pods;
  const pods = new GpuPods(store, (node) => changed.push(node));
  return { store, pods, changed, told: () => changed.splice(0) };
}

tap.test('which pods hold GPUs', async (t) => {
  const cases: readonly [says: string, parts: Parts, resources: object | undefined][] = [
    ['one that runs', {}, { [GPU]: 2 }],
    ['one that is bound and has not begun', { phase: 'Pending' }, { [GPU]: 2 }],
    ['one whose kubelet is silent', { phase: 'Unknown' }, { [GPU]: 2 }],
    ['one that is on its way out', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }, { [GPU]: 2 }],
    ['not one that has ended', { phase: 'Succeeded' }, undefined],
    ['nor one that has failed', { phase: 'Failed' }, undefined],
    ['nor one that is nowhere', { node: '' }, undefined],
    ['nor one that asks for no GPU', { limits: { cpu: '1' } }, undefined],
    ['nor one that asks for none of them', { limits: { [GPU]: '0' } }, undefined],
    ['instances', { limits: { 'nvidia.com/mig-1g.5gb.me': '1', cpu: '1' } }, { 'nvidia.com/mig-1g.5gb.me': 1 }],
    ['what its init containers hold', { limits: {}, init: { [GPU]: '1' } }, { [GPU]: 1 }],
    ['a name that we do not know', { limits: { 'nvidia.com/gpu-large': '1' } }, { '*': 1 }],
    ['the same beside one that we know', { limits: { [GPU]: '1', 'nvidia.com/gpumem': '9' } }, { [GPU]: 1, '*': 1 }],
    ['what nobody can read may be anything', { limits: { 'nvidia.com/gpu.shared': 'x' } }, { '*': 1 }],
  ];
  for (const [says, parts, resources] of cases) {
    const { store, pods } = setUp();
    store.update(pod(parts));
    t.strictSame(pods.on('a')[0]?.resources, resources, says);
  }
  const { store, pods } = setUp();
  for (const rubbish of [undefined, {}, { metadata: {} }, { ...pod(), spec: {} }, pod({ uid: '' })])
    store.update(rubbish);
  t.strictSame(pods.on('a'), []);
});

tap.test('which of them stay, as kubectl drain has it', async (t) => {
  const cases: readonly [says: string, metadata: object, stays: RegExp | undefined][] = [
    ['of a ReplicaSet', owned('ReplicaSet'), undefined],
    ['of a Job', owned('Job'), undefined],
    ['a bare pod', {}, /^has no controller that would make it again elsewhere: delete it yourself$/],
    ['owned, but not controlled', owned('ReplicaSet', false), /^has no controller/],
    ['of a DaemonSet', owned('DaemonSet'), /^belongs to DaemonSet o, which would make it again on the node$/],
    [
      'a static pod',
      { ...owned('Node'), annotations: { 'kubernetes.io/config.mirror': '' } },
      /^is a static pod of its kubelet$/,
    ],
  ];
  for (const [says, metadata, stays] of cases) {
    const { store, pods } = setUp();
    store.update(pod({ metadata }));
    t.match(pods.on('a')[0], { uid: 'u', namespace: 'team', name: 'p', terminating: false }, says);
    t.match(pods.on('a')[0]?.nonEvictableReason, stays ?? undefined, says);
    if (!stays) t.equal(pods.on('a')[0]?.nonEvictableReason, undefined, says);
  }
});

tap.test('a node is told of whenever its holders change, and only then', async (t) => {
  const { store, pods, told } = setUp();
  store.update(pod());
  t.strictSame(told(), ['a']);
  store.update(pod({ metadata: { annotations: { seen: 'now' }, resourceVersion: '2' } }));
  t.strictSame(told(), [], 'what others write there is none of its business');
  store.update(pod({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }));
  t.strictSame(told(), ['a']);
  t.ok(pods.on('a')[0]?.terminating);
  store.update(pod({ phase: 'Failed' }));
  t.strictSame(told(), ['a']);
  t.strictSame(pods.on('a'), []);
  store.delete(pod({ phase: 'Failed' }));
  t.strictSame(told(), [], 'it had gone before');
});

tap.test('another pod of the same name is another', async (t) => {
  const { store, pods } = setUp();
  store.update(pod({ uid: 'u' }));
  store.update(pod({ uid: 'v', node: 'b' }));
  store.delete(pod({ uid: 'u' }));
  t.strictSame(pods.on('a'), []);
  t.strictSame(
    pods.on('b').map(({ uid }) => uid),
    ['v'],
  );
});

tap.test('a list takes away what it does not hold', async (t) => {
  const { store, pods, told } = setUp();
  takeList(store, [pod({ uid: 'u' }), pod({ uid: 'v' }), pod({ uid: 'w', node: 'b' })]);
  told();
  takeList(store, [pod({ uid: 'v' }), pod({ uid: 'w', node: 'b' })]);
  t.strictSame(told(), ['a']);
  t.equal(pods.on('a').length, 1);
  t.strictSame(pods.on('c'), []);
});
