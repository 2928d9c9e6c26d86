/** GPUSharingPolicy as our own parser reads it. What the API server makes of one: test/contract/custom-resource-rules.test.ts. */

import fc from 'fast-check';
import tap from 'tap';
import { parseSharingPolicy } from '#src/api/sharing-policy.ts';
import type { SharingPolicy } from '#src/core/admission/policy.ts';
import { type Labels, matches } from '#src/core/label-selector.ts';
import { cpuMs } from '../../objects/cpu-time.ts';

const policy = (spec: unknown) => ({ metadata: { name: 'p' }, spec });

const LEAST: SharingPolicy = {
  name: 'p',
  strategy: 'auto',
  priority: 0,
  podSelector: [],
  namespaceSelector: [],
  nodeSelector: {},
  mig: undefined,
  mps: undefined,
  timeSlicing: undefined,
};

const readable: readonly [sentence: string, spec: object, read: Partial<SharingPolicy>][] = [
  ['what is left out is left open', {}, {}],
  ['priority', { priority: -3 }, { priority: -3 }],
  [
    'MIG',
    { migConfig: { profile: '1g.5gb', autoSelectProfile: false } },
    { mig: { profile: '1g.5gb', autoSelectProfile: false } },
  ],
  ['MIG by default', { migConfig: {} }, { mig: { profile: undefined, autoSelectProfile: true } }],
  [
    'MPS',
    { mpsConfig: { maxClients: 4, defaultActiveThreads: 20, memoryLimitMB: 2048 } },
    { mps: { maxClients: 4, defaultActiveThreads: 20, memoryLimitMiB: 2048 } },
  ],
  [
    'MPS by default',
    { mpsConfig: {} },
    { mps: { maxClients: 16, defaultActiveThreads: 100, memoryLimitMiB: undefined } },
  ],
  [
    'time-slicing',
    { timeSlicingConfig: { replicasPerGPU: 2, sliceMs: 5, fairnessMode: 'weighted' } },
    { timeSlicing: { replicasPerGpu: 2, sliceMs: 5, fairnessMode: 'weighted' } },
  ],
  [
    'time-slicing by default',
    { timeSlicingConfig: {} },
    { timeSlicing: { replicasPerGpu: 4, sliceMs: 100, fairnessMode: 'roundrobin' } },
  ],
  [
    'labels of nodes',
    { nodeSelector: { environment: 'development' } },
    { nodeSelector: { environment: 'development' } },
  ],
  [
    'labels and conditions of a selector in one list',
    {
      podSelector: { matchLabels: { app: 'a' }, matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['x'] }] },
      namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'Exists' }] },
    },
    {
      podSelector: [
        { key: 'app', operator: 'In', values: ['a'] },
        { key: 'tier', operator: 'NotIn', values: ['x'] },
      ],
      namespaceSelector: [{ key: 'team', operator: 'Exists', values: [] }],
    },
  ],
];
for (const [sentence, spec, read] of readable) {
  tap.test(`without the defaults of a CRD: ${sentence}`, async (t) => {
    t.strictSame(parseSharingPolicy(policy({ strategy: 'auto', ...spec })), { ok: true, value: { ...LEAST, ...read } });
  });
}

tap.test('the status and what we do not know are not looked at', async (t) => {
  const object = { ...policy({ strategy: 'auto', novelty: 1 }), status: { appliedPods: 'many' } };
  t.strictSame(parseSharingPolicy(object), { ok: true, value: LEAST });
});

const selections: readonly [sentence: string, podSelector: object, labels: Labels, selected: boolean][] = [
  ['an empty selector selects every pod', {}, { app: 'a' }, true],
  ['a label', { matchLabels: { app: 'a' } }, { app: 'a' }, true],
  ['another value', { matchLabels: { app: 'a' } }, { app: 'b' }, false],
  ['In', { matchExpressions: [{ key: 'app', operator: 'In', values: ['a', 'b'] }] }, { app: 'b' }, true],
  ['NotIn, without the label', { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a'] }] }, {}, true],
  ['Exists', { matchExpressions: [{ key: 'app', operator: 'Exists' }] }, {}, false],
  ['DoesNotExist', { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] }, {}, true],
  ['a key that objects have anyway', { matchExpressions: [{ key: 'constructor', operator: 'Exists' }] }, {}, false],
  [
    'all must hold',
    { matchLabels: { app: 'a' }, matchExpressions: [{ key: 'b', operator: 'Exists' }] },
    { app: 'a' },
    false,
  ],
];
for (const [sentence, podSelector, labels, selected] of selections) {
  tap.test(`selects as Kubernetes does: ${sentence}`, async (t) => {
    const parsed = parseSharingPolicy(policy({ strategy: 'auto', podSelector }));
    t.equal(parsed.ok && matches(parsed.value.podSelector, labels), selected);
  });
}

const unreadable: readonly [sentence: string, object: unknown, reason: string][] = [
  ['nothing', undefined, 'body: Invalid input: expected object, received undefined'],
  ['a list', [], 'body: Invalid input: expected object, received array'],
  [
    'no name',
    { metadata: {}, spec: { strategy: 'auto' } },
    'metadata.name: Invalid input: expected string, received undefined',
  ],
  [
    'an unknown strategy',
    policy({ strategy: 'MIG' }),
    'spec.strategy: Invalid option: expected one of "mig"|"mps"|"timeslicing"|"exclusive"|"auto"',
  ],
  [
    'a bound',
    policy({ strategy: 'mps', mpsConfig: { maxClients: 49 } }),
    'spec.mpsConfig.maxClients: Too big: expected number to be <=48',
  ],
  [
    'a rule between fields',
    policy({ strategy: 'mig', mpsConfig: {} }),
    'spec.mpsConfig: only strategy mps and auto use mpsConfig: remove it, or change strategy',
  ],
  [
    'a rule within a list',
    policy({ strategy: 'auto', podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }),
    'spec.podSelector.matchExpressions.0.values: In and NotIn need at least one value: add it, or use Exists or DoesNotExist',
  ],
  [
    'two faults',
    policy({ strategy: 'auto', priority: 0.5, nodeSelector: { a: '-' } }),
    'spec.nodeSelector.a: not a label value: letters, digits, "-", "_" and ".", with a letter or digit at both ends; spec.priority: Invalid input: expected int, received number',
  ],
];
for (const [sentence, object, reason] of unreadable) {
  tap.test(`the reason names the field: ${sentence}`, async (t) => {
    t.strictSame(parseSharingPolicy(object), { ok: false, reason });
  });
}

tap.test('a selector of silly size is refused, and soon', async (t) => {
  const before = cpuMs();
  const key = `${'a.'.repeat(500_000)}!`;
  const parsed = parseSharingPolicy(policy({ strategy: 'auto', nodeSelector: { [key]: '-'.repeat(1_000_000) } }));
  t.match(parsed, { ok: false });
  t.ok(cpuMs() - before < 1_000);
  t.ok(!parsed.ok && parsed.reason.length < 1_000, 'and it does not fill a log');
});

tap.test('anything is read without an error', async () => {
  const something = fc.oneof(
    fc.anything(),
    fc.record({ strategy: fc.constantFrom('auto', 'mig'), podSelector: fc.anything(), mpsConfig: fc.anything() }),
  );
  fc.assert(
    fc.property(something, (spec) => typeof parseSharingPolicy(policy(spec)).ok === 'boolean'),
    { numRuns: 1_000 },
  );
});
