/** API objects as records of the core: what is read, what is refused, what is left out. */

import fc from 'fast-check';
import tap from 'tap';
import { ApiError } from '#src/api/errors.ts';
import { type Container, nodeSchema, type Pod, podSchema } from '#src/api/kubernetes.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { projectNode, projectPod, requestOf } from '#src/state/projection.ts';

const GPU = 'nvidia.com/gpu';
const MIG_1G = 'nvidia.com/mig-1g.5gb';
const asks = (requests: Record<string, string>, limits?: Record<string, string>): Container => ({
  name: 'main',
  resources: { requests, limits },
});

function pod(
  parts: { metadata?: Partial<Pod['metadata']>; spec?: Partial<Pod['spec']>; status?: Pod['status'] } = {},
): Pod {
  return {
    metadata: { name: 'job', namespace: 'team', uid: 'uid-1', ...parts.metadata },
    spec: { containers: [asks({ [GPU]: '1' })], ...parts.spec },
    status: parts.status,
  };
}

tap.test('a pod is its identity, its node, its request and its wishes', async (t) => {
  const annotations = {
    'gpu-autoscaler.io/optimization-strategy': 'mps',
    'gpu-autoscaler.io/gpu-memory': '8Gi',
    'gpu-autoscaler.io/gpu-fraction': '0.25',
  };
  const spec = { nodeName: 'gpu-node-01', containers: [asks({ [SHARED_GPU]: '1', cpu: '4', memory: '1Gi' })] };
  t.strictSame(projectPod(pod({ metadata: { annotations }, spec, status: { phase: 'Running' } })), {
    uid: 'uid-1',
    key: 'team/job',
    node: 'gpu-node-01',
    finished: false,
    request: {
      resources: [{ resource: SHARED_GPU, count: 1, largestContainer: 1 }],
      mode: 'mps',
      slotMiB: 8_192,
      slotMilli: 250,
    },
    faults: [],
    record: undefined,
  });
});

tap.test('a pod that says little is still a pod', async (t) => {
  const bare = projectPod(podSchema.parse({ metadata: {}, spec: { containers: [{}] } }));
  const request = { resources: [], mode: undefined, slotMiB: undefined, slotMilli: undefined };
  t.strictSame(bare, { uid: '', key: '/', node: undefined, finished: false, request, faults: [], record: undefined });
});

