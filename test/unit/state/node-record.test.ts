/** A GPU node as it is read from its API object. */

import fc from 'fast-check';
import tap from 'tap';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { DISCOVERED, exclusiveNode } from '../../objects/nodes.ts';
import { inventoryIn, nodeRecord, quietState } from '../../objects/records.ts';

const GPU = 'nvidia.com/gpu';
const MIG_1G = 'nvidia.com/mig-1g.5gb';

const node = (allocatable: Record<string, string> | null, labels: Record<string, string> = {}, rest = {}) =>
  inventoryIn({
    metadata: { name: 'gpu-node-01', labels: { ...DISCOVERED, ...labels }, ...rest },
    status: { allocatable },
  });

tap.test('a node is what its labels and its allocatable say', async (t) => {
  const creationTimestamp = '2026-01-01T00:00:00Z';
  t.strictSame(node({ cpu: '64', [GPU]: '2', 'amd.com/gpu': '8' }, {}, { creationTimestamp }), {
    name: 'gpu-node-01',
    createdAt: Date.UTC(2026, 0, 1),
    product: 'NVIDIA-A100-SXM4-40GB',
    gpus: 2,
    gpuMiB: 40_960,
    inTransition: false,
    pools: [
      { resource: WHOLE_GPU, mode: 'exclusive', slots: 2, slotsPerGpu: [1, 1], slotMilli: 1_000, slotMiB: 40_960 },
    ],
  });
});

tap.test('a node is in transition while mig-manager is at work', async (t) => {
  const states = { pending: true, rebooting: true, success: false, failed: false };
  for (const [state, inTransition] of Object.entries(states)) {
    t.equal(node({ [GPU]: '2' }, { 'nvidia.com/mig.config.state': state })?.inTransition, inTransition, state);
  }
});

tap.test('mig-manager is believed for a quarter of an hour: who takes it away leaves its word behind', async (t) => {
  const minutes = (count: number) => count * 60_000;
  const complaints: object[] = [];
  const state = new ClusterState((_, details) => void complaints.push(details));
  const put = (migState: string, { gpus = 2, annotations = {} } = {}) => {
    const { metadata, ...rest } = exclusiveNode({
      name: 'n',
      gpus,
      labels: { 'nvidia.com/mig.config.state': migState },
    });
    state.nodes.update({ ...rest, metadata: { ...metadata, annotations } });
  };
  const waits = () => state.ledger.find('n')?.inventory?.inTransition;
  const at = (count: number) => {
    state.passTime(minutes(count));
    return waits();
  };
  put('pending');
  t.strictSame([at(100), at(114), at(115)], [true, true, false]);
  t.match(complaints, [{ node: 'n', 'nvidia.com/mig.config.state': 'pending' }]);
  put('pending', { gpus: 4 });
  t.strictSame([waits(), at(200)], [false, false], 'another event does not make it credible');
  put('rebooting');
  t.strictSame([waits(), at(300), at(314), at(315)], [true, true, true, false], 'another word does');
  put('success');
  put('pending');
  t.strictSame([waits(), at(330)], [true, true], 'so does a new change');
  put('pending', { annotations: { 'gpu-autoscaler.io/transition': '{}' } });
  t.strictSame([at(400), at(500)], [true, true], 'our own word holds');
  t.equal(complaints.length, 3);
});

tap.test('the sharing strategy is told in the words of GPU Feature Discovery', async (t) => {
  const modes = { mps: 'mps', 'time-slicing': 'timeslicing' };
  for (const [strategy, mode] of Object.entries(modes)) {
    const labels = { 'nvidia.com/gpu.sharing-strategy': strategy, 'nvidia.com/gpu.replicas': '4' };
    t.match(node({ [SHARED_GPU]: '8' }, labels)?.pools, [{ mode, slotsPerGpu: [4, 4], slotMilli: 250 }], strategy);
    t.match(node({ [GPU]: '8' }, labels)?.pools, [{ mode, slotsPerGpu: [4, 4] }], `${strategy}, plain name`);
  }
});

