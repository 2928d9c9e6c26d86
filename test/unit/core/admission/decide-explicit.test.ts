/** What the pod's own annotations ask for: that way of sharing or a whole GPU, never another. */

import tap from 'tap';
import { decide } from '#src/core/admission/decide.ts';
import type { PodFacts } from '#src/core/admission/decision-input.ts';
import {
  admission,
  decides,
  type End,
  GIB,
  gpus,
  inferredAs,
  instance,
  modes,
  off,
  offered,
  part,
  policy,
  possible,
  short,
  slot,
  used,
  wishes,
  without,
} from './make.ts';

const mps = (slot = part(8, '5Gi')): End => ['mps gpu.shared', `sharing-mode: mps was asked for: ${slot}`];
const timeslicing: End = ['timeslicing gpu.shared', `sharing-mode: timeslicing was asked for: ${part(4, '10Gi', 3)}`];
const mig = (profile: string, nodes?: number): End => [
  `mig mig-${profile}`,
  `sharing-mode: mig was asked for: ${offered(profile, nodes)}`,
];
const named = (profile: string, offer = offered(profile)): End => [
  `mig mig-${profile.replace('+', '.')}`,
  `MIG profile ${profile} was asked for: ${offer}`,
];
/** What is refused is the reason and the warning. */
const refuses = (wish: string, why = 'no node offers a slot that holds the pod'): End => {
  const text = `${wish} was asked for, but ${why}: it keeps a whole GPU`;
  return ['exclusive', text, text];
};
const migByDefault = (defaultMigProfile: string) => ({ settings: { defaultMigProfile } });
const MIG_OFF = 'MIG is switched off by the configuration';

/** Wishes that are kept. */
decides([
  ['mps: the smallest slot', { explicitMode: 'mps' }, {}, ...mps()],
  [
    'mps with memory: the smallest slot that holds it',
    { explicitMode: 'mps', memoryMiB: 6 * GIB },
    {},
    ...mps(part(4, '10Gi')),
  ],
  [
    'mps with a share: the smallest slot of that share',
    { explicitMode: 'mps', fractionMilli: 200 },
    {},
    ...mps(part(4, '10Gi')),
  ],
  ['mig: the smallest instance, where memory is unknown', { explicitMode: 'mig' }, {}, ...mig('1g.5gb')],
  [
    'mig: the configured profile, where memory is unknown',
    { explicitMode: 'mig' },
    migByDefault('3g.20gb'),
    ...mig('3g.20gb', 2),
  ],
  [
    'mig: not the configured profile, where memory is known',
    { explicitMode: 'mig', memoryMiB: 2 * GIB },
    migByDefault('3g.20gb'),
    ...mig('1g.5gb'),
  ],
  [
    'mig: the smallest, where nobody offers the configured profile',
    { explicitMode: 'mig' },
    migByDefault('2g.10gb'),
    ...mig('1g.5gb'),
  ],
  ['mig of 30 GiB: small is a matter of the flow', { explicitMode: 'mig', memoryMiB: 30 * GIB }, {}, ...mig('7g.40gb')],
  [
    'mig-profile of media engines, where it is on offer',
    wishes('1g.5gb+me'),
    { offers: [instance('1g.5gb', 4_864, 142), instance('1g.5gb+me', 4_864, 142)] },
    ...named('1g.5gb+me'),
  ],
  [
    'mig-profile that a node could be configured to offer',
    wishes('2g.10gb'),
    { offers: [instance('1g.5gb', 4_864, 142), possible(instance('2g.10gb', 9_728, 285), 2)] },
    ...named('2g.10gb', '2g.10gb, which 2 nodes could be configured to offer'),
  ],
  ['mig-profile, whatever the configured one is', wishes('7g.40gb'), migByDefault('1g.5gb'), ...named('7g.40gb')],
  ['mps of training: its author knows', { explicitMode: 'mps', workloadType: 'training' }, {}, ...mps()],
  ['timeslicing of what looks like training', { explicitMode: 'timeslicing' }, inferredAs('training'), ...timeslicing],
  [
    'mps of a workload that kept its GPU busy: the past is no reason against a wish',
    { explicitMode: 'mps' },
    used(0.95),
    ...mps(),
  ],
  ['timeslicing finer than the past recommends', { explicitMode: 'timeslicing' }, used(0.5), ...timeslicing],
  [
    'memory that was measured counts: too small a slot would end the pod',
    { explicitMode: 'mps' },
    used(0.1, { peakMiB: 5 * GIB }),
    ...mps(part(4, '10Gi')),
  ],
  [
    'sharing-mode counts, whatever the policy says',
    { explicitMode: 'timeslicing' },
    { policies: [policy('mps', { priority: 9 })] },
    ...timeslicing,
  ],
  [
    'and the policy’s limits are not for it',
    { explicitMode: 'mps' },
    { policies: [policy('mps', { mps: { maxClients: 2, defaultActiveThreads: 100, memoryLimitMiB: 9_000 } })] },
    ...mps(),
  ],
  [
    'what it has switched off besides does not matter',
    { explicitMode: 'mps', ...off('mig', 'timeslicing') },
    {},
    ...mps(),
  ],
  [
    'mig-profile beside sharing-mode: mig',
    { explicitMode: 'mig', ...wishes('3g.20gb') },
    {},
    ...named('3g.20gb', offered('3g.20gb', 2)),
  ],
  [
    'exclusive, however small and whatever the policy',
    { explicitMode: 'exclusive', memoryMiB: GIB },
    { policies: [policy('mig')] },
    'exclusive',
    'sharing-mode: exclusive',
  ],
  [
    'exclusive while everything is switched off',
    { explicitMode: 'exclusive' },
    modes(),
    'exclusive',
    'sharing-mode: exclusive',
  ],
  [
    'mps where the memory of slots is not known, and none is declared',
    { explicitMode: 'mps' },
    { offers: [slot('mps', undefined, 250)] },
    ...mps('a slot of 1/4 GPU, offered by 1 node'),
  ],
  [
    'so many slots that their number cannot be told from their share',
    { explicitMode: 'mps' },
    { offers: [slot('mps', 853, 20)] },
    ...mps('a slot of 20m GPU (853Mi), offered by 1 node'),
  ],
]);

