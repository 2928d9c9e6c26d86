/** Which policy governs a pod, how it lets it share, and that it governs where it cannot be carried out. */

import { byPrecedence } from '#src/core/admission/policies.ts';
import type { MigConfig, MpsConfig, SharingPolicy, TimeSlicingConfig } from '#src/core/admission/policy.ts';
import { equalTo } from '#src/core/label-selector.ts';
import {
  DEVELOPMENT,
  decides,
  type End,
  EVERY_KIND,
  EVERY_PART,
  FINE_AND_COARSE,
  GIB,
  INFERENCE,
  inferredAs,
  inPools,
  instance,
  modes,
  NOTHING,
  off,
  offered,
  part,
  policy,
  pool,
  possible,
  shares,
  slot,
  used,
  WHOLE,
  without,
} from './make.ts';

const app = (name: string) => ({ podSelector: equalTo({ app: name }) });
const staging = { namespaceSelector: equalTo({ environment: 'staging' }) };
const sorted = (...policies: SharingPolicy[]) => ({ policies: byPrecedence(policies) });
const POD = { labels: { app: 'web', tier: 'gpu' } };

const UNKNOWN = 'a pod of unknown GPU memory';
const byMig = (profile = '1g.5gb', of = UNKNOWN, nodes?: number) =>
  shares('mig', offered(profile, nodes), of, ' by by-mig');
const byMps = (slot = part(8, '5Gi'), of = UNKNOWN, by = 'by-mps') => shares('mps', slot, of, ` by ${by}`);
const byTime = (slot = part(4, '10Gi', 3), of = UNKNOWN, by = 'by-timeslicing') =>
  shares('timeslicing', slot, of, ` by ${by}`);
const nothingBy = (by: string): End => [`exclusive by ${by}`, NOTHING[1]];
const failed = (name: string, on = ''): End => [
  `exclusive by ${name}${on}`,
  `policy ${name} cannot be carried out: it keeps a whole GPU`,
];
const exclusively = (on = ''): End => [`exclusive by by-exclusive${on}`, 'policy by-exclusive (priority 0) applied'];
const busy = (mean: number, by: string): End => [
  `exclusive by ${by}`,
  `history: ${mean}% of a GPU on average, burstiness 0%: too much to share`,
];

/** Each strategy. */
decides([
  ['mig', POD, { policies: [policy('mig')] }, ...byMig()],
  ['mps', POD, { policies: [policy('mps')] }, ...byMps()],
  ['timeslicing', POD, { policies: [policy('timeslicing')] }, ...byTime()],
  ['exclusive', POD, { policies: [policy('exclusive')] }, ...exclusively()],
  [
    'auto: the flow',
    { ...POD, ...INFERENCE },
    { policies: [policy('auto')] },
    ...byMps(part(8, '5Gi'), 'inference', 'by-auto'),
  ],
  ['auto: the flow, which may find nothing', POD, { policies: [policy('auto')] }, ...nothingBy('by-auto')],
  ['inference by MIG, where a policy says so', { ...POD, ...INFERENCE }, { policies: [policy('mig')] }, ...byMig()],
  [
    'what the pod looks like has no say under a policy',
    POD,
    { policies: [policy('timeslicing')], ...inferredAs('training') },
    ...byTime(),
  ],
  [
    'but it has under auto',
    POD,
    { policies: [policy('auto')], ...inferredAs('training') },
    'exclusive by by-auto',
    'training keeps a whole GPU',
  ],
  [
    'the memory that makes a pod small has no say under a policy',
    { ...POD, memoryMiB: 4_096 },
    { policies: [policy('mps')] },
    ...byMps(part(8, '5Gi'), 'declared 4Gi'),
  ],
]);

