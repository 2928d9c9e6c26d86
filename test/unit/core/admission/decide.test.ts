/** The sharing decision: its rules in order of precedence, whom it leaves alone, and what bounds it whatever it finds. */

import fc from 'fast-check';
import tap from 'tap';
import { decide } from '#src/core/admission/decide.ts';
import type { PodFacts } from '#src/core/admission/decision-input.ts';
import { parseMigProfile } from '#src/core/mig/profile.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import type { SharedMode } from '#src/core/sharing-mode.ts';
import {
  admission,
  type Circumstances,
  decides,
  type End,
  EVERY_KIND,
  GIB,
  gpus,
  INFERENCE,
  inferredAs,
  inPools,
  NOTHING,
  offered,
  part,
  policy,
  shares,
  short,
  slot,
  used,
  wishes,
} from './make.ts';

const byMps = shares('mps', part(8, '5Gi'), 'inference');

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
    `sharing-mode: timeslicing was asked for: ${part(4, '10Gi', 3)}`,
  ],
  [
    'mig-profile, named',
    wishes('3g.20gb'),
    'mig mig-3g.20gb',
    `MIG profile 3g.20gb was asked for: ${offered('3g.20gb', 2)}`,
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

/** What stands above policies, in order of precedence, with the last word of each. */
const ABOVE: readonly [says: string, pod: Partial<PodFacts>, becomes: string, because: string][] = [
  ['no GPU', { requested: new Map() }, 'leave', 'the pod asks for no GPU'],
  ['an earlier decision', { alreadyDecided: true }, 'leave', 'the pod carries a decision already'],
  ['an exempt namespace', { namespace: 'kube-system' }, 'leave', 'namespace kube-system is exempt'],
  ['optimize: "false"', { optimize: false }, 'leave', 'the pod opted out (optimize: "false")'],
  ['another scheduler', { schedulerName: 'volcano' }, 'leave', 'the pod chose scheduler volcano'],
  ['a node of its own', { pinned: true }, 'leave', 'the pod is made for one node'],
  [
    'slots by name',
    { requested: new Map([[SHARED_GPU, 1]]) },
    'schedule',
    'the pod asks for nvidia.com/gpu.shared by name',
  ],
  ['sharing: disabled', { sharingDisabled: true }, 'exclusive', 'sharing: disabled'],
  ['several GPUs', gpus(8), 'exclusive', 'the pod asks for 8 GPUs, and only single-GPU pods share'],
  ['sharing-mode: exclusive', { explicitMode: 'exclusive' }, 'exclusive', 'sharing-mode: exclusive'],
  [
    'sharing-mode: timeslicing',
    { explicitMode: 'timeslicing' },
    'timeslicing gpu.shared',
    `sharing-mode: timeslicing was asked for: ${part(4, '10Gi', 3)}`,
  ],
  ['mig-profile', wishes('7g.40gb'), 'mig mig-7g.40gb', `MIG profile 7g.40gb was asked for: ${offered('7g.40gb')}`],
  ['the label training', { workloadType: 'training' }, 'exclusive', 'training keeps a whole GPU'],
];

const BELOW: readonly [says: string, circumstances: Circumstances][] = [
  ['a policy by MIG', { policies: [policy('mig', { priority: 1_000_000 })] }],
  ['a policy by MPS', { policies: [policy('mps', { priority: 1_000_000 })] }],
  ['a policy by time-slicing', { policies: [policy('timeslicing', { priority: 1_000_000 })] }],
  ['an exclusive policy', { policies: [policy('exclusive', { priority: 1_000_000 })] }],
  ['a policy that leaves it to the flow', { policies: [policy('auto', { priority: 1_000_000 })] }],
  ['an idle past', used(0.01, { p95: 0.9 })],
  ['a busy past', used(0.9)],
  ['looking like inference', inferredAs('inference')],
  ['looking like training', inferredAs('training')],
];

for (const [above, pod, becomes, because] of ABOVE) {
  for (const [below, circumstances] of BELOW) {
    tap.test(`${above} outweighs ${below}`, async (t) => {
      const decision = decide(admission(pod, EVERY_KIND, circumstances));
      t.equal(short(decision), becomes);
      t.strictSame(decision.reasons, [because]);
    });
  }
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
    wholeGpu: 'preferred',
    nodeSelector: {},
    reasons: ['the pod asks for nvidia.com/gpu.shared, nvidia.com/mig-1g.5gb by name'],
    warnings: [],
  });
  t.equal(short(decide(admission({ requested, optimize: false }))), 'leave', 'unless the pod opted out');
});

tap.test('our own scheduler, already named, is no other scheduler', async (t) => {
  t.equal(short(decide(admission({ schedulerName: 'gpu-autoscaler-scheduler', ...INFERENCE }))), 'mps gpu.shared');
});

