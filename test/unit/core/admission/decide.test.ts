/** The sharing decision: its rules in order of precedence, with their reasons and warnings. */

import fc from 'fast-check';
import tap from 'tap';
import { decide } from '#src/core/admission/decide.ts';
import type { PodFacts } from '#src/core/admission/decision-input.ts';
import type { WorkloadType } from '#src/core/admission/workload-type.ts';
import { parseMigProfile } from '#src/core/mig/profile.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import type { SharedMode } from '#src/core/sharing-mode.ts';
import { admission, EVERY_KIND, gpus, instance, off, short, slot, wishes } from './make.ts';

/** Every rule, alone and in its place: the facts that make it speak, and what it says. */
const rules: readonly [says: string, pod: Partial<PodFacts>, decision: string, reason: string][] = [
  ['a pod without GPU is none of our business', { requested: new Map() }, 'leave', 'the pod asks for no GPU'],
  ['what was decided stays', { alreadyDecided: true }, 'leave', 'the pod carries a decision already'],
  ['an exempt namespace', { namespace: 'production' }, 'leave', 'namespace production is exempt'],
  ['optimize: "false"', { optimize: false }, 'leave', 'the pod opted out (optimize: "false")'],
  ['another scheduler', { schedulerName: 'volcano' }, 'leave', 'the pod chose scheduler volcano'],
  ['sharing: disabled', { sharingDisabled: true }, 'exclusive', 'sharing: disabled'],
  ['several GPUs', gpus(2), 'exclusive', 'the pod asks for 2 GPUs, and only single-GPU pods share'],
  [
    'sharing-mode, named',
    { explicitMode: 'timeslicing' },
    'timeslicing gpu.shared',
    'sharing-mode: timeslicing was asked for: a slot of 1/4 GPU (10Gi), offered by 3 nodes',
  ],
  [
    'mig-profile, named',
    wishes('3g.20gb'),
    'mig mig-3g.20gb',
    'MIG profile 3g.20gb was asked for: 3g.20gb, offered by 2 nodes',
  ],
  ['training', { workloadType: 'training' }, 'exclusive', 'training keeps a whole GPU'],
  [
    'little memory',
    { memoryMiB: 4_096 },
    'mig mig-1g.5gb',
    'considered MIG: declared 4Gi needs 1g.5gb, offered by 1 node',
  ],
];

for (const [i, [says, pod, decision, reason]] of rules.entries()) {
  tap.test(`rule ${i + 1}: ${says}`, async (t) => {
    const alone = decide(admission(pod));
    t.equal(short(alone), decision);
    t.strictSame(alone.reasons, [reason]);
    t.strictSame(alone.warnings, []);
    // Its word counts against all that the rules after it would say.
    const lower = rules.slice(i).map(([, facts]) => facts);
    const both = decide(admission(Object.assign({}, ...lower.toReversed())));
    t.equal(short(both), decision, 'and outweighs every rule below');
  });
}

tap.test('slots asked for by name are placed, not decided', async (t) => {
  const requested = new Map([
    [SHARED_GPU, 1],
    ['nvidia.com/mig-1g.5gb', 1],
    [WHOLE_GPU, 1],
  ]);
  t.strictSame(decide(admission({ requested, workloadType: 'inference', sharingDisabled: true })), {
    action: 'schedule',
    decided: false,
    nodeSelector: {},
    reasons: ['the pod asks for nvidia.com/gpu.shared, nvidia.com/mig-1g.5gb by name'],
    warnings: [],
  });
  t.equal(short(decide(admission({ requested, optimize: false }))), 'leave', 'unless the pod opted out');
});

tap.test('our own scheduler, already named, is no other scheduler', async (t) => {
  t.equal(
    short(decide(admission({ schedulerName: 'gpu-autoscaler-scheduler', workloadType: 'inference' }))),
    'mps gpu.shared',
  );
});

const GIB = 1_024;
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
  const decided = (pod: Partial<PodFacts>) =>
    short(decide(admission({ workloadType: 'inference', ...pod }, [slot('mps', undefined, 250)])));
  t.equal(decided({}), 'mps gpu.shared');
  t.not(decided({ memoryMiB: 1 }), 'mps gpu.shared');
});

/** Explicit wishes that cannot be kept: the pod gets a whole GPU and its author a warning. */
const refused: readonly [says: string, pod: Partial<PodFacts>, why: string][] = [
  [
    'the pod itself',
    { explicitMode: 'mps', ...off('mps') },
    'sharing-mode: mps was asked for, but the pod switched it off (mps-enabled: "false")',
  ],
  [
    'too small slots',
    { explicitMode: 'mps', memoryMiB: 30 * GIB },
    'sharing-mode: mps was asked for, but no node offers a slot that holds the pod',
  ],
  [
    'no such profile here',
    wishes('2g.10gb'),
    'MIG profile 2g.10gb was asked for, but no node offers a slot that holds the pod',
  ],
  [
    'too small a profile',
    { ...wishes('1g.5gb'), memoryMiB: 8 * GIB },
    'MIG profile 1g.5gb was asked for, but no node offers a slot that holds the pod',
  ],
];

