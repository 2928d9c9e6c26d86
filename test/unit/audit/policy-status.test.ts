/** What the status of a policy says, and when it is written. */

import tap from 'tap';
import { parseSharingPolicy } from '#src/api/sharing-policy.ts';
import { policyStatus } from '#src/audit/policy-status.ts';
import type { PolicyRecord } from '#src/state/policy-record.ts';
import { NOW, viewOf } from './make.ts';

const LATER = new Date(NOW.getTime() + 60_000);

function stored(spec: object, more: Partial<PolicyRecord> = {}): PolicyRecord {
  const parsed = parseSharingPolicy({ metadata: { name: 'p' }, spec });
  return { name: 'p', generation: 1, parsed, status: undefined, ...more };
}

tap.test('a policy without a status gets one, and after that none until something changes', async (t) => {
  const policy = stored({ strategy: 'mps' });
  const status = policyStatus(policy, 3, viewOf(), NOW);
  t.strictSame(status, {
    appliedPods: 3,
    lastUpdateTime: '2026-01-02T03:04:05Z',
    conditions: [
      {
        type: 'Accepted',
        status: 'True',
        reason: 'Accepted',
        message: 'the policy is in force',
        observedGeneration: 1,
        lastTransitionTime: '2026-01-02T03:04:05Z',
      },
      {
        type: 'Enforced',
        status: 'True',
        reason: 'Enforced',
        message: 'all of it is kept',
        observedGeneration: 1,
        lastTransitionTime: '2026-01-02T03:04:05Z',
      },
    ],
  });
  t.equal(policyStatus({ ...policy, status }, 3, viewOf(), LATER), undefined);
});

tap.test('another number of pods: the conditions keep their time', async (t) => {
  const policy = stored({ strategy: 'mps' });
  const status = policyStatus(policy, 3, viewOf(), NOW);
  const next = policyStatus({ ...policy, status }, 4, viewOf(), LATER);
  t.match(next, { appliedPods: 4, lastUpdateTime: '2026-01-02T03:05:05Z' });
  t.same(next?.conditions, status?.conditions);
});

tap.test('a condition that turns gets a new time, and no other does', async (t) => {
  const policy = stored({ strategy: 'mps' });
  const status = policyStatus(policy, 0, viewOf(), NOW);
  const next = policyStatus({ ...policy, status }, 0, viewOf({ sharing: { mps: { enabled: false } } }), LATER);
  t.match(next?.conditions, [
    { type: 'Accepted', status: 'True', lastTransitionTime: '2026-01-02T03:04:05Z' },
    { type: 'Enforced', status: 'False', reason: 'ModeDisabled', lastTransitionTime: '2026-01-02T03:05:05Z' },
  ]);
});

tap.test('a new generation has been seen, though nothing else changes', async (t) => {
  const status = policyStatus(stored({ strategy: 'mps' }), 0, viewOf(), NOW);
  const next = policyStatus(stored({ strategy: 'mps' }, { generation: 2, status }), 0, viewOf(), LATER);
  t.match(next?.conditions, [{ observedGeneration: 2 }, { observedGeneration: 2 }]);
});

tap.test('a policy that cannot be read is not accepted, and says why', async (t) => {
  const status = policyStatus(stored({ strategy: 'magic' }), 0, viewOf(), NOW);
  t.match(status?.conditions, [
    { type: 'Accepted', status: 'False', reason: 'Invalid', message: /^spec\.strategy: / },
    { type: 'Enforced', status: 'False', reason: 'NotAccepted' },
  ]);
});

const ENFORCED: readonly [spec: object, status: string, reason: string][] = [
  [{ strategy: 'exclusive' }, 'True', 'Enforced'],
  [{ strategy: 'auto' }, 'True', 'Enforced'],
  [{ strategy: 'mps', mpsConfig: { maxClients: 8 } }, 'True', 'Enforced'],
  [{ strategy: 'mps', mpsConfig: { maxClients: 4 } }, 'False', 'SlotsTooSmall'],
  [{ strategy: 'mps', mpsConfig: { memoryLimitMB: 6_000 } }, 'False', 'LimitAboveShare'],
  [{ strategy: 'mps', nodeSelector: { no: 'where' } }, 'False', 'NoNodeOffers'],
  [{ strategy: 'mig' }, 'False', 'NoNodeOffers'],
  [{ strategy: 'auto', timeSlicingConfig: { sliceMs: 50 } }, 'False', 'TimeSliceNotEnforceable'],
];
for (const [spec, status, reason] of ENFORCED) {
  tap.test(`${JSON.stringify(spec)}: Enforced=${status} ${reason}`, async (t) => {
    const due = policyStatus(stored(spec), 0, viewOf(), NOW);
    t.match(due?.conditions?.[1], { type: 'Enforced', status, reason });
  });
}