/** Several GPUs, and none. */
const several = (count: number): End => ['exclusive', `the pod asks for ${count} GPUs, and only single-GPU pods share`];
decides([
  ['two GPUs of inference', { ...gpus(2), ...INFERENCE }, {}, ...several(2)],
  ['eight small GPUs', { ...gpus(8), memoryMiB: GIB }, {}, ...several(8)],
  ['two GPUs of a policy', gpus(2), { policies: [policy('mps')] }, ...several(2)],
  ['two GPUs and sharing: disabled', { ...gpus(2), sharingDisabled: true }, {}, 'exclusive', 'sharing: disabled'],
  ['a count of none', { requested: new Map() }, {}, 'leave', 'the pod asks for no GPU'],
]);

/** LimitRanges and ResourceQuotas of a namespace: what an administrator has set for whole GPUs is not got around. */
const LIMITED = { guards: { limited: new Set(['nvidia.com/gpu']), counted: new Set<string>() } };
const counted = (...resources: string[]) => ({ guards: { limited: new Set<string>(), counted: new Set(resources) } });
const limited =
  'a LimitRange of the namespace speaks of nvidia.com/gpu, and would apply to a slot as well: it keeps a whole GPU';
const uncounted = 'a ResourceQuota of the namespace counts nvidia.com/gpu, and no slots: it keeps a whole GPU';
decides([
  ['a LimitRange for whole GPUs: no slots', INFERENCE, LIMITED, 'exclusive', limited],
  ['whatever a policy says', INFERENCE, { ...LIMITED, policies: [policy('mps')] }, 'exclusive', limited],
  [
    'whatever the pod asks for, and its author is told',
    { explicitMode: 'mps' },
    LIMITED,
    'exclusive',
    limited,
    limited,
  ],
  ['a quota for whole GPUs alone: no slots', INFERENCE, counted(WHOLE_GPU), 'exclusive', uncounted],
  ['a quota for whole GPUs and shared ones: shared ones', INFERENCE, counted(WHOLE_GPU, SHARED_GPU), ...byMps],
  ['and no MIG, which it does not count', { ...INFERENCE, memoryMiB: 4_096 }, counted(WHOLE_GPU, SHARED_GPU), ...byMps],
  ['a quota for shared ones alone bounds nobody here: the API server counts', INFERENCE, counted(SHARED_GPU), ...byMps],
]);

/** rewriteRequests: false: whole GPUs for all, and the trail says what there would have been. */
const asked = { settings: { rewriteRequests: false } };
const kept = 'rewriteRequests is off: it keeps a whole GPU';
decides([
  ['inference', INFERENCE, asked, 'exclusive', kept],
  ['a wish', { explicitMode: 'mps' }, asked, 'exclusive', kept],
  ['a named profile', wishes('1g.5gb'), asked, 'exclusive', kept],
  ['a policy is named all the same', {}, { ...asked, policies: [policy('mps')] }, 'exclusive by by-mps', kept],
  [
    'a policy’s nodes have whole GPUs only by chance',
    {},
    {
      ...asked,
      policies: [policy('mps', { nodeSelector: { pool: 'a' } })],
      ...inPools({ a: [slot('mps', 5_120, 125)] }),
    },
    'exclusive by by-mps',
    kept,
  ],
  ['training would not share anyway', { workloadType: 'training' }, asked, 'exclusive', 'training keeps a whole GPU'],
  ['nobody knows the type', {}, asked, ...NOTHING],
]);

/** binPacking off: another scheduler places, and what is decided must do without ours. */
const elsewhere = {
  settings: {
    schedulerName: 'default-scheduler',
    modeSelectors: { mig: {}, mps: { sharing: 'mps' }, timeslicing: { sharing: 'time-slicing' } },
  },
  offersOn: (selector: object) =>
    EVERY_KIND.filter(({ mode }) => {
      const nodes = { sharing: mode === 'timeslicing' ? 'time-slicing' : mode === 'mps' ? 'mps' : 'none' };
      return Object.entries(selector).every(([key, value]) => key === 'sharing' && value === nodes.sharing);
    }),
};
decides([
  [
    'MPS: on nodes that share so, as slots of both kinds bear one name',
    INFERENCE,
    elsewhere,
    ...shares('mps', part(8, '5Gi'), 'inference', ' on sharing=mps'),
  ],
  [
    'time-slicing: likewise',
    { workloadType: 'development' },
    elsewhere,
    ...shares('timeslicing', part(4, '10Gi', 3), 'development', ' on sharing=time-slicing'),
  ],
  [
    'MIG: its resources tell it already',
    { memoryMiB: GIB },
    elsewhere,
    ...shares('mig', offered('1g.5gb'), 'declared 1Gi'),
  ],
  ['a whole GPU', { workloadType: 'training' }, elsewhere, 'exclusive', 'training keeps a whole GPU'],
  [
    'our scheduler, which is not there, is another one',
    { schedulerName: 'gpu-autoscaler-scheduler', ...INFERENCE },
    elsewhere,
    'leave',
    'the pod chose scheduler gpu-autoscaler-scheduler',
  ],
]);

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

tap.test('several slots by name: their author hears that they may be of one GPU', async (t) => {
  const asked = (count: number) => decide(admission({ requested: new Map([[SHARED_GPU, count]]) })).warnings;
  t.strictSame(asked(1), []);
  t.match(asked(2), [/^2 slots of nvidia\.com\/gpu\.shared may be of one GPU/]);
});