for (const [says, pod, why] of refused) {
  tap.test(`an explicit wish is never answered by another way of sharing: ${says}`, async (t) => {
    const sentence = `${why}: it keeps a whole GPU`;
    const decision = decide(admission({ workloadType: 'development', ...pod }));
    t.strictSame(decision, {
      action: 'schedule',
      decided: true,
      nodeSelector: {},
      reasons: [sentence],
      warnings: [sentence],
    });
  });
}

tap.test('several GPUs make an explicit wish void, and its author is told', async (t) => {
  const ignored = 'is ignored: the pod asks for 2 GPUs, and only single-GPU pods share';
  const warnings = (pod: Partial<PodFacts>) => decide(admission({ ...gpus(2), ...pod })).warnings;
  t.strictSame(warnings({ explicitMode: 'mps' }), [`sharing-mode ${ignored}`]);
  t.strictSame(warnings(wishes('1g.5gb')), [`mig-profile ${ignored}`]);
  t.strictSame(warnings({ explicitMode: 'mig', ...wishes('1g.5gb') }), [`sharing-mode ${ignored}`]);
  t.strictSame(warnings({ explicitMode: 'exclusive' }), [], 'several whole GPUs are what was asked for');
});

tap.test('of two wishes that contradict, sharing-mode counts, and the author is told', async (t) => {
  for (const [explicitMode, kept] of [
    ['mps', 'mps gpu.shared'],
    ['timeslicing', 'timeslicing gpu.shared'],
    ['exclusive', 'exclusive'],
  ] as const) {
    const decision = decide(admission({ explicitMode, ...wishes('1g.5gb') }));
    t.equal(short(decision), kept);
    t.strictSame(decision.warnings, [`mig-profile is ignored: sharing-mode is ${explicitMode}`]);
  }
});

tap.test('sharing-mode: exclusive is a wish like any other', async (t) => {
  const decision = decide(admission({ explicitMode: 'exclusive', workloadType: 'inference', memoryMiB: 1 * GIB }));
  t.strictSame(decision, {
    action: 'schedule',
    decided: true,
    nodeSelector: {},
    reasons: ['sharing-mode: exclusive'],
    warnings: [],
  });
});

tap.test('sharing-mode: mig takes the smallest profile, unless mig-profile names one', async (t) => {
  t.equal(short(decide(admission({ explicitMode: 'mig' }))), 'mig mig-1g.5gb');
  t.equal(short(decide(admission({ explicitMode: 'mig', ...wishes('7g.40gb') }))), 'mig mig-7g.40gb');
});

const anyPod: fc.Arbitrary<Partial<PodFacts>> = fc.record({
  namespace: fc.constantFrom('team', 'kube-system'),
  requested: fc.constantFrom(
    new Map(),
    ...[1, 1, 1, 4].map((count) => gpus(count).requested),
    new Map([[SHARED_GPU, 1]]),
  ),
  schedulerName: fc.constantFrom('default-scheduler', 'gpu-autoscaler-scheduler', 'volcano'),
  workloadType: fc.constantFrom(undefined, 'training', 'inference', 'development', 'batch'),
  optimize: fc.boolean(),
  alreadyDecided: fc.boolean(),
  sharingDisabled: fc.boolean(),
  explicitMode: fc.constantFrom(undefined, undefined, 'exclusive', 'mps', 'timeslicing', 'mig'),
  explicitProfile: fc.constantFrom(undefined, undefined, ...['1g.5gb', '2g.10gb'].map(parseMigProfile)),
  disabledModes: fc.subarray<SharedMode>(['mig', 'mps', 'timeslicing']).map((modes) => new Set(modes)),
  memoryMiB: fc.option(fc.integer({ min: 1, max: 90_000 }), { nil: undefined }),
  fractionMilli: fc.option(fc.integer({ min: 1, max: 1_000 }), { nil: undefined }),
});
const calm = { alreadyDecided: false, optimize: true, namespace: 'team', schedulerName: 'default-scheduler' };
const modes = fc.subarray<SharedMode>(['mig', 'mps', 'timeslicing']);

tap.test('whatever the facts, a decision has a reason, and a pod that shares gets a slot that holds it', async () => {
  const anyFacts = fc.tuple(
    fc.oneof(
      anyPod,
      anyPod.map((pod) => ({ ...pod, ...calm })),
    ),
    fc.subarray([...EVERY_KIND]),
    modes,
  );
  fc.assert(
    fc.property(anyFacts, ([facts, offers, enabled]) => {
      const given = admission(facts, offers, { settings: { enabledModes: new Set(enabled) } });
      const { pod, settings } = given;
      const decision = decide(given);
      if (decision.action !== 'share') return decision.reasons.length > 0;
      const { mode, resource, reasons } = decision;
      const holds = offers.some(
        (offer) =>
          offer.mode === mode &&
          offer.resource === resource &&
          (offer.slotMiB ?? 0) >= (pod.memoryMiB ?? 0) &&
          offer.slotMilli >= (pod.fractionMilli ?? 0),
      );
      const wished = pod.explicitMode ?? (pod.explicitProfile ? 'mig' : mode);
      const allowed = settings.enabledModes.has(mode) && !pod.disabledModes.has(mode) && !pod.sharingDisabled;
      return reasons.length > 0 && holds && allowed && wished === mode && pod.requested.get(WHOLE_GPU) === 1;
    }),
    { numRuns: 1_000 },
  );
});
