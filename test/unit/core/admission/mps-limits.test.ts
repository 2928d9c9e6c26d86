/** What an MPS client is told of its share, and what the decision counts on though the pod does not say it. */

import fc from 'fast-check';
import tap from 'tap';
import { decide } from '#src/core/admission/decide.ts';
import { mpsLimits } from '#src/core/admission/mps-limits.ts';
import type { MpsConfig } from '#src/core/admission/policy.ts';
import { admission, EVERY_KIND, policy, slot } from './make.ts';

const config = (more: Partial<MpsConfig>): MpsConfig => {
  return { maxClients: 16, defaultActiveThreads: 100, memoryLimitMiB: undefined, ...more };
};
const memory = (text: string) => ({ CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: text });
const threads = (text: string) => ({ CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: text });
const EIGHTH = slot('mps', 5_120, 125);

const limits: readonly [says: string, config: Partial<MpsConfig>, needMiB: number | undefined, env: object][] = [
  ['none', {}, undefined, {}],
  ['memory below the share', { memoryLimitMiB: 2_048 }, undefined, memory('0=2048M')],
  ['memory of just the share says nothing', { memoryLimitMiB: 5_120 }, undefined, {}],
  ['memory above the share says nothing', { memoryLimitMiB: 6_000 }, undefined, {}],
  ['memory of just the need', { memoryLimitMiB: 2_048 }, 2_048, memory('0=2048M')],
  ['no memory below the need', { memoryLimitMiB: 2_048 }, 2_049, {}],
  ['threads below the share', { defaultActiveThreads: 6 }, undefined, threads('6')],
  ['threads of just the share, rounded down as the device plugin does', { defaultActiveThreads: 12 }, undefined, {}],
  ['threads above the share say nothing', { defaultActiveThreads: 50 }, undefined, {}],
  ['both', { memoryLimitMiB: 1_024, defaultActiveThreads: 5 }, 512, { ...memory('0=1024M'), ...threads('5') }],
];
for (const [says, given, needMiB, env] of limits) {
  tap.test(says, async (t) => t.strictSame(mpsLimits(config(given), EIGHTH, needMiB), env));
}

tap.test('memory of a slot whose share is not known', async (t) => {
  const unknown = slot('mps', undefined, 125);
  t.strictSame(mpsLimits(config({ memoryLimitMiB: 2_048 }), unknown, undefined), memory('0=2048M'));
});

tap.test('a limit is never above the share, nor below the need', async () => {
  const number = (max: number) => fc.option(fc.integer({ min: 1, max }), { nil: undefined });
  fc.assert(
    fc.property(
      number(20_000),
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 2, max: 48 }),
      number(20_000),
      (memoryLimitMiB, defaultActiveThreads, clients, needMiB) => {
        const share = slot('mps', Math.floor(40_960 / clients), Math.floor(1_000 / clients));
        const env = mpsLimits(config({ memoryLimitMiB, defaultActiveThreads }), share, needMiB);
        const limit = /^0=(\d+)M$/.exec(env.CUDA_MPS_PINNED_DEVICE_MEM_LIMIT ?? '')?.[1];
        const percentage = env.CUDA_MPS_ACTIVE_THREAD_PERCENTAGE;
        return (
          (limit === undefined || (Number(limit) < (share.slotMiB ?? 0) && Number(limit) >= (needMiB ?? 0))) &&
          (percentage === undefined || Number(percentage) < 100 / clients)
        );
      },
    ),
    { numRuns: 1_000 },
  );
});

tap.test('a policy’s memory limit is a need that the scheduler must count on', async (t) => {
  const policies = [policy('mps', { mps: config({ memoryLimitMiB: 2_048 }) })];
  t.match(decide(admission({}, [EIGHTH], { policies })), { mpsLimits: memory('0=2048M'), assumedMiB: 2_048 });
  t.match(
    decide(admission({ memoryMiB: 1_024 }, [EIGHTH], { policies })),
    { mpsLimits: memory('0=2048M'), assumedMiB: undefined },
    'not where the pod says its own',
  );
});

tap.test('the configured memory limit holds in the flow, but is no need', async (t) => {
  const settings = { mps: config({ memoryLimitMiB: 2_048, defaultActiveThreads: 6 }) };
  const decision = decide(admission({ workloadType: 'inference' }, EVERY_KIND, { settings }));
  t.match(decision, { mode: 'mps', assumedMiB: undefined, mpsLimits: { ...memory('0=2048M'), ...threads('6') } });
});

tap.test('limits are of MPS alone', async (t) => {
  const settings = { mps: config({ memoryLimitMiB: 64 }) };
  const decision = decide(admission({ workloadType: 'development' }, EVERY_KIND, { settings }));
  t.match(decision, { mode: 'timeslicing' });
  t.strictSame('mpsLimits' in decision && decision.mpsLimits, {});
});
