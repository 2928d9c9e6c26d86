/** What a pod asks for of GPUs: what is read, and what is refused. */

import fc from 'fast-check';
import tap from 'tap';
import { ApiError } from '#src/api/errors.ts';
import { type Container, type Pod, podSchema } from '#src/api/kubernetes.ts';
import { SEVERAL_USERS } from '#src/core/request.ts';
import { SHARED_GPU } from '#src/core/resources.ts';
import { gpuRequestOf, requestOf } from '#src/state/gpu-request.ts';

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

tap.test('a request is what the pod asks for and what admission promised', async (t) => {
  const annotations = {
    'gpu-autoscaler.io/optimization-strategy': 'mps',
    'gpu-autoscaler.io/gpu-memory': '8Gi',
    'gpu-autoscaler.io/gpu-fraction': '0.25',
  };
  const spec = { containers: [asks({ [SHARED_GPU]: '1', cpu: '4', memory: '1Gi' })] };
  t.strictSame(gpuRequestOf(pod({ metadata: { annotations }, spec })), {
    resources: [{ resource: SHARED_GPU, count: 1, largestContainer: 1 }],
    mode: 'mps',
    slotMiB: 8_192,
    slotMilli: 250,
    user: 0,
  });
});

tap.test('the user of its processes, where it may hold slots by MPS', async (t) => {
  const shares = (securityContext?: object) => ({ ...asks({ [SHARED_GPU]: '1' }), securityContext });
  const other = { ...asks({ cpu: '1' }), securityContext: { runAsUser: 7 } };
  const cases: readonly [says: string, spec: Partial<Pod['spec']>, user: number | undefined][] = [
    ['unknown means root', { containers: [shares()] }, 0],
    ['by the pod', { securityContext: { runAsUser: 1000 }, containers: [shares()] }, 1000],
    ['by the container first', { securityContext: { runAsUser: 1000 }, containers: [shares({ runAsUser: 5 })] }, 5],
    ['of containers with GPUs alone', { containers: [other, shares({ runAsUser: 5 })] }, 5],
    ['several', { containers: [shares({ runAsUser: 5 }), shares()] }, SEVERAL_USERS],
    ['an init container has gone by then', { initContainers: [shares({ runAsUser: 5 })], containers: [shares()] }, 0],
    ['unless it alone holds a slot', { initContainers: [shares({ runAsUser: 5 })], containers: [other] }, 5],
    [
      'a sidecar counts',
      { initContainers: [{ ...shares({ runAsUser: 5 }), restartPolicy: 'Always' }], containers: [shares()] },
      SEVERAL_USERS,
    ],
    [
      'one that asks for none holds none',
      { containers: [shares({ runAsUser: 5 }), { ...asks({ [SHARED_GPU]: '0' }) }] },
      5,
    ],
    ['whole GPUs need none', { containers: [asks({ [GPU]: '1' })] }, undefined],
    ['nor do instances', { containers: [asks({ [MIG_1G]: '1' })] }, undefined],
  ];
  for (const [says, spec, user] of cases) t.equal(gpuRequestOf(pod({ spec })).user, user, says);
  const annotations = { 'gpu-autoscaler.io/optimization-strategy': 'timeslicing' };
  const sliced = pod({ metadata: { annotations }, spec: { containers: [shares({ runAsUser: 5 })] } });
  t.equal(gpuRequestOf(sliced).user, undefined, 'nor does who was promised a time-slice');
});

tap.test('options that cannot be read count as absent, and the request stands', async (t) => {
  const request = gpuRequestOf(pod({ metadata: { annotations: { 'gpu-autoscaler.io/gpu-memory': 'much' } } }));
  t.match(request, { resources: [{ resource: GPU, count: 1 }], slotMiB: undefined });
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
      t.throws(() => requestOf(pod({ spec })), { code: 'InvalidQuantity', message: expected.message });
    }
  }
  const nameless = { containers: [{ resources: { requests: { [GPU]: 'x' } } }] };
  t.throws(() => requestOf(pod({ spec: nameless })), { message: /container \?, nvidia.com\/gpu: "x"/ });
});

tap.test('any pod that passes the edge has a request, or is refused by the table of errors', async () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('1', '8', '-1', '0.5', 'mps', '1e400', '4'));
  const resource = fc.constantFrom(GPU, SHARED_GPU, MIG_1G, 'cpu', '__proto__', 'nvidia.com/mig-1g.5gb.me');
  const quantities = fc.dictionary(resource, text);
  const container = fc.record({
    resources: fc.record({ requests: quantities, limits: quantities }),
    restartPolicy: text,
  });
  const containers = fc.array(container, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.dictionary(fc.string(), text), containers, containers, (annotations, containers, initContainers) => {
      try {
        gpuRequestOf(podSchema.parse({ metadata: { annotations }, spec: { containers, initContainers } }));
        return true;
      } catch (error) {
        return error instanceof ApiError && error.code === 'InvalidQuantity';
      }
    }),
    { numRuns: 500 },
  );
});
