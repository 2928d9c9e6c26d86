/** What a pod needs and what a slot is called. Which slot it gets, in all that bears on it: decide-*.test.ts. */

import tap from 'tap';
import type { PodFacts } from '#src/core/admission/decision-input.ts';
import { constraintsOf, describeSlot, memoryOf } from '#src/core/admission/find-slot.ts';
import type { SharedMode } from '#src/core/sharing-mode.ts';
import { admission, type Circumstances, instance, policy, possible, slot, used } from './make.ts';

const LIMITED = policy('mps', { mps: { maxClients: 4, defaultActiveThreads: 100, memoryLimitMiB: 2_048 } });
const NEEDS: readonly [
  says: string,
  pod: Partial<PodFacts>,
  mode: SharedMode,
  circumstances: Circumstances,
  needs: { mib: number; words: string; declared: boolean } | undefined,
][] = [
  ['nobody knows', {}, 'mps', {}, undefined],
  [
    'what it declares',
    { memoryMiB: 512 },
    'mps',
    used(0.1, { peakMiB: 9_000 }),
    { mib: 512, words: 'declared 512Mi', declared: true },
  ],
  ['nothing is a declaration as well', { memoryMiB: 0 }, 'mig', {}, { mib: 0, words: 'declared 0Gi', declared: true }],
  [
    'what the policy grants a client',
    {},
    'mps',
    { policies: [LIMITED] },
    { mib: 2_048, words: '2Gi by policy by-mps', declared: false },
  ],
  ['which is no client of another mode', {}, 'timeslicing', { policies: [LIMITED] }, undefined],
  [
    'a fifth more than the peak, rounded up',
    {},
    'mig',
    used(0.1, { peakMiB: 100.1 }),
    { mib: 121, words: 'measured 101Mi and a fifth more', declared: false },
  ],
  [
    'a workload that used none',
    {},
    'mig',
    used(0.1, { peakMiB: 0 }),
    { mib: 0, words: 'measured 0Gi and a fifth more', declared: false },
  ],
  ['a peak that nobody measured', {}, 'mig', used(0.1), undefined],
];
for (const [says, pod, mode, circumstances, needs] of NEEDS) {
  tap.test(`needs: ${says}`, async (t) => {
    const facts = admission(pod, [], circumstances);
    t.strictSame(memoryOf(facts, constraintsOf(facts, facts.policies[0]), mode), needs);
  });
}

const WORDS: readonly [words: string, offer: Parameters<typeof describeSlot>[0]][] = [
  ['1g.5gb, offered by 1 node', instance('1g.5gb', 4_864, 142)],
  ['1g.5gb, which 2 nodes could be configured to offer', possible(instance('1g.5gb', 4_864, 142), 2)],
  ['a slot of 1/2 GPU (20Gi), offered by 12 nodes', slot('mps', 20_480, 500, 12)],
  ['a slot of 1/3 GPU (13653Mi), offered by 1 node', slot('mps', 13_653, 333)],
  ['a slot of 1/4 GPU, which 1 node could be configured to offer', possible(slot('timeslicing', undefined, 250))],
];
for (const [words, offer] of WORDS) {
  tap.test(words, async (t) => t.equal(describeSlot(offer), words));
}

tap.test('a share is called after its number of slots, where no other number has the same', async (t) => {
  const shareOf = (slots: number) => Math.floor(1_000 / slots);
  for (let slots = 2; slots <= 1_001; slots += 1) {
    const milli = shareOf(slots);
    const isAlone = shareOf(slots - 1) !== milli && shareOf(slots + 1) !== milli;
    const name = isAlone ? `1/${slots}` : `${milli}m`;
    const said = describeSlot(slot('mps', undefined, milli));
    if (said !== `a slot of ${name} GPU, offered by 1 node`) t.fail(`${slots} slots: ${said}`);
  }
});