tap.test('without a strategy or without replicas, the plain name stands for whole GPUs', async (t) => {
  const strategies = [
    { 'nvidia.com/gpu.sharing-strategy': 'none', 'nvidia.com/gpu.replicas': '4' },
    { 'nvidia.com/gpu.sharing-strategy': 'magic', 'nvidia.com/gpu.replicas': '4' },
    { 'nvidia.com/gpu.sharing-strategy': 'mps', 'nvidia.com/gpu.replicas': '' },
  ];
  for (const labels of strategies) {
    t.match(node({ [GPU]: '2' }, labels)?.pools, [{ mode: 'exclusive', slotMilli: 1_000 }], JSON.stringify(labels));
  }
});

tap.test('an ill GPU shows in the slots, not in the labels', async (t) => {
  const labels = { 'nvidia.com/gpu.sharing-strategy': 'time-slicing', 'nvidia.com/gpu.replicas': '4' };
  t.match(node({ [GPU]: '4' }, labels)?.pools, [{ mode: 'timeslicing', slotsPerGpu: [4, 0], slotMilli: 250 }]);
});

tap.test('the memory of a MIG instance is read from the label of its resource', async (t) => {
  const labels = { 'nvidia.com/mig-1g.5gb.memory': '4864', 'nvidia.com/mig-1g.5gb.me.memory': '4800' };
  const pools = node({ [MIG_1G]: '12', 'nvidia.com/mig-1g.5gb.me': '2' }, labels)?.pools;
  t.strictSame(
    pools?.map(({ slotMiB }) => slotMiB),
    [4_864, 4_800],
  );
});

tap.test('a node that offers nothing of a GPU is no node of ours', async (t) => {
  const strangers = [
    { metadata: { name: 'n' } },
    { metadata: { name: 'n', labels: null }, status: null },
    { metadata: { name: 'n' }, status: { allocatable: null } },
    { metadata: { name: 'n' }, status: { allocatable: { cpu: '64', 'amd.com/gpu': '8' } } },
    { metadata: { name: 'n' }, status: { allocatable: { [GPU]: '0' } } },
  ];
  for (const stranger of strangers) t.equal(nodeRecord(stranger)?.inventory, undefined, JSON.stringify(stranger));
});

tap.test('a node that is known by its labels alone offers no slot', async (t) => {
  t.match(node(null), { gpus: 2, pools: [] });
  t.match(node({ [GPU]: '0' }), { gpus: 2, pools: [] });
});

tap.test('labels that cannot be read count as absent, and the product tells what it can', async (t) => {
  const unreadable = ['', '0', '-1', '2.5', '1e3', '0x2', ' 2', 'two', 'NaN', '99999999999999999999'];
  for (const text of unreadable) {
    const labels = { 'nvidia.com/gpu.count': text, 'nvidia.com/gpu.memory': text, 'nvidia.com/gpu.replicas': text };
    const seen = node({ [GPU]: '3', [MIG_1G]: '1' }, { ...labels, 'nvidia.com/mig-1g.5gb.memory': text });
    t.match(
      seen,
      { gpus: 1, gpuMiB: 40_960, pools: [{ slots: 3, slotMilli: 0 }, { slotMiB: 4_864 }] },
      JSON.stringify(text),
    );
  }
});

tap.test('labels are only text: none of them sizes anything without bound', async (t) => {
  t.equal(node({ [GPU]: '2' }, { 'nvidia.com/gpu.count': '1025' })?.gpus, 0, 'more GPUs than any machine has');
  for (const count of [1, 1_024]) t.equal(node({ [GPU]: '2' }, { 'nvidia.com/gpu.count': `${count}` })?.gpus, count);
  const replicas = { 'nvidia.com/gpu.replicas': '1001', 'nvidia.com/gpu.sharing-strategy': 'mps' };
  t.match(node({ [SHARED_GPU]: '8' }, replicas)?.pools, [{ slotMilli: 250 }], 'more slots than a GPU can have');
  const most = { ...replicas, 'nvidia.com/gpu.replicas': '1000' };
  t.match(node({ [SHARED_GPU]: '2000' }, most)?.pools, [{ slotsPerGpu: [1_000, 1_000], slotMiB: 40 }]);
});