/** Which one governs. */
decides([
  ['none selects the pod: the flow', POD, { policies: [policy('mps', app('other'))] }, ...NOTHING],
  ['a selector that the pod satisfies', POD, { policies: [policy('mps', app('web'))] }, ...byMps()],
  ['a pod without labels is not selected by any', {}, { policies: [policy('mps', app('web'))] }, ...NOTHING],
  ['the higher priority', POD, sorted(policy('mps', { priority: 1 }), policy('mig', { priority: 2 })), ...byMig()],
  [
    'the higher priority, though the other is more specific',
    POD,
    sorted(policy('mps', { priority: 1, ...app('web') }), policy('mig', { priority: 2 })),
    ...byMig(),
  ],
  ['no priority is more than a negative one', POD, sorted(policy('mps', { priority: -1 }), policy('mig')), ...byMig()],
  [
    'the highest that selects the pod',
    POD,
    sorted(policy('mps', { priority: 1 }), policy('mig', { priority: 2, ...app('other') })),
    ...byMps(),
  ],
  ['of equals the more specific', POD, sorted(policy('mps'), policy('timeslicing', app('web'))), ...byTime()],
  [
    'of equals the one with more conditions',
    POD,
    sorted(policy('mps', { podSelector: equalTo({ app: 'web', tier: 'gpu' }) }), policy('mig', app('web'))),
    ...byMps(),
  ],
  [
    'conditions on the namespace count as well',
    POD,
    {
      ...sorted(policy('mps', app('web')), policy('mig', { ...app('web'), ...staging })),
      namespaceLabels: { environment: 'staging' },
    },
    ...byMig(),
  ],
  [
    'of equals the first by name',
    POD,
    sorted(policy('mps', { name: 'b' }), policy('mig', { name: 'c' }), policy('timeslicing', { name: 'a' })),
    ...byTime(part(4, '10Gi', 3), UNKNOWN, 'a'),
  ],
  [
    'names are compared by code points, as everywhere in Kubernetes',
    POD,
    sorted(policy('mps', { name: 'a10' }), policy('mig', { name: 'a9' })),
    ...byMps(part(8, '5Gi'), UNKNOWN, 'a10'),
  ],
  [
    'a namespace that is selected',
    POD,
    { policies: [policy('mps', staging)], namespaceLabels: { environment: 'staging' } },
    ...byMps(),
  ],
  [
    'a namespace that is not',
    POD,
    { policies: [policy('mps', staging)], namespaceLabels: { environment: 'production' } },
    ...NOTHING,
  ],
  ['a namespace without labels', POD, { policies: [policy('mps', staging)], namespaceLabels: {} }, ...NOTHING],
  [
    'NotIn selects a namespace that lacks the label',
    POD,
    {
      policies: [
        policy('mps', { namespaceSelector: [{ key: 'environment', operator: 'NotIn', values: ['production'] }] }),
      ],
    },
    ...byMps(),
  ],
  [
    'a namespace that is not known yet is selected by nobody',
    POD,
    { policies: [policy('mps', staging)], namespaceLabels: undefined },
    ...NOTHING,
  ],
  [
    'and by those that do not ask for any',
    POD,
    { ...sorted(policy('mps', staging), policy('mig')), namespaceLabels: undefined },
    ...byMig(),
  ],
]);

/** mig: the profile. */
const mig = (config: Partial<MigConfig> = {}) => ({ mig: { profile: undefined, autoSelectProfile: true, ...config } });
const asMig = (config?: Partial<MigConfig>) => ({ policies: [policy('mig', mig(config))] });
decides([
  ['the profile that it names', {}, asMig({ profile: '3g.20gb' }), ...byMig('3g.20gb', UNKNOWN, 2)],
  [
    'the smallest that holds the pod, where it names none',
    { memoryMiB: 6_000 },
    asMig(),
    ...byMig('3g.20gb', 'declared 6000Mi', 2),
  ],
  [
    'the smallest that holds the pod, where nobody offers the one that it names',
    {},
    asMig({ profile: '2g.10gb' }),
    ...byMig(),
  ],
  [
    'the smallest that holds the pod, where the one that it names does not',
    { memoryMiB: 6_000 },
    asMig({ profile: '1g.5gb' }),
    ...byMig('3g.20gb', 'declared 6000Mi', 2),
  ],
  [
    'no other than the one that it names, without autoSelectProfile',
    {},
    asMig({ profile: '2g.10gb', autoSelectProfile: false }),
    ...failed('by-mig'),
  ],
  [
    'nor where the one that it names is too small for the pod',
    { memoryMiB: 6_000 },
    asMig({ profile: '1g.5gb', autoSelectProfile: false }),
    ...failed('by-mig'),
  ],
  [
    'its profile before the configured one',
    {},
    { ...asMig({ profile: '3g.20gb' }), settings: { defaultMigProfile: '7g.40gb' } },
    ...byMig('3g.20gb', UNKNOWN, 2),
  ],
  [
    'the configured one, where it names none and memory is unknown',
    {},
    { ...asMig(), settings: { defaultMigProfile: '7g.40gb' } },
    ...byMig('7g.40gb'),
  ],
  [
    'a profile that nodes could be configured to offer',
    {},
    { ...asMig({ profile: '2g.10gb' }), offers: [...EVERY_KIND, possible(instance('2g.10gb', 9_728, 285))] },
    ...shares('mig', '2g.10gb, which 1 node could be configured to offer', UNKNOWN, ' by by-mig'),
  ],
  [
    'auto: its profile counts in the flow as well',
    { memoryMiB: 4_096 },
    { policies: [policy('auto', mig({ profile: '3g.20gb' }))] },
    ...shares('mig', offered('3g.20gb', 2), 'declared 4Gi', ' by by-auto'),
  ],
]);

