/** What an administrator has set for whole GPUs, and pods that ask for slots by name. */

import tap from 'tap';
import { describeGuard, guardAgainst, NO_GUARDS } from '#src/core/namespace-guards.ts';

const GPU = 'nvidia.com/gpu';
const SHARED = 'nvidia.com/gpu.shared';
const MIG = 'nvidia.com/mig-1g.5gb';
const guards = (limited: readonly string[], counted: readonly string[]) => ({
  limited: new Set(limited),
  counted: new Set(counted),
});

const CASES: readonly [
  limited: readonly string[],
  counted: readonly string[],
  asks: readonly string[],
  guard?: string,
][] = [
  [[], [], [SHARED]],
  [[], [GPU], [SHARED], 'ResourceQuota'],
  [[], [GPU], [MIG], 'ResourceQuota'],
  [[], [GPU], [GPU]],
  [[], [GPU], [GPU, SHARED], 'ResourceQuota'],
  [[], [GPU, SHARED], [SHARED]],
  [[], [GPU, SHARED], [SHARED, MIG], 'ResourceQuota'],
  [[], [SHARED], [MIG]],
  [[GPU], [], [SHARED], 'LimitRange'],
  [[GPU, SHARED], [], [SHARED]],
  [[GPU], [GPU, SHARED], [SHARED], 'LimitRange'],
  [[GPU], [GPU], []],
];
for (const [limited, counted, asks, guard] of CASES) {
  tap.test(`limits ${limited}; quota ${counted}; asks for ${asks}: ${guard ?? 'nothing'}`, async (t) => {
    t.equal(guardAgainst(guards(limited, counted), asks), guard);
  });
}

tap.test('most namespaces have none', async (t) => {
  t.equal(guardAgainst(NO_GUARDS, [SHARED]), undefined);
});

tap.test('for people', async (t) => {
  t.equal(describeGuard('ResourceQuota', SHARED), `a ResourceQuota of the namespace counts ${GPU}, and not ${SHARED}`);
  t.equal(describeGuard('LimitRange', SHARED), `a LimitRange of the namespace speaks of ${GPU}, and not of ${SHARED}`);
});
