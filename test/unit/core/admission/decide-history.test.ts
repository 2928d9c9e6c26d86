/** What a workload used of its GPUs before: how many may share, whether MPS suits it, what memory it needs. */

import tap from 'tap';
import { decide } from '#src/core/admission/decide.ts';
import { decides } from './decides.ts';
import { admission, instance, policy, slot, used } from './make.ts';

const SLOTS = {
  offers: [
    ...[16, 8, 4, 2].map((replicas) => slot('mps', 40_960 / replicas, Math.floor(1_000 / replicas))),
    ...[16, 8, 4, 2].map((replicas) => slot('timeslicing', 40_960 / replicas, Math.floor(1_000 / replicas))),
  ],
};
const INFERENCE = { workloadType: 'inference' } as const;
const DEVELOPMENT = { workloadType: 'development' } as const;
/** Mean and burstiness of 0 to 1. */
const past = (mean: number, burstiness: number, more: Parameters<typeof used>[1] = {}) =>
  used(mean, { p95: mean / (1 - burstiness), ...more });
const time = (replicas: number, gib: string) =>
  `considered time-slicing: development takes a slot of 1/${replicas} GPU (${gib}), offered by 1 node`;
const mps = (replicas: number, gib: string, why = 'inference') =>
  `considered MPS: ${why} takes a slot of 1/${replicas} GPU (${gib}), offered by 1 node`;
const busy = (mean: number, burstiness: number) =>
  `history: ${mean}% of a GPU on average, burstiness ${burstiness}%: too much to share`;

/** The specification's table: average utilisation, burstiness, recommended replicas. */
decides([
  ['<20%, >70%: 8', DEVELOPMENT, { ...SLOTS, ...past(0.1, 0.8) }, 'timeslicing gpu.shared', time(8, '5Gi')],
  ['<20%, but 60%: 4', DEVELOPMENT, { ...SLOTS, ...past(0.1, 0.6) }, 'timeslicing gpu.shared', time(4, '10Gi')],
  ['<20%, but steady: 2', DEVELOPMENT, { ...SLOTS, ...past(0.1, 0.1) }, 'timeslicing gpu.shared', time(2, '20Gi')],
  ['20%, >70%: 4', DEVELOPMENT, { ...SLOTS, ...past(0.2, 0.75) }, 'timeslicing gpu.shared', time(4, '10Gi')],
  ['20-40%, >50%: 4', DEVELOPMENT, { ...SLOTS, ...past(0.3, 0.6) }, 'timeslicing gpu.shared', time(4, '10Gi')],
  ['20-40%, but 40%: 2', DEVELOPMENT, { ...SLOTS, ...past(0.3, 0.4) }, 'timeslicing gpu.shared', time(2, '20Gi')],
  ['40-60%, steady: 2', DEVELOPMENT, { ...SLOTS, ...past(0.5, 0) }, 'timeslicing gpu.shared', time(2, '20Gi')],
  ['40-60%, in bursts: 2', DEVELOPMENT, { ...SLOTS, ...past(0.45, 0.55) }, 'timeslicing gpu.shared', time(2, '20Gi')],
  ['60%: 2', DEVELOPMENT, { ...SLOTS, ...past(0.6, 0) }, 'timeslicing gpu.shared', time(2, '20Gi')],
  ['>60%: no sharing', DEVELOPMENT, { ...SLOTS, ...past(0.61, 0.3) }, 'exclusive', busy(61, 30)],
  ['>60% of inference', INFERENCE, { ...SLOTS, ...past(0.9, 0.1) }, 'exclusive', busy(90, 10)],
  ['>60% of batch', { workloadType: 'batch' }, { ...SLOTS, ...past(0.8, 0.2) }, 'exclusive', busy(80, 20)],
  ['>60% of a small pod', { memoryMiB: 1_024 }, { ...SLOTS, ...past(0.7, 0) }, 'exclusive', busy(70, 0)],
  ['a GPU that was never used: 2', DEVELOPMENT, { ...SLOTS, ...used(0) }, 'timeslicing gpu.shared', time(2, '20Gi')],
  [
    'without a past: the smallest slot',
    DEVELOPMENT,
    SLOTS,
    'timeslicing gpu.shared',
    'considered time-slicing: development takes a slot of 1/16 GPU (2560Mi), offered by 1 node',
  ],
  [
    'a share that the pod declares outweighs the past',
    { ...DEVELOPMENT, fractionMilli: 200 },
    { ...SLOTS, ...past(0.5, 0) },
    'timeslicing gpu.shared',
    time(4, '10Gi'),
  ],
  [
    'no slot is coarse enough',
    DEVELOPMENT,
    { offers: [slot('timeslicing', 10_240, 250)], ...past(0.5, 0) },
    'exclusive',
    'no rule shares this pod: it keeps a whole GPU',
  ],
  ['the table holds for MPS as well', INFERENCE, { ...SLOTS, ...past(0.3, 0.6) }, 'mps gpu.shared', mps(4, '10Gi')],
]);

