/** A decision carried out on a pod: what changes, and what stays. */

import tap from 'tap';
import type { Decision, Scheduled, Shared } from '#src/core/admission/decision-input.ts';
import { mutate } from '#src/webhook/mutate.ts';

const KEY = 'gpu-autoscaler.io/';
const NOW = new Date('2026-01-02T03:04:05.678Z');
const SLOT = 'nvidia.com/gpu.shared';
const GPU = 'nvidia.com/gpu';

type Outcome = Exclude<Decision, { action: 'leave' }>;
const SAID = { reasons: ['first', 'last'], warnings: [] };
const shared = (more: Partial<Shared & { policy: string }> = {}): Outcome => ({
  action: 'share',
  mode: 'mps',
  resource: SLOT,
  nodeSelector: {},
  mpsLimits: {},
  assumedMiB: undefined,
  ...SAID,
  ...more,
});
const whole = (more: Partial<Scheduled & { policy: string }> = {}): Outcome => {
  return { action: 'schedule', decided: true, wholeGpu: 'preferred', nodeSelector: {}, ...SAID, ...more };
};

interface Pod {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly schedulerName: string;
    readonly nodeSelector?: object;
    readonly containers: readonly { readonly resources: object; readonly env?: object }[];
  };
}

function mutated(decision: Outcome, spec: object, metadata: object = {}): Pod {
  const pod = { metadata, spec: { containers: [{ resources: { limits: { [GPU]: '1' } } }], ...spec } };
  const before = JSON.stringify(pod);
  const after = mutate({ pod, decision, schedulerName: 'ours', originalRequest: 1, now: NOW }) as Pod;
  if (JSON.stringify(pod) !== before) throw new Error('the pod that came has been changed');
  return after;
}
const resources = (decision: Outcome, given: object) =>
  mutated(decision, { containers: [{ resources: given }] }).spec.containers[0]?.resources;

const both = (name: string, count: unknown = '1') => ({ requests: { [name]: count }, limits: { [name]: count } });
const rewrites: readonly [says: string, decision: Outcome, given: object, becomes: object][] = [
  ['a request alone', shared(), { requests: { [GPU]: '1' } }, both(SLOT)],
  ['a limit alone', shared(), { limits: { [GPU]: '1' } }, both(SLOT)],
  ['both', shared(), both(GPU), both(SLOT)],
  ['a number, as hand-written JSON has it', shared(), { requests: { [GPU]: 1 } }, both(SLOT, 1)],
  [
    'other resources stay',
    shared(),
    { requests: { cpu: '2', [GPU]: '1' }, limits: { memory: '4Gi' }, claims: [] },
    { requests: { cpu: '2', [SLOT]: '1' }, limits: { memory: '4Gi', [SLOT]: '1' }, claims: [] },
  ],
  ['a whole GPU, as a request alone', whole(), { requests: { [GPU]: '1' } }, both(GPU)],
  ['a slot by name', whole({ decided: false }), { requests: { [SLOT]: '2' } }, both(SLOT, '2')],
  [
    'a count of 0 of the slot’s name does not take the place of the slot',
    shared(),
    { requests: { [GPU]: '1', [SLOT]: '0' } },
    both(SLOT),
  ],
  ['in whichever order', shared(), { limits: { [SLOT]: '0', [GPU]: '1' } }, both(SLOT)],
  ['a slot that bears the name of the whole GPU', shared({ resource: GPU }), { requests: { [GPU]: '1' } }, both(GPU)],
  ['null is nothing', shared(), { requests: null, limits: { [GPU]: '1' } }, both(SLOT)],
];
for (const [says, decision, given, becomes] of rewrites) {
  tap.test(`resources: ${says}`, async (t) => t.strictSame(resources(decision, given), becomes));
}

tap.test('annotations: what was decided, by which policy, and memory that was counted on', async (t) => {
  const written = {
    [`${KEY}original-gpu-request`]: '1',
    [`${KEY}optimized`]: 'true',
    [`${KEY}optimization-strategy`]: 'mps',
    [`${KEY}optimization-timestamp`]: NOW.toISOString(),
    [`${KEY}optimization-reason`]: 'first; last',
  };
  const annotations = (decision: Outcome) => mutated(decision, {}).metadata.annotations;
  t.strictSame(annotations(shared()), written);
  t.strictSame(annotations(shared({ policy: 'p', assumedMiB: 2_048 })), {
    ...written,
    [`${KEY}policy`]: 'p',
    [`${KEY}gpu-memory`]: '2Gi',
  });
  t.strictSame(annotations(whole({ policy: 'p' })), {
    ...written,
    [`${KEY}optimization-strategy`]: 'exclusive',
    [`${KEY}policy`]: 'p',
  });
  t.equal(annotations(whole({ decided: false })), undefined, 'nothing where nothing was decided');
  t.match(mutated(shared(), {}, { annotations: { 'a/b': 'kept' } }).metadata.annotations, { 'a/b': 'kept' });
});

tap.test('the node selector is added to the pod’s own, which stays', async (t) => {
  const selector = (given: object | undefined) =>
    mutated(shared({ nodeSelector: { pool: 'a', zone: 'x' } }), { nodeSelector: given }).spec.nodeSelector;
  t.strictSame(selector(undefined), { pool: 'a', zone: 'x' });
  t.strictSame(selector({ pool: 'b', disk: 'fast' }), { pool: 'b', zone: 'x', disk: 'fast' });
  t.equal(mutated(shared(), {}).spec.nodeSelector, undefined);
});

tap.test('limits of MPS go to containers that hold a GPU; what the author has set stays', async (t) => {
  const mpsLimits = { A_LIMIT: '1', B_LIMIT: '2' };
  const containers = [
    { resources: both(GPU) },
    { resources: both(GPU), env: [{ name: 'A_LIMIT', value: 'own' }] },
    { resources: both('cpu'), env: null },
  ];
  const { spec } = mutated(shared({ mpsLimits }), { containers });
  t.strictSame(
    spec.containers.map(({ env }) => env),
    [
      [
        { name: 'A_LIMIT', value: '1' },
        { name: 'B_LIMIT', value: '2' },
      ],
      [
        { name: 'A_LIMIT', value: 'own' },
        { name: 'B_LIMIT', value: '2' },
      ],
      null,
    ],
  );
});

tap.test('the scheduler is the one that is told', async (t) => {
  t.equal(mutated(shared(), {}).spec.schedulerName, 'ours');
  t.equal(mutated(whole({ decided: false }), {}).spec.schedulerName, 'ours');
});

tap.test('a container that takes variables from elsewhere keeps its own limits, whatever they are', async (t) => {
  const limits = { CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: '25' };
  const envFrom = [{ configMapRef: { name: 'limits' } }];
  const { spec } = mutated(shared({ mpsLimits: limits }), {
    containers: [{ resources: both(GPU), envFrom }, { resources: both(GPU) }],
  });
  t.strictSame(
    spec.containers.map(({ env }) => env),
    [undefined, [{ name: 'CUDA_MPS_ACTIVE_THREAD_PERCENTAGE', value: '25' }]],
  );
});