/** Wishes that are not: a whole GPU, and the author is told. */
decides([
  [
    'mps that nobody offers',
    { explicitMode: 'mps', workloadType: 'development' },
    without('mps'),
    ...refuses('sharing-mode: mps'),
  ],
  [
    'mig that nobody offers, of a small pod',
    { explicitMode: 'mig', memoryMiB: GIB },
    without('mig'),
    ...refuses('sharing-mode: mig'),
  ],
  [
    'timeslicing that nobody offers, of inference',
    { explicitMode: 'timeslicing', workloadType: 'inference' },
    without('timeslicing'),
    ...refuses('sharing-mode: timeslicing'),
  ],
  [
    'mps that nobody offers is not given by a policy either',
    { explicitMode: 'mps' },
    { ...without('mps'), policies: [policy('timeslicing')] },
    ...refuses('sharing-mode: mps'),
  ],
  [
    'mig that the configuration has switched off',
    { explicitMode: 'mig' },
    modes('mps', 'timeslicing'),
    ...refuses('sharing-mode: mig', MIG_OFF),
  ],
  [
    'mig-profile while the configuration has switched MIG off',
    wishes('1g.5gb'),
    modes('mps'),
    ...refuses('MIG profile 1g.5gb', MIG_OFF),
  ],
  [
    'timeslicing that the same pod has switched off',
    { explicitMode: 'timeslicing', ...off('timeslicing') },
    {},
    ...refuses('sharing-mode: timeslicing', 'the pod switched it off (time-slicing-enabled: "false")'),
  ],
  [
    'mig-profile while the same pod has switched MIG off',
    { ...wishes('1g.5gb'), ...off('mig') },
    {},
    ...refuses('MIG profile 1g.5gb', 'the pod switched it off (mig-enabled: "false")'),
  ],
  [
    'a larger profile is not given instead of the one that is named',
    wishes('2g.10gb'),
    {},
    ...refuses('MIG profile 2g.10gb'),
  ],
  [
    'a profile smaller than the declared memory',
    { ...wishes('3g.20gb'), memoryMiB: 20 * GIB },
    {},
    ...refuses('MIG profile 3g.20gb'),
  ],
  [
    'a profile smaller than the declared share',
    { ...wishes('3g.20gb'), fractionMilli: 500 },
    {},
    ...refuses('MIG profile 3g.20gb'),
  ],
  [
    'more memory than any slot of MPS has',
    { explicitMode: 'mps', memoryMiB: 11 * GIB },
    {},
    ...refuses('sharing-mode: mps'),
  ],
  [
    'mig-profile beside sharing-mode: mps, which nobody offers: both are told',
    { explicitMode: 'mps', ...wishes('3g.20gb') },
    without('mps'),
    'exclusive',
    refuses('sharing-mode: mps')[1],
    'mig-profile is ignored: sharing-mode is mps',
    refuses('sharing-mode: mps')[1],
  ],
]);

/** Explicit wishes that cannot be kept: the pod gets a whole GPU and its author a warning. */
const never: readonly [says: string, pod: Partial<PodFacts>, why: string][] = [
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

for (const [says, pod, why] of never) {
  tap.test(`an explicit wish is never answered by another way of sharing: ${says}`, async (t) => {
    const sentence = `${why}: it keeps a whole GPU`;
    const decision = decide(admission({ workloadType: 'development', ...pod }));
    t.strictSame(decision, {
      action: 'schedule',
      decided: true,
      wholeGpu: 'preferred',
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
    wholeGpu: 'promised',
    nodeSelector: {},
    reasons: ['sharing-mode: exclusive'],
    warnings: [],
  });
});

tap.test('sharing-mode: mig takes the smallest profile, unless mig-profile names one', async (t) => {
  t.equal(short(decide(admission({ explicitMode: 'mig' }))), 'mig mig-1g.5gb');
  t.equal(short(decide(admission({ explicitMode: 'mig', ...wishes('7g.40gb') }))), 'mig mig-7g.40gb');
});