/** MPS suits up to 50%, and above that up to 60% as long as it did; `suitsMps` has the memory. */
decides([
  ['50%: MPS', INFERENCE, { ...SLOTS, ...past(0.5, 0, { suitsMps: true }) }, 'mps gpu.shared', mps(2, '20Gi')],
  [
    '55%, after less: MPS',
    INFERENCE,
    { ...SLOTS, ...past(0.55, 0, { suitsMps: true }) },
    'mps gpu.shared',
    mps(2, '20Gi'),
  ],
  [
    '55%, after more: no MPS',
    INFERENCE,
    { ...SLOTS, ...past(0.55, 0, { suitsMps: false }) },
    'exclusive',
    'no rule shares this pod: it keeps a whole GPU',
  ],
  [
    'development at 55% shares by time-slicing, whatever suits MPS',
    DEVELOPMENT,
    { ...SLOTS, ...past(0.55, 0, { suitsMps: false }) },
    'timeslicing gpu.shared',
    time(2, '20Gi'),
  ],
]);

/** Policies: what one does not say, the past does. */
decides([
  [
    'a policy without mpsConfig: as many as the past recommends',
    {},
    { ...SLOTS, ...past(0.3, 0.6), policies: [policy('mps')] },
    'mps gpu.shared by by-mps',
    mps(4, '10Gi', 'a pod of unknown GPU memory'),
  ],
  [
    'a policy without timeSlicingConfig: none, where the past was busy',
    {},
    { ...SLOTS, ...past(0.8, 0), policies: [policy('timeslicing')] },
    'exclusive by by-timeslicing',
    busy(80, 0),
  ],
  [
    'a policy with timeSlicingConfig: as many as it says',
    {},
    {
      ...SLOTS,
      ...past(0.8, 0),
      policies: [
        policy('timeslicing', { timeSlicing: { replicasPerGpu: 8, sliceMs: 100, fairnessMode: 'roundrobin' } }),
      ],
    },
    'timeslicing gpu.shared by by-timeslicing',
    'considered time-slicing: a pod of unknown GPU memory takes a slot of 1/8 GPU (5Gi), offered by 1 node',
  ],
  [
    'auto: the flow, with its past',
    INFERENCE,
    { ...SLOTS, ...past(0.8, 0), policies: [policy('auto')] },
    'exclusive by by-auto',
    busy(80, 0),
  ],
]);

/** Memory that was measured: a fifth more than the peak. */
const MIG = { offers: [instance('1g.5gb', 4_864, 142), instance('2g.10gb', 9_856, 285), ...SLOTS.offers] };
decides([
  [
    'makes a pod small',
    {},
    { ...MIG, ...past(0.1, 0.8, { peakMiB: 2_048 }) },
    'mig mig-1g.5gb',
    'considered MIG: measured 2Gi and a fifth more needs 1g.5gb, offered by 1 node',
  ],
  [
    'with a fifth more than the peak',
    {},
    { ...MIG, ...past(0.1, 0.8, { peakMiB: 4_096 }) },
    'mig mig-2g.10gb',
    'considered MIG: measured 4Gi and a fifth more needs 2g.10gb, offered by 1 node',
  ],
  [
    'is not small with a fifth more',
    INFERENCE,
    { ...MIG, ...past(0.1, 0.8, { peakMiB: 17_066.6 }) },
    'mps gpu.shared',
    mps(2, '20Gi'),
  ],
  [
    'does not count where the pod declares its own',
    { memoryMiB: 1_024 },
    { ...MIG, ...past(0.1, 0.8, { peakMiB: 8_192 }) },
    'mig mig-1g.5gb',
    'considered MIG: declared 1Gi needs 1g.5gb, offered by 1 node',
  ],
  [
    'rules out smaller slots of MPS',
    INFERENCE,
    { ...SLOTS, ...past(0.1, 0.8, { peakMiB: 6_000 }) },
    'mps gpu.shared',
    mps(4, '10Gi'),
  ],
  [
    'rules out the configured MIG profile: memory is known',
    {},
    { ...MIG, ...past(0.1, 0.8, { peakMiB: 1_024 }), settings: { defaultMigProfile: '2g.10gb' } },
    'mig mig-1g.5gb',
    'considered MIG: measured 1Gi and a fifth more needs 1g.5gb, offered by 1 node',
  ],
]);

tap.test('the trail tells the past where there is one, and why there is none where there should be one', async (t) => {
  const reasons = (facts: Parameters<typeof admission>[2]) => decide(admission(INFERENCE, SLOTS.offers, facts)).reasons;
  t.strictSame(reasons(past(0.3, 0.6)).slice(0, 1), [
    'history: 30% of a GPU on average, burstiness 60%: up to 4 may share one',
  ]);
  t.strictSame(reasons({ noHistory: 'Prometheus has not answered yet' }).slice(0, 1), [
    'no history: Prometheus has not answered yet',
  ]);
  t.strictSame(reasons({}).length, 2, 'nobody keeps any: not a word');
});

tap.test('memory that the pod does not declare is counted on, and told to the scheduler', async (t) => {
  const assumed = (pod: Parameters<typeof admission>[0]) => {
    const decision = decide(admission(pod, MIG.offers, past(0.1, 0.8, { peakMiB: 1_000 })));
    return 'assumedMiB' in decision ? decision.assumedMiB : 'none';
  };
  t.equal(assumed({}), 1_200);
  t.equal(assumed({ explicitMode: 'mps' }), 1_200);
  t.equal(assumed({ memoryMiB: 512 }), undefined);
  t.equal(assumed({ workloadType: 'training' }), 'none');
});
