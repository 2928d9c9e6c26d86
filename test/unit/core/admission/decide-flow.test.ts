/** The decision flow: what pods declare, what they look like, what their workload used before; and how the configuration bounds it. */

import tap from 'tap';
import { decide } from '#src/core/admission/decide.ts';
import type { WorkloadType } from '#src/core/admission/workload-type.ts';
import { equalTo } from '#src/core/label-selector.ts';
import type { SharedMode } from '#src/core/sharing-mode.ts';
import {
  admission,
  DEVELOPMENT,
  decides,
  type End,
  EVERY_KIND,
  EVERY_PART,
  FINE_AND_COARSE,
  GIB,
  INFERENCE,
  inferredAs,
  instance,
  modes,
  NOTHING,
  off,
  offered,
  part,
  policy,
  possible,
  shares,
  short,
  slot,
  used,
} from './make.ts';

const BATCH = { workloadType: 'batch' } as const;

const mig = (profile: string, of: string, nodes?: number) => shares('mig', offered(profile, nodes), of);
const mps = (slot = part(8, '5Gi'), of = 'inference') => shares('mps', slot, of);
const time = (slot = part(4, '10Gi', 3), of = 'development') => shares('timeslicing', slot, of);

/** The flow of the specification, 5: training, then small memory, then inference, then development and batch. */
const flow: readonly [says: string, type: WorkloadType | undefined, memoryMiB: number | undefined, decision: string][] =
  [
    ['inference shares by MPS', 'inference', undefined, 'mps gpu.shared'],
    ['development shares by time-slicing', 'development', undefined, 'timeslicing gpu.shared'],
    ['batch of unknown memory shares by time-slicing', 'batch', undefined, 'timeslicing gpu.shared'],
    ['nothing known: a whole GPU', undefined, undefined, 'exclusive'],
    ['training keeps a whole GPU, however small', 'training', 1 * GIB, 'exclusive'],
    ['small memory comes before the type', 'inference', 4 * GIB, 'mig mig-1g.5gb'],
    ['small memory needs no type', undefined, 4 * GIB, 'mig mig-1g.5gb'],
    ['the smallest profile that holds the pod', 'development', 5 * GIB, 'mig mig-3g.20gb'],
    ['just under 20 GiB is small', undefined, 20 * GIB - 1, 'mig mig-7g.40gb'],
    ['20 GiB is not small', undefined, 20 * GIB, 'exclusive'],
    ['20 GiB of inference: no slot of MPS holds it', 'inference', 20 * GIB, 'exclusive'],
    ['batch takes MIG of any size', 'batch', 20 * GIB, 'mig mig-7g.40gb'],
    ['batch above every profile: no slot of time holds it', 'batch', 60 * GIB, 'exclusive'],
  ];

for (const [says, workloadType, memoryMiB, decision] of flow) {
  tap.test(says, async (t) => t.equal(short(decide(admission({ workloadType, memoryMiB }))), decision));
}

tap.test('the trail says what was tried before', async (t) => {
  t.strictSame(decide(admission({ workloadType: 'inference' })).reasons, [
    'skipped MIG: no GPU memory is declared',
    'considered MPS: inference takes a slot of 1/8 GPU (5Gi), offered by 1 node',
  ]);
  t.strictSame(decide(admission({ workloadType: 'inference', memoryMiB: 20 * GIB })).reasons, [
    'skipped MIG: declared 20Gi is not under 20Gi',
    'considered MPS: inference, but no node offers a slot that holds the pod',
    'no rule shares this pod: it keeps a whole GPU',
  ]);
  t.strictSame(decide(admission({ workloadType: 'batch', memoryMiB: 60 * GIB })).reasons, [
    'skipped MIG: declared 60Gi is not under 20Gi',
    'considered MIG: batch, declared 60Gi, but no node offers a slot that holds the pod',
    'considered time-slicing: batch, but no node offers a slot that holds the pod',
    'no rule shares this pod: it keeps a whole GPU',
  ]);
});

tap.test('a strategy switched off lets the next one speak', async (t) => {
  const small = { workloadType: 'inference', memoryMiB: 4 * GIB } as const;
  t.equal(short(decide(admission({ ...small, ...off('mig') }))), 'mps gpu.shared');
  t.equal(
    decide(admission({ ...small, ...off('mig') })).reasons[0],
    'considered MIG: the pod switched it off (mig-enabled: "false")',
  );
  t.equal(short(decide(admission({ ...small, ...off('mig', 'mps') }))), 'exclusive');
  t.equal(
    short(
      decide(
        admission({ workloadType: 'batch', memoryMiB: 30 * GIB, ...off('mig') }, [
          instance('7g.40gb', 40_192, 1_000),
          slot('timeslicing', 40_960, 500),
        ]),
      ),
    ),
    'timeslicing gpu.shared',
  );
  const settings = { enabledModes: new Set<SharedMode>(['mps']), autoDetectWorkloadType: false };
  const decision = decide(admission(small, EVERY_KIND, { settings }));
  t.equal(short(decision), 'mps gpu.shared');
  t.equal(decision.reasons[0], 'considered MIG: MIG is switched off by the configuration');
  t.equal(short(decide(admission({ workloadType: 'development' }, EVERY_KIND, { settings }))), 'exclusive');
});

