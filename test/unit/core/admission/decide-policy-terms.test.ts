/** How a policy lets its pods share: profile, clients, memory, replicas, fairness. */

import type { MigConfig, MpsConfig, TimeSlicingConfig } from '#src/core/admission/policy.ts';
import { decides } from './decides.ts';
import { EVERY_KIND, instance, policy, possible, slot, used } from './make.ts';

const byMig = (mig: Partial<MigConfig>) => ({
  policies: [policy('mig', { mig: { profile: undefined, autoSelectProfile: true, ...mig } })],
});
const mps = (more: Partial<MpsConfig> = {}) => ({
  mps: { maxClients: 16, defaultActiveThreads: 100, memoryLimitMiB: undefined, ...more },
});
const byMps = (more: Partial<MpsConfig> = {}) => ({ policies: [policy('mps', mps(more))] });
const slicing = (more: Partial<TimeSlicingConfig> = {}) => ({
  timeSlicing: { replicasPerGpu: 8, sliceMs: 100, fairnessMode: 'roundrobin' as const, ...more },
});
const byTime = (more: Partial<TimeSlicingConfig> = {}) => ({ policies: [policy('timeslicing', slicing(more))] });
const failed = (name: string) => `policy ${name} cannot be carried out: it keeps a whole GPU`;
const takes = (mode: string, what: string, of = 'a pod of unknown GPU memory') =>
  `considered ${mode}: ${of} ${mode === 'MIG' && /^(declared|measured)/.test(of) ? 'needs' : 'takes'} ${what}`;

/** MIG. */
decides([
  [
    'the profile that it names',
    {},
    byMig({ profile: '3g.20gb' }),
    'mig mig-3g.20gb by by-mig',
    takes('MIG', '3g.20gb, offered by 2 nodes'),
  ],
  [
    'the smallest that holds the pod, where it names none',
    { memoryMiB: 6_000 },
    byMig({}),
    'mig mig-3g.20gb by by-mig',
    takes('MIG', '3g.20gb, offered by 2 nodes', 'declared 6000Mi'),
  ],
  [
    'the smallest that holds the pod, where nobody offers the one that it names',
    {},
    byMig({ profile: '2g.10gb' }),
    'mig mig-1g.5gb by by-mig',
    takes('MIG', '1g.5gb, offered by 1 node'),
  ],
  [
    'the smallest that holds the pod, where the one that it names does not',
    { memoryMiB: 6_000 },
    byMig({ profile: '1g.5gb' }),
    'mig mig-3g.20gb by by-mig',
    takes('MIG', '3g.20gb, offered by 2 nodes', 'declared 6000Mi'),
  ],
  [
    'no other than the one that it names, without autoSelectProfile',
    {},
    byMig({ profile: '2g.10gb', autoSelectProfile: false }),
    'exclusive by by-mig',
    failed('by-mig'),
  ],
  [
    'nor where the one that it names is too small for the pod',
    { memoryMiB: 6_000 },
    byMig({ profile: '1g.5gb', autoSelectProfile: false }),
    'exclusive by by-mig',
    failed('by-mig'),
  ],
  [
    'its profile before the configured one',
    {},
    { ...byMig({ profile: '3g.20gb' }), settings: { defaultMigProfile: '7g.40gb' } },
    'mig mig-3g.20gb by by-mig',
    takes('MIG', '3g.20gb, offered by 2 nodes'),
  ],
  [
    'the configured one, where it names none and memory is unknown',
    {},
    { ...byMig({}), settings: { defaultMigProfile: '7g.40gb' } },
    'mig mig-7g.40gb by by-mig',
    takes('MIG', '7g.40gb, offered by 1 node'),
  ],
  [
    'a profile that nodes could be configured to offer',
    {},
    { ...byMig({ profile: '2g.10gb' }), offers: [...EVERY_KIND, possible(instance('2g.10gb', 9_728, 285))] },
    'mig mig-2g.10gb by by-mig',
    takes('MIG', '2g.10gb, which 1 node could be configured to offer'),
  ],
  [
    'auto: its profile counts in the flow as well',
    { memoryMiB: 4_096 },
    { policies: [policy('auto', { mig: { profile: '3g.20gb', autoSelectProfile: true } })] },
    'mig mig-3g.20gb by by-auto',
    takes('MIG', '3g.20gb, offered by 2 nodes', 'declared 4Gi'),
  ],
]);