/** mps: clients and memory. */
const mps = (more: Partial<MpsConfig> = {}) => ({
  mps: { maxClients: 16, defaultActiveThreads: 100, memoryLimitMiB: undefined, ...more },
});
const asMps = (config?: Partial<MpsConfig>) => ({ policies: [policy('mps', mps(config))] });
decides([
  ['no finer than maxClients', {}, asMps({ maxClients: 4 }), ...byMps(part(4, '10Gi'))],
  ['finer is no slot for its pods', {}, asMps({ maxClients: 3 }), ...failed('by-mps')],
  [
    'not even for a pod that declares a smaller share',
    { fractionMilli: 100 },
    asMps({ maxClients: 4 }),
    ...byMps(part(4, '10Gi')),
  ],
  [
    'coarser, where the pod declares a larger share',
    { fractionMilli: 250 },
    asMps({ maxClients: 16 }),
    ...byMps(part(4, '10Gi')),
  ],
  [
    'memoryLimitMB is what its pods need',
    {},
    asMps({ memoryLimitMiB: 6_000 }),
    ...byMps(part(4, '10Gi'), '6000Mi by policy by-mps'),
  ],
  ['more than any client’s share', {}, asMps({ memoryLimitMiB: 11_000 }), ...failed('by-mps')],
  [
    'what the pod declares outweighs memoryLimitMB',
    { memoryMiB: GIB },
    asMps({ memoryLimitMiB: 6_000 }),
    ...byMps(part(8, '5Gi'), 'declared 1Gi'),
  ],
  [
    'and so does more: then no limit is set',
    { memoryMiB: 8_192 },
    asMps({ memoryLimitMiB: 2_048 }),
    'mps gpu.shared by by-mps',
    'no memory limit is set: 2Gi would be less than it needs',
  ],
  [
    'memoryLimitMB outweighs what was measured',
    {},
    { ...asMps({ memoryLimitMiB: 2_048 }), ...used(0.1, { peakMiB: 6_000 }) },
    ...byMps(part(8, '5Gi'), '2Gi by policy by-mps'),
  ],
  ['maxClients outweighs the past', {}, { ...asMps({ maxClients: 8 }), ...used(0.9) }, ...byMps()],
  [
    'memoryLimitMB is no need of MIG: auto does not take it for small memory',
    INFERENCE,
    { policies: [policy('auto', mps({ memoryLimitMiB: 2_048 }))] },
    ...byMps(part(8, '5Gi'), 'inference', 'by-auto'),
  ],
]);