tap.test('GPUs are free again when the pod has finished, and not before', async (t) => {
  const phases = { Succeeded: true, Failed: true, Running: false, Pending: false, Unknown: false, '': false };
  for (const [phase, finished] of Object.entries(phases)) {
    t.equal(projectPod(pod({ status: { phase } })).finished, finished, phase || 'no phase');
  }
  const terminating = pod({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' }, status: { phase: 'Running' } });
  t.equal(projectPod(terminating).finished, false, 'a terminating pod still computes');
  t.equal(projectPod(pod({ status: null })).finished, false);
});

tap.test('a pod without a node has none, however that is written', async (t) => {
  for (const nodeName of [undefined, null, '']) t.equal(projectPod(pod({ spec: { nodeName } })).node, undefined);
});

tap.test('wishes that cannot be read are faults, and the request stands', async (t) => {
  const { faults, request } = projectPod(
    pod({ metadata: { annotations: { 'gpu-autoscaler.io/gpu-memory': 'much' } } }),
  );
  t.strictSame(faults, ['gpu-autoscaler.io/gpu-memory: "much" is not a Kubernetes quantity']);
  t.match(request, { resources: [{ resource: GPU, count: 1 }], slotMiB: undefined });
});

tap.test('the allocation record is read; a broken one is none', async (t) => {
  const record = {
    v: 1,
    node: 'n',
    strategy: 'bestfit',
    mode: 'mps',
    resource: SHARED_GPU,
    count: 1,
    milliGpu: 250,
    gpus: [3],
  };
  const carrying = (text: string) =>
    projectPod(pod({ metadata: { annotations: { 'gpu-autoscaler.io/allocation': text } } }));
  t.strictSame(carrying(JSON.stringify(record)).record, record);
  t.equal(carrying('{').record, undefined);
});

const requests: readonly [says: string, spec: Partial<Pod['spec']>, counts: Record<string, number>][] = [
  ['a request without a limit is what people write', { containers: [asks({ [GPU]: '2' })] }, { [GPU]: 2 }],
  [
    'a limit without a request is defaulted by the API server',
    { containers: [asks({}, { [GPU]: '2' })] },
    { [GPU]: 2 },
  ],
  ['where both are written, the request counts', { containers: [asks({ [GPU]: '1' }, { [GPU]: '2' })] }, { [GPU]: 1 }],
  ['any spelling of a whole number', { containers: [asks({ [GPU]: '1e0' }), asks({ [GPU]: '2000m' })] }, { [GPU]: 3 }],
  ['nothing of a GPU', { containers: [asks({ cpu: '1', memory: '1Gi', 'amd.com/gpu': '1' })] }, {}],
  ['what is no GPU may be any text', { containers: [asks({ [GPU]: '1', cpu: 'much' })] }, { [GPU]: 1 }],
  ['none asked for', { containers: [asks({ [GPU]: '0' })] }, {}],
  ['several resources', { containers: [asks({ [MIG_1G]: '2', [SHARED_GPU]: '1' })] }, { [SHARED_GPU]: 1, [MIG_1G]: 2 }],
  ['an init container', { initContainers: [asks({ [GPU]: '4' })] }, { [GPU]: 4 }],
  ['a sidecar', { initContainers: [{ ...asks({ [GPU]: '4' }), restartPolicy: 'Always' }] }, { [GPU]: 5 }],
  ['no sidecar', { initContainers: [{ ...asks({ [GPU]: '4' }), restartPolicy: 'OnFailure' }] }, { [GPU]: 4 }],
  ['nothing said of init containers', { initContainers: null }, { [GPU]: 1 }],
];
for (const [says, spec, counts] of requests) {
  tap.test(`request: ${says}`, async (t) => {
    const resources = requestOf(pod({ spec }));
    t.strictSame(Object.fromEntries(resources.map(({ resource, count }) => [resource, count])), counts);
  });
}

tap.test('a GPU quantity that cannot be read is an error that names its place', async (t) => {
  const cases: readonly [text: string, reason: string][] = [
    ['0.5', '"0.5" is not a whole number'],
    ['-1', '"-1" is negative'],
    ['one', '"one" is not a Kubernetes quantity'],
    ['1e400', '"1e400" is too large'],
    ['9007199254740991', '"9007199254740991" is too large'],
  ];
  for (const [text, reason] of cases) {
    const expected = new ApiError('InvalidQuantity', `container main, nvidia.com/gpu: ${reason}`);
    for (const spec of [{ containers: [asks({ [GPU]: text })] }, { initContainers: [asks({}, { [GPU]: text })] }]) {
      t.throws(() => projectPod(pod({ spec })), { code: 'InvalidQuantity', message: expected.message });
    }
  }
  const nameless = { containers: [{ resources: { requests: { [GPU]: 'x' } } }] };
  t.throws(() => requestOf(pod({ spec: nameless })), { message: /container \?, nvidia.com\/gpu: "x"/ });
});

const LABELS = {
  'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-40GB',
  'nvidia.com/gpu.count': '2',
  'nvidia.com/gpu.memory': '40960',
  'nvidia.com/gpu.replicas': '1',
  'nvidia.com/gpu.sharing-strategy': 'none',
};
const node = (allocatable: Record<string, string> | null, labels: Record<string, string> = {}, rest = {}) =>
  projectNode({
    metadata: { name: 'gpu-node-01', labels: { ...LABELS, ...labels }, ...rest },
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
  for (const stranger of strangers)
    t.equal(projectNode(nodeSchema.parse(stranger)), undefined, JSON.stringify(stranger));
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
      { gpus: 4, gpuMiB: 40_960, pools: [{ slots: 3, slotMilli: 1_000 }, { slotMiB: 4_864 }] },
      JSON.stringify(text),
    );
  }
});

tap.test('labels are only text: none of them sizes anything without bound', async (t) => {
  t.equal(node({ [GPU]: '2' }, { 'nvidia.com/gpu.count': '1025' })?.gpus, 2, 'more GPUs than any machine has');
  for (const count of [1, 1_024]) t.equal(node({ [GPU]: '2' }, { 'nvidia.com/gpu.count': `${count}` })?.gpus, count);
  const replicas = { 'nvidia.com/gpu.replicas': '1025', 'nvidia.com/gpu.sharing-strategy': 'mps' };
  t.match(node({ [SHARED_GPU]: '8' }, replicas)?.pools, [{ slotMilli: 250 }], 'more slots than a GPU can have');
  const most = { ...replicas, 'nvidia.com/gpu.replicas': '1024' };
  t.match(node({ [SHARED_GPU]: '2048' }, most)?.pools, [{ slotsPerGpu: [1_024, 1_024], slotMiB: 40 }]);
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

tap.test('any pod and any node that pass the edge are projected, or refused by the table of errors', async () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('1', '8', '-1', '0.5', 'mps', '1e400', '4'));
  const resource = fc.constantFrom(GPU, SHARED_GPU, MIG_1G, 'cpu', '__proto__', 'nvidia.com/mig-1g.5gb.me');
  const quantities = fc.dictionary(resource, text);
  const labels = fc.dictionary(fc.constantFrom(...Object.keys(LABELS), 'nvidia.com/mig-1g.5gb.memory'), text);
  const container = fc.record({
    resources: fc.record({ requests: quantities, limits: quantities }),
    restartPolicy: text,
  });
  const containers = fc.array(container, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(labels, quantities, containers, containers, (labels, allocatable, containers, initContainers) => {
      const name = 'any';
      projectNode(nodeSchema.parse({ metadata: { name, labels, creationTimestamp: name }, status: { allocatable } }));
      try {
        projectPod(
          podSchema.parse({ metadata: { labels, annotations: labels }, spec: { containers, initContainers } }),
        );
        return true;
      } catch (error) {
        return error instanceof ApiError && error.code === 'InvalidQuantity';
      }
    }),
    { numRuns: 500 },
  );
});
