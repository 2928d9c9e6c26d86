/** What of a policy's word cannot be kept on a cluster: for its status. */

import tap from 'tap';
import type { AdmissionSettings } from '#src/core/admission/decision-input.ts';
import { unenforceable } from '#src/core/admission/enforcement.ts';
import type { MpsConfig, SharingPolicy, TimeSlicingConfig } from '#src/core/admission/policy.ts';
import type { SlotOffer } from '#src/core/admission/slot-offer.ts';
import { admission, EVERY_KIND, inPools, instance, policy, pool, possible, slot } from './make.ts';

const mps = (more: Partial<MpsConfig>) => {
  return policy('mps', { mps: { maxClients: 16, defaultActiveThreads: 100, memoryLimitMiB: undefined, ...more } });
};
const slicing = (more: Partial<TimeSlicingConfig>, strategy: 'timeslicing' | 'auto' = 'timeslicing') => {
  return policy(strategy, {
    timeSlicing: { replicasPerGpu: 4, sliceMs: 100, fairnessMode: 'roundrobin', ...more },
  });
};
const mig = (profile: string, autoSelectProfile = true) => policy('mig', { mig: { profile, autoSelectProfile } });

interface Place {
  readonly offers?: readonly SlotOffer[];
  readonly settings?: Partial<AdmissionSettings>;
}

const rows: readonly [says: string, policy: SharingPolicy, place: Place, ...found: string[]][] = [
  ['mig, as it is offered', policy('mig'), {}],
  ['mps, as it is offered', policy('mps'), {}],
  ['timeslicing, as it is offered', policy('timeslicing'), {}],
  ['mps, where nodes could be configured to offer it', policy('mps'), { offers: [possible(slot('mps', 5_120, 125))] }],
  ['exclusive needs nobody’s offer', policy('exclusive'), { offers: [] }],
  ['auto takes what there is', policy('auto'), { offers: [] }],
  [
    'a mode that is switched off',
    policy('mps'),
    { settings: { enabledModes: new Set(['mig']) } },
    'ModeDisabled: mps is switched off by the configuration: pods keep whole GPUs',
  ],
  [
    'nobody offers it',
    policy('mps'),
    { offers: [] },
    'NoNodeOffers: no node offers slots by mps: pods keep whole GPUs',
  ],
  [
    'nobody that it selects offers it',
    policy('mps', { nodeSelector: pool('b') }),
    {},
    'NoNodeOffers: no node that its nodeSelector selects offers slots by mps: pods keep whole GPUs',
  ],
  ['somebody that it selects offers it', policy('mps', { nodeSelector: pool('a') }), {}],
  ['a profile that is offered', mig('3g.20gb'), {}],
  ['a profile that could be', mig('2g.10gb'), { offers: [possible(instance('2g.10gb', 9_728, 285))] }],
  [
    'a profile that is not, where another will do',
    mig('2g.10gb'),
    {},
    'ProfileNotOffered: no node offers MIG profile 2g.10gb: the smallest that holds a pod is taken',
  ],
  [
    'a profile that is not, and no other will do',
    mig('2g.10gb', false),
    {},
    'ProfileNotOffered: no node offers MIG profile 2g.10gb: pods keep whole GPUs',
  ],
  ['as coarse as it says', mps({ maxClients: 4 }), {}],
  [
    'finer than maxClients',
    mps({ maxClients: 3 }),
    {},
    'SlotsTooSmall: every node cuts its GPUs finer than in 3: pods keep whole GPUs',
  ],
  [
    'finer than replicasPerGPU',
    slicing({ replicasPerGpu: 2 }),
    {},
    'SlotsTooSmall: every node cuts its GPUs finer than in 2: pods keep whole GPUs',
  ],
  ['a memory limit of just a share', mps({ memoryLimitMiB: 10_240 }), {}],
  [
    'a memory limit above every share',
    mps({ memoryLimitMiB: 10_241 }),
    {},
    'LimitAboveShare: memoryLimitMB 10241 is above the share of a client on every node: pods keep whole GPUs',
  ],
  [
    'a memory limit where the share is not known',
    mps({ memoryLimitMiB: 20_000 }),
    { offers: [slot('mps', undefined, 125)] },
  ],
  [
    'fairnessMode: priority',
    slicing({ fairnessMode: 'priority' }),
    {},
    'FairnessNotEnforceable: CUDA gives all processes on a GPU equal turns: fairnessMode priority acts on placement only (pods with a positive priority get the largest slots)',
  ],
  [
    'fairnessMode: weighted',
    slicing({ fairnessMode: 'weighted' }),
    {},
    'FairnessNotEnforceable: CUDA gives all processes on a GPU equal turns: fairnessMode weighted acts on placement only (pods get slots as large as the share that they declare)',
  ],
  [
    'sliceMs of one’s own',
    slicing({ sliceMs: 50 }),
    {},
    "TimeSliceNotEnforceable: NVIDIA's device plugin does not let the length of a turn be set: sliceMs 50 has no effect",
  ],
  [
    'the gravest first',
    slicing({ fairnessMode: 'weighted', sliceMs: 50, replicasPerGpu: 3 }),
    {},
    'SlotsTooSmall: every node cuts its GPUs finer than in 3: pods keep whole GPUs',
    'FairnessNotEnforceable: CUDA gives all processes on a GPU equal turns: fairnessMode weighted acts on placement only (pods get slots as large as the share that they declare)',
    "TimeSliceNotEnforceable: NVIDIA's device plugin does not let the length of a turn be set: sliceMs 50 has no effect",
  ],
  [
    'auto, where the flow may time-slice',
    slicing({ sliceMs: 50 }, 'auto'),
    {},
    "TimeSliceNotEnforceable: NVIDIA's device plugin does not let the length of a turn be set: sliceMs 50 has no effect",
  ],
];

for (const [says, given, { offers = EVERY_KIND, settings }, ...found] of rows) {
  tap.test(says, async (t) => {
    const { offersOn } = inPools({ a: offers });
    const facts = admission({}, offers, settings && { settings });
    const short = unenforceable(given, facts.settings, offersOn);
    t.strictSame(
      short.map(({ reason, message }) => `${reason}: ${message}`),
      found,
    );
  });
}

tap.test('where another scheduler places pods, only slots count that a label tells apart', async (t) => {
  const { settings } = admission({});
  const asked: object[] = [];
  unenforceable(
    policy('mps', { nodeSelector: { pool: 'a' } }),
    { ...settings, modeSelectors: { ...settings.modeSelectors, mps: { strategy: 'mps' } } },
    (nodeSelector) => {
      asked.push(nodeSelector);
      return [];
    },
  );
  t.strictSame(asked, [{ pool: 'a', strategy: 'mps' }]);
});