/** MPS. */
decides([
  [
    'no finer than maxClients',
    {},
    byMps({ maxClients: 4 }),
    'mps gpu.shared by by-mps',
    takes('MPS', 'a slot of 1/4 GPU (10Gi), offered by 1 node'),
  ],
  ['finer is no slot for its pods', {}, byMps({ maxClients: 3 }), 'exclusive by by-mps', failed('by-mps')],
  [
    'not even for a pod that declares a smaller share',
    { fractionMilli: 100 },
    byMps({ maxClients: 4 }),
    'mps gpu.shared by by-mps',
    takes('MPS', 'a slot of 1/4 GPU (10Gi), offered by 1 node'),
  ],
  [
    'coarser, where the pod declares a larger share',
    { fractionMilli: 250 },
    byMps({ maxClients: 16 }),
    'mps gpu.shared by by-mps',
    takes('MPS', 'a slot of 1/4 GPU (10Gi), offered by 1 node'),
  ],
  [
    'memoryLimitMB is what its pods need',
    {},
    byMps({ memoryLimitMiB: 6_000 }),
    'mps gpu.shared by by-mps',
    takes('MPS', 'a slot of 1/4 GPU (10Gi), offered by 1 node', '6000Mi by policy by-mps'),
  ],
  ['more than any client’s share', {}, byMps({ memoryLimitMiB: 11_000 }), 'exclusive by by-mps', failed('by-mps')],
  [
    'what the pod declares outweighs memoryLimitMB',
    { memoryMiB: 1_024 },
    byMps({ memoryLimitMiB: 6_000 }),
    'mps gpu.shared by by-mps',
    takes('MPS', 'a slot of 1/8 GPU (5Gi), offered by 1 node', 'declared 1Gi'),
  ],
  [
    'and so does more: then no limit is set',
    { memoryMiB: 8_192 },
    byMps({ memoryLimitMiB: 2_048 }),
    'mps gpu.shared by by-mps',
    'no memory limit is set: 2Gi would be less than it needs',
  ],
  [
    'memoryLimitMB outweighs what was measured',
    {},
    { ...byMps({ memoryLimitMiB: 2_048 }), ...used(0.1, { peakMiB: 6_000 }) },
    'mps gpu.shared by by-mps',
    takes('MPS', 'a slot of 1/8 GPU (5Gi), offered by 1 node', '2Gi by policy by-mps'),
  ],
  [
    'maxClients outweighs the past',
    {},
    { ...byMps({ maxClients: 8 }), ...used(0.9) },
    'mps gpu.shared by by-mps',
    takes('MPS', 'a slot of 1/8 GPU (5Gi), offered by 1 node'),
  ],
  [
    'memoryLimitMB is no need of MIG: auto does not take it for small memory',
    { workloadType: 'inference' },
    { policies: [policy('auto', mps({ memoryLimitMiB: 2_048 }))] },
    'mps gpu.shared by by-auto',
    takes('MPS', 'a slot of 1/8 GPU (5Gi), offered by 1 node', 'inference'),
  ],
]);

/** Time-slicing. */
const COARSE_AND_FINE = { offers: [slot('timeslicing', 5_120, 125), slot('timeslicing', 20_480, 500)] };
decides([
  [
    'no finer than replicasPerGPU',
    {},
    { ...byTime({ replicasPerGpu: 4 }), ...COARSE_AND_FINE },
    'timeslicing gpu.shared by by-timeslicing',
    takes('time-slicing', 'a slot of 1/2 GPU (20Gi), offered by 1 node'),
  ],
  [
    'just replicasPerGPU',
    {},
    { ...byTime({ replicasPerGpu: 8 }), ...COARSE_AND_FINE },
    'timeslicing gpu.shared by by-timeslicing',
    takes('time-slicing', 'a slot of 1/8 GPU (5Gi), offered by 1 node'),
  ],
  ['finer is no slot', {}, byTime({ replicasPerGpu: 3 }), 'exclusive by by-timeslicing', failed('by-timeslicing')],
  [
    'roundrobin: the smallest slot, whatever the priority',
    { priority: 1_000 },
    { ...byTime(), ...COARSE_AND_FINE },
    'timeslicing gpu.shared by by-timeslicing',
    takes('time-slicing', 'a slot of 1/8 GPU (5Gi), offered by 1 node'),
  ],
  [
    'priority: the largest slot for a pod of positive priority',
    { priority: 1 },
    { ...byTime({ fairnessMode: 'priority' }), ...COARSE_AND_FINE },
    'timeslicing gpu.shared by by-timeslicing',
    takes('time-slicing', 'a slot of 1/2 GPU (20Gi), offered by 1 node'),
  ],
  [
    'priority: the smallest for a pod of none',
    { priority: 0 },
    { ...byTime({ fairnessMode: 'priority' }), ...COARSE_AND_FINE },
    'timeslicing gpu.shared by by-timeslicing',
    takes('time-slicing', 'a slot of 1/8 GPU (5Gi), offered by 1 node'),
  ],
  [
    'priority: the smallest for a pod of negative priority',
    { priority: -10 },
    { ...byTime({ fairnessMode: 'priority' }), ...COARSE_AND_FINE },
    'timeslicing gpu.shared by by-timeslicing',
    takes('time-slicing', 'a slot of 1/8 GPU (5Gi), offered by 1 node'),
  ],
  [
    'weighted: a slot as large as the share that the pod declares',
    { fractionMilli: 300 },
    { ...byTime({ fairnessMode: 'weighted' }), ...COARSE_AND_FINE },
    'timeslicing gpu.shared by by-timeslicing',
    takes('time-slicing', 'a slot of 1/2 GPU (20Gi), offered by 1 node'),
  ],
  [
    'weighted: the smallest for a pod that declares none, whatever its priority',
    { priority: 1_000 },
    { ...byTime({ fairnessMode: 'weighted' }), ...COARSE_AND_FINE },
    'timeslicing gpu.shared by by-timeslicing',
    takes('time-slicing', 'a slot of 1/8 GPU (5Gi), offered by 1 node'),
  ],
  [
    'the configured fairness, where a policy has none',
    { priority: 1 },
    {
      policies: [policy('timeslicing')],
      ...COARSE_AND_FINE,
      settings: { timeSlicing: { replicasPerGpu: 4, sliceMs: 100, fairnessMode: 'priority' } },
    },
    'timeslicing gpu.shared by by-timeslicing',
    takes('time-slicing', 'a slot of 1/2 GPU (20Gi), offered by 1 node'),
  ],
  [
    'fairness of time-slicing is none of MPS',
    { priority: 1, workloadType: 'inference' },
    { policies: [policy('auto', slicing({ fairnessMode: 'priority' }))] },
    'mps gpu.shared by by-auto',
    takes('MPS', 'a slot of 1/8 GPU (5Gi), offered by 1 node', 'inference'),
  ],
]);