tap.test('a declared share of a GPU needs a slot of that share', async (t) => {
  const shared = (fractionMilli: number) => decide(admission({ workloadType: 'inference', fractionMilli }));
  t.equal(short(shared(250)), 'mps gpu.shared');
  t.equal(short(shared(251)), 'exclusive');
  t.equal(short(decide(admission({ memoryMiB: 1 * GIB, fractionMilli: 300 }))), 'mig mig-3g.20gb');
});

tap.test('a slot of just the declared memory holds the pod', async (t) => {
  t.equal(short(decide(admission({ memoryMiB: 4_864 }))), 'mig mig-1g.5gb');
  t.equal(short(decide(admission({ memoryMiB: 4_865 }))), 'mig mig-3g.20gb');
});

tap.test('a slot of unknown memory holds a pod that declares none, and no other', async (t) => {
  const offers = [slot('mps', undefined, 250)];
  t.equal(short(decide(admission(INFERENCE, offers))), 'mps gpu.shared');
  t.equal(short(decide(admission({ ...INFERENCE, memoryMiB: 1 }, offers))), 'exclusive');
});

/** Strategies that are switched off, or that nobody offers, let the next one speak. */
decides([
  [
    'inference while MPS is off in the configuration: never another way',
    INFERENCE,
    modes('mig', 'timeslicing'),
    ...NOTHING,
  ],
  [
    'small inference while MPS is off: MIG all the same',
    { ...INFERENCE, memoryMiB: GIB },
    modes('mig'),
    ...mig('1g.5gb', 'declared 1Gi'),
  ],
  ['small inference while MIG is off: MPS', { ...INFERENCE, memoryMiB: GIB }, modes('mps', 'timeslicing'), ...mps()],
  [
    'small development while MIG is off: time-slicing',
    { ...DEVELOPMENT, memoryMiB: GIB },
    modes('mps', 'timeslicing'),
    ...time(),
  ],
  ['small memory alone while MIG is off', { memoryMiB: GIB }, modes('mps', 'timeslicing'), ...NOTHING],
  [
    'large batch while MIG is off: time-slicing, if a slot holds it',
    { ...BATCH, memoryMiB: 20 * GIB },
    { ...modes('mps', 'timeslicing'), offers: [slot('timeslicing', 40_960, 250)] },
    ...time(part(4, '40Gi'), 'batch'),
  ],
  ['development while time-slicing is off', DEVELOPMENT, modes('mig', 'mps'), ...NOTHING],
  ['everything off', { ...INFERENCE, memoryMiB: GIB }, modes(), ...NOTHING],
  ['mig-enabled: "false" of small inference', { ...INFERENCE, memoryMiB: GIB, ...off('mig') }, {}, ...mps()],
  ['mps-enabled: "false" of inference', { ...INFERENCE, ...off('mps') }, {}, ...NOTHING],
  ['time-slicing-enabled: "false" of batch', { ...BATCH, ...off('timeslicing') }, {}, ...NOTHING],
  [
    'time-slicing-enabled: "false" of large batch: MIG all the same',
    { ...BATCH, memoryMiB: 30 * GIB, ...off('timeslicing') },
    {},
    ...mig('7g.40gb', 'batch, declared 30Gi'),
  ],
  ['nobody offers anything', { ...INFERENCE, memoryMiB: GIB }, { offers: [] }, ...NOTHING],
  [
    'only whole GPUs are there: MIG is no matter of memory alone',
    { memoryMiB: GIB },
    { offers: EVERY_KIND.filter(({ mode }) => mode === 'mps') },
    ...NOTHING,
  ],
]);