/** timeslicing: replicas and fairness. */
const slicing = (more: Partial<TimeSlicingConfig> = {}) => ({
  timeSlicing: { replicasPerGpu: 8, sliceMs: 100, fairnessMode: 'roundrobin' as const, ...more },
});
const asTime = (config?: Partial<TimeSlicingConfig>) => ({ policies: [policy('timeslicing', slicing(config))] });
const byFairness = (fairnessMode: TimeSlicingConfig['fairnessMode']) => ({
  ...asTime({ fairnessMode }),
  ...FINE_AND_COARSE,
});
const [FINE, COARSE] = [byTime(part(8, '5Gi')), byTime(part(2, '20Gi'))];
decides([
  ['no finer than replicasPerGPU', {}, { ...asTime({ replicasPerGpu: 4 }), ...FINE_AND_COARSE }, ...COARSE],
  ['just replicasPerGPU', {}, { ...asTime({ replicasPerGpu: 8 }), ...FINE_AND_COARSE }, ...FINE],
  ['finer is no slot', {}, asTime({ replicasPerGpu: 3 }), ...failed('by-timeslicing')],
  [
    'roundrobin: the smallest slot, whatever the priority',
    { priority: 1_000 },
    { ...asTime(), ...FINE_AND_COARSE },
    ...FINE,
  ],
  ['priority: the largest slot for a pod of positive priority', { priority: 1 }, byFairness('priority'), ...COARSE],
  ['priority: the smallest for a pod of none', { priority: 0 }, byFairness('priority'), ...FINE],
  ['priority: the smallest for a pod of negative priority', { priority: -10 }, byFairness('priority'), ...FINE],
  [
    'weighted: a slot as large as the share that the pod declares',
    { fractionMilli: 300 },
    byFairness('weighted'),
    ...COARSE,
  ],
  [
    'weighted: the smallest for a pod that declares none, whatever its priority',
    { priority: 1_000 },
    byFairness('weighted'),
    ...FINE,
  ],
  [
    'the configured fairness, where a policy has none',
    { priority: 1 },
    {
      policies: [policy('timeslicing')],
      ...FINE_AND_COARSE,
      settings: { timeSlicing: { replicasPerGpu: 4, sliceMs: 100, fairnessMode: 'priority' } },
    },
    ...COARSE,
  ],
  [
    'fairness of time-slicing is none of MPS',
    { priority: 1, ...INFERENCE },
    { policies: [policy('auto', slicing({ fairnessMode: 'priority' }))] },
    ...byMps(part(8, '5Gi'), 'inference', 'by-auto'),
  ],
]);

/** It cannot be carried out, and still governs. */
decides([
  ['nobody offers MIG', {}, { policies: [policy('mig')], ...without('mig') }, ...failed('by-mig')],
  ['nobody offers MPS', {}, { policies: [policy('mps')], ...without('mps') }, ...failed('by-mps')],
  [
    'nobody offers time-slicing',
    {},
    { policies: [policy('timeslicing')], ...without('timeslicing') },
    ...failed('by-timeslicing'),
  ],
  [
    'the configuration has switched it off',
    {},
    { policies: [policy('mps')], ...modes('mig', 'timeslicing') },
    ...failed('by-mps'),
  ],
  ['no slot has the memory', { memoryMiB: 30_000 }, { policies: [policy('mps')] }, ...failed('by-mps')],
  [
    'no other policy steps in',
    {},
    { ...sorted(policy('mps', { priority: 1 }), policy('mig')), ...without('mps') },
    ...failed('by-mps'),
  ],
  ['nor does the flow', DEVELOPMENT, { policies: [policy('mps')], ...without('mps') }, ...failed('by-mps')],
  [
    'the pod’s own switch gives the word back to the flow',
    { ...DEVELOPMENT, ...off('mps') },
    { policies: [policy('mps')] },
    ...shares('timeslicing', part(4, '10Gi', 3), 'development'),
  ],
  [
    'to the flow, not to the next policy',
    { ...off('mps') },
    sorted(policy('mps', { priority: 1 }), policy('mig')),
    ...NOTHING,
  ],
  [
    'and on its own terms: the policy’s nodes are out of it',
    { ...DEVELOPMENT, ...off('mps') },
    {
      policies: [policy('mps', { nodeSelector: pool('a') })],
      ...inPools({ a: [slot('timeslicing', 5_120, 500)], b: [slot('timeslicing', 5_120, 125)] }),
    },
    ...shares('timeslicing', part(2, '5Gi'), 'development'),
  ],
  [
    'another mode that the pod has switched off does not matter',
    { ...off('mig', 'timeslicing') },
    { policies: [policy('mps')] },
    ...byMps(),
  ],
  [
    'under auto, what the pod has switched off is left out of the flow',
    { ...INFERENCE, ...off('mps') },
    { policies: [policy('auto')] },
    ...nothingBy('by-auto'),
  ],
  [
    'switches of the pod do not touch an exclusive policy',
    { ...off('mig', 'mps', 'timeslicing') },
    { policies: [policy('exclusive')] },
    ...exclusively(),
  ],
]);