tap.test('an allocatable count that cannot be read is no slot', async (t) => {
  for (const text of ['-1', '0.5', 'many', '', '1e400', '9007199254740991']) {
    t.strictSame(node({ [GPU]: text })?.pools, [], JSON.stringify(text));
  }
});

tap.test('a creation time that cannot be read is the oldest', async (t) => {
  for (const creationTimestamp of [undefined, null, '', 'yesterday']) {
    t.equal(node({ [GPU]: '2' }, {}, { creationTimestamp })?.createdAt, 0, String(creationTimestamp));
  }
});

tap.test('whatever its labels and quantities say, a node is read without an error', async () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('1', '8', '-1', '0.5', 'mps', '1e400', '4'));
  const resource = fc.constantFrom(GPU, SHARED_GPU, MIG_1G, 'cpu', '__proto__', 'nvidia.com/mig-1g.5gb.me');
  const labels = fc.dictionary(fc.constantFrom(...Object.keys(DISCOVERED), 'nvidia.com/mig-1g.5gb.memory'), text);
  fc.assert(
    fc.property(labels, fc.dictionary(resource, text), (labels, allocatable) => {
      nodeRecord({ metadata: { name: 'any', labels, creationTimestamp: 'any' }, status: { allocatable } });
    }),
    { numRuns: 500 },
  );
});

tap.test('the product is the same everywhere, without what a device plugin adds to its name', async (t) => {
  for (const suffix of ['', '-SHARED']) {
    const labels = { ...DISCOVERED, 'nvidia.com/gpu.product': `NVIDIA-A100-SXM4-40GB${suffix}` };
    const record = nodeRecord({ metadata: { name: 'n', labels }, status: { allocatable: { [GPU]: '2' } } });
    t.equal(record?.inventory?.product, 'NVIDIA-A100-SXM4-40GB');
    t.equal(record?.observed.gpus?.product, 'NVIDIA-A100-SXM4-40GB');
  }
});

tap.test('a heartbeat makes no new record', async (t) => {
  const { nodes } = quietState();
  const beat = (n: number) => ({
    metadata: { name: 'n', resourceVersion: String(n), labels: DISCOVERED, annotations: { beat: String(n) } },
    status: {
      allocatable: { [GPU]: '2' },
      conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: String(n) }],
    },
  });
  nodes.update(beat(1));
  const before = nodes.get('n');
  nodes.update(beat(2));
  t.equal(nodes.get('n'), before);
  t.equal(nodes.versionOf('n'), '2', 'the next patch is one of the newest object');
});

tap.test('oversubscribe: each time-slice has the memory of the whole GPU, also on nodes that are known', async (t) => {
  const labels = { ...DISCOVERED, 'nvidia.com/gpu.sharing-strategy': 'time-slicing', 'nvidia.com/gpu.replicas': '4' };
  const object = { metadata: { name: 'n', labels }, status: { allocatable: { [SHARED_GPU]: '8' } } };
  const slotMiB = (options = {}) => inventoryIn(object, options)?.pools[0]?.slotMiB;
  t.equal(slotMiB(), 10_240);
  t.equal(slotMiB({ oversubscribe: true }), 40_960);
  const state = quietState();
  state.nodes.update(object);
  state.configure({ oversubscribe: true });
  t.equal(state.nodes.get('n')?.inventory?.pools[0]?.slotMiB, 40_960);
  t.equal(state.ledger.load('n')?.inventory.pools[0]?.slotMiB, 40_960);
});