/** The smallest slot that holds the pod, of those that are there and those that could be. */
decides([
  [
    'one that could be made, where it is smaller',
    { memoryMiB: 6 * GIB },
    { offers: [possible(instance('2g.10gb', 9_728, 285), 4), instance('3g.20gb', 19_968, 428)] },
    ...shares('mig', '2g.10gb, which 4 nodes could be configured to offer', 'declared 6Gi'),
  ],
  [
    'one that is there, where that is smaller',
    { memoryMiB: GIB },
    { offers: [instance('1g.5gb', 4_864, 142), possible(instance('1g.10gb', 9_728, 142))] },
    ...mig('1g.5gb', 'declared 1Gi'),
  ],
  [
    'one that could be made, where nobody has any',
    INFERENCE,
    { offers: [possible(slot('mps', 2_560, 62), 2)] },
    ...mps('a slot of 1/16 GPU (2560Mi), which 2 nodes could be configured to offer'),
  ],
  [
    'of one kind that some have and others could have, those that have it are told',
    INFERENCE,
    { offers: [{ ...slot('mps', 5_120, 125, 3), possible: 7 }] },
    ...mps(part(8, '5Gi', 3)),
  ],
  [
    'batch of declared memory: an instance that could be made',
    { ...BATCH, memoryMiB: 30 * GIB },
    { offers: [possible(instance('7g.40gb', 40_192, 1_000))] },
    ...shares('mig', '7g.40gb, which 1 node could be configured to offer', 'batch, declared 30Gi'),
  ],
  [
    'a declared share rules out smaller instances',
    { memoryMiB: GIB, fractionMilli: 143 },
    {},
    ...mig('3g.20gb', 'declared 1Gi', 2),
  ],
  [
    'a declared share of a whole GPU leaves a whole instance',
    { memoryMiB: GIB, fractionMilli: 1_000 },
    {},
    ...mig('7g.40gb', 'declared 1Gi'),
  ],
  ['a declared share alone makes no pod small', { fractionMilli: 100 }, {}, ...NOTHING],
  [
    'priority without fairnessMode: priority changes nothing',
    { ...DEVELOPMENT, priority: 1_000 },
    FINE_AND_COARSE,
    ...time(part(8, '5Gi')),
  ],
  [
    'fairnessMode: priority of the configuration: the largest slot',
    { ...DEVELOPMENT, priority: 1_000 },
    { ...FINE_AND_COARSE, settings: { timeSlicing: { replicasPerGpu: 4, sliceMs: 100, fairnessMode: 'priority' } } },
    ...time(part(2, '20Gi')),
  ],
]);

/** What a pod looks like speaks where it has no label, and last. */
const busy = (mean: number, burstiness: number): End => [
  'exclusive',
  `history: ${mean}% of a GPU on average, burstiness ${burstiness}%: too much to share`,
];
const NO_RULE = 'no rule shares this pod: it keeps a whole GPU';
const keeps: End = ['exclusive', 'training keeps a whole GPU'];
decides([
  [
    'inference, where its memory is known',
    { memoryMiB: 20 * GIB },
    { ...inferredAs('inference'), offers: [slot('mps', 40_960, 500)] },
    ...mps(part(2, '40Gi')),
  ],
  ['inference that might take all the memory there is', {}, inferredAs('inference'), 'exclusive', NO_RULE],
  ['development', {}, inferredAs('development'), ...time()],
  ['batch', {}, inferredAs('batch'), ...time(part(4, '10Gi', 3), 'batch')],
  ['training', {}, inferredAs('training'), ...keeps],
  ['training, however small', { memoryMiB: GIB }, inferredAs('training'), ...keeps],
  ['the label outweighs it', DEVELOPMENT, inferredAs('training'), ...time()],
  [
    'autoDetectWorkloadType: false: it is not looked at',
    {},
    { ...inferredAs('inference'), settings: { autoDetectWorkloadType: false } },
    ...NOTHING,
  ],
  ['a busy past outweighs looking like inference', {}, { ...inferredAs('inference'), ...used(0.8) }, ...busy(80, 0)],
  [
    'a policy outweighs it',
    { labels: { app: 'web' } },
    { ...inferredAs('training'), policies: [policy('mps', { podSelector: equalTo({ app: 'web' }) })] },
    ...shares('mps', part(8, '5Gi'), 'a pod of unknown GPU memory', ' by by-mps'),
  ],
]);

/** What a workload used of its GPUs before: mean and burstiness of 0 to 1. */
const past = (mean: number, burstiness: number, more: Parameters<typeof used>[1] = {}) =>
  used(mean, { p95: mean / (1 - burstiness), ...more });
const [eighth, quarter, half] = [part(8, '5Gi'), part(4, '10Gi'), part(2, '20Gi')];