/** What a policy does not say, the past does. */
decides([
  [
    'a busy past, where the policy does not say how many may share',
    {},
    { policies: [policy('mps')], ...used(0.7) },
    ...busy(70, 'by-mps'),
  ],
  [
    'a busy past does not keep a pod from an instance of its own',
    {},
    { policies: [policy('mig')], ...used(0.7) },
    ...byMig(),
  ],
  [
    'a policy without mpsConfig: as many as the past recommends',
    {},
    { ...EVERY_PART, ...used(0.3, { p95: 0.75 }), policies: [policy('mps')] },
    ...byMps(part(4, '10Gi')),
  ],
  [
    'a policy without timeSlicingConfig: none, where the past was busy',
    {},
    { ...EVERY_PART, ...used(0.8), policies: [policy('timeslicing')] },
    ...busy(80, 'by-timeslicing'),
  ],
  [
    'a policy with timeSlicingConfig: as many as it says',
    {},
    { ...EVERY_PART, ...used(0.8), ...asTime({ replicasPerGpu: 8 }) },
    ...byTime(part(8, '5Gi')),
  ],
  [
    'auto: the flow, with its past',
    INFERENCE,
    { ...EVERY_PART, ...used(0.8), policies: [policy('auto')] },
    ...busy(80, 'by-auto'),
  ],
]);

/** nodeSelector: the nodes that its pods may go to. */
const POOLS = inPools({
  a: [slot('mps', 5_120, 125), instance('1g.5gb', 4_864, 142)],
  b: [WHOLE, slot('mps', 20_480, 500)],
});
const on = (name: string) => ({ nodeSelector: pool(name) });
const anywhere = (by: string): End => [
  `exclusive by ${by}`,
  'no node that its nodeSelector selects offers whole GPUs: any node will do',
];
decides([
  [
    'slots on its nodes count',
    {},
    { policies: [policy('mps', on('a'))], ...POOLS },
    ...byMps(part(8, '5Gi'), UNKNOWN, 'by-mps on pool=a'),
  ],
  [
    'slots elsewhere do not, though they are smaller',
    {},
    { policies: [policy('mps', on('b'))], ...POOLS },
    ...byMps(part(2, '20Gi'), UNKNOWN, 'by-mps on pool=b'),
  ],
  [
    'nor where its nodes offer no such slot: a whole GPU of theirs',
    {},
    { policies: [policy('mig', on('b'))], ...POOLS },
    ...failed('by-mig', ' on pool=b'),
  ],
  [
    'of any node, where its own offer no whole GPU',
    {},
    { policies: [policy('timeslicing', on('a'))], ...POOLS },
    ...anywhere('by-timeslicing'),
  ],
  [
    'an exclusive policy: whole GPUs of its nodes',
    {},
    { policies: [policy('exclusive', on('b'))], ...POOLS },
    ...exclusively(' on pool=b'),
  ],
  [
    'an exclusive policy whose nodes have none',
    {},
    { policies: [policy('exclusive', on('a'))], ...POOLS },
    ...anywhere('by-exclusive'),
  ],
  [
    'auto: the flow looks at its nodes alone',
    INFERENCE,
    { policies: [policy('auto', on('b'))], ...POOLS },
    ...byMps(part(2, '20Gi'), 'inference', 'by-auto on pool=b'),
  ],
  [
    'auto: a whole GPU of its nodes as well',
    {},
    { policies: [policy('auto', on('b'))], ...POOLS },
    ...nothingBy('by-auto on pool=b'),
  ],
  ['no node is selected at all', {}, { policies: [policy('mps', on('nowhere'))], ...POOLS }, ...anywhere('by-mps')],
]);