/** The specification's table: average utilisation, burstiness, recommended replicas. */
decides([
  ['<20%, >70%: 8', DEVELOPMENT, { ...EVERY_PART, ...past(0.1, 0.8) }, ...time(eighth)],
  ['<20%, but 60%: 4', DEVELOPMENT, { ...EVERY_PART, ...past(0.1, 0.6) }, ...time(quarter)],
  ['<20%, but steady: 2', DEVELOPMENT, { ...EVERY_PART, ...past(0.1, 0.1) }, ...time(half)],
  ['20%, >70%: 4', DEVELOPMENT, { ...EVERY_PART, ...past(0.2, 0.75) }, ...time(quarter)],
  ['20-40%, >50%: 4', DEVELOPMENT, { ...EVERY_PART, ...past(0.3, 0.6) }, ...time(quarter)],
  ['20-40%, but 40%: 2', DEVELOPMENT, { ...EVERY_PART, ...past(0.3, 0.4) }, ...time(half)],
  ['40-60%, steady: 2', DEVELOPMENT, { ...EVERY_PART, ...past(0.5, 0) }, ...time(half)],
  ['40-60%, in bursts: 2', DEVELOPMENT, { ...EVERY_PART, ...past(0.45, 0.55) }, ...time(half)],
  ['60%: 2', DEVELOPMENT, { ...EVERY_PART, ...past(0.6, 0) }, ...time(half)],
  ['>60%: no sharing', DEVELOPMENT, { ...EVERY_PART, ...past(0.61, 0.3) }, ...busy(61, 30)],
  ['>60% of inference', INFERENCE, { ...EVERY_PART, ...past(0.9, 0.1) }, ...busy(90, 10)],
  ['>60% of batch', BATCH, { ...EVERY_PART, ...past(0.8, 0.2) }, ...busy(80, 20)],
  ['>60% of a small pod', { memoryMiB: GIB }, { ...EVERY_PART, ...past(0.7, 0) }, ...busy(70, 0)],
  ['a GPU that was never used: 2', DEVELOPMENT, { ...EVERY_PART, ...used(0) }, ...time(half)],
  ['without a past: the smallest slot', DEVELOPMENT, EVERY_PART, ...time(part(16, '2560Mi'))],
  [
    'a share that the pod declares outweighs the past',
    { ...DEVELOPMENT, fractionMilli: 200 },
    { ...EVERY_PART, ...past(0.5, 0) },
    ...time(quarter),
  ],
  [
    'no slot is coarse enough',
    DEVELOPMENT,
    { offers: [slot('timeslicing', 10_240, 250)], ...past(0.5, 0) },
    ...NOTHING,
  ],
  ['the table holds for MPS as well', INFERENCE, { ...EVERY_PART, ...past(0.3, 0.6) }, ...mps(quarter)],
]);

/** MPS suits up to 50%, and above that up to 60% as long as it did; `suitsMps` has the memory. */
decides([
  ['50%: MPS', INFERENCE, { ...EVERY_PART, ...past(0.5, 0, { suitsMps: true }) }, ...mps(half)],
  ['55%, after less: MPS', INFERENCE, { ...EVERY_PART, ...past(0.55, 0, { suitsMps: true }) }, ...mps(half)],
  ['55%, after more: no MPS', INFERENCE, { ...EVERY_PART, ...past(0.55, 0, { suitsMps: false }) }, ...NOTHING],
  [
    'development at 55% shares by time-slicing, whatever suits MPS',
    DEVELOPMENT,
    { ...EVERY_PART, ...past(0.55, 0, { suitsMps: false }) },
    ...time(half),
  ],
]);

/** Memory that was measured: a fifth more than the peak. */
const MIG = { offers: [instance('1g.5gb', 4_864, 142), instance('2g.10gb', 9_856, 285), ...EVERY_PART.offers] };
const idle = (peakMiB: number) => past(0.1, 0.8, { peakMiB });
decides([
  ['makes a pod small', {}, { ...MIG, ...idle(2_048) }, ...mig('1g.5gb', 'measured 2Gi and a fifth more')],
  [
    'with a fifth more than the peak',
    {},
    { ...MIG, ...idle(4_096) },
    ...mig('2g.10gb', 'measured 4Gi and a fifth more'),
  ],
  ['is not small with a fifth more', INFERENCE, { ...MIG, ...idle(17_066.6) }, ...mps(half)],
  [
    'does not count where the pod declares its own',
    { memoryMiB: GIB },
    { ...MIG, ...idle(8_192) },
    ...mig('1g.5gb', 'declared 1Gi'),
  ],
  ['rules out smaller slots of MPS', INFERENCE, { ...EVERY_PART, ...idle(6_000) }, ...mps(quarter)],
  [
    'rules out the configured MIG profile: memory is known',
    {},
    { ...MIG, ...idle(1_024), settings: { defaultMigProfile: '2g.10gb' } },
    ...mig('1g.5gb', 'measured 1Gi and a fifth more'),
  ],
]);

tap.test('the trail tells the past where there is one, and why there is none where there should be one', async (t) => {
  const reasons = (facts: Parameters<typeof admission>[2]) =>
    decide(admission(INFERENCE, EVERY_PART.offers, facts)).reasons;
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
