/** From samples of pods to the history of a workload. Figures of `DCGM_FI_DEV_GPU_UTIL` are percent, of the profiling metric 0 to 1. */

import tap from 'tap';
import type { WorkloadHistory } from '#src/core/admission/decision-input.ts';
import { histories, historyOfWeb, POD, type Told } from './make.ts';

const other = { ...POD, pod: 'web-7f9d54c8b6-zzzzz' };
const mig = (profile: string, modelName: string) => ({ ...POD, GPU_I_PROFILE: profile, modelName });
const A100 = 'NVIDIA A100-SXM4-40GB';
const history = (mean: number, p95: number, peakMiB?: number) => ({ mean, p95, peakMiB, suitsMps: mean <= 0.6 });

const CASES: readonly [says: string, told: readonly Told[], history: WorkloadHistory | undefined][] = [
  ['the old metric alone', [{ util: { mean: 25, p95: 80 } }], history(0.25, 0.8)],
  ['the profiling metric alone', [{ prof: { mean: 0.25, p95: 0.75 } }], history(0.25, 0.75)],
  [
    'both: the profiling metric counts',
    [{ prof: { mean: 0.25, p95: 0.75 }, util: { mean: 90, p95: 99 } }],
    history(0.25, 0.75),
  ],
  [
    'the profiling metric has just been switched on: the old one counts still',
    [{ prof: { mean: 0, count: 2 }, util: { mean: 90, p95: 99 } }],
    history(0.9, 0.99),
  ],
  [
    'both of a short life: the profiling metric counts, though it missed a scrape',
    [
      { prof: { mean: 0.25, count: 14 }, util: { mean: 90, count: 15 } },
      { labels: other, prof: { mean: 0.25, count: 14 } },
    ],
    history(0.25, 0.25),
  ],
  [
    'an instance that was full is large enough: a peak in it asks for no larger one',
    [{ labels: mig('1g.5gb', A100), prof: { mean: 1, p95: 1 }, peak: 4_864 }],
    history(0.142, 0.142, 4_864 / 1.2),
  ],
  [
    'several pods: every sample counts the same, every 95th percentile as well',
    [{ util: { mean: 10, count: 3_000, p95: 20 } }, { labels: other, util: { mean: 50, count: 1_000, p95: 100 } }],
    history(0.2, 0.6),
  ],
  [
    'several pods, one of them told of by another metric',
    [{ prof: { mean: 0.5, p95: 0.5 } }, { labels: other, util: { mean: 100, p95: 100 } }],
    history(0.75, 0.75),
  ],
  ['memory alone says nothing', [{ peak: 4_000 }], undefined],
  [
    'memory: the highest peak of all pods',
    [
      { util: { mean: 50 }, peak: 4_000 },
      { labels: other, peak: 7_000 },
    ],
    history(0.5, 0.5, 7_000),
  ],
  ['no sample within a day: steady', [{ util: { mean: 50 } }], history(0.5, 0.5)],
  [
    'a 95th percentile below the mean (of other days) does not count',
    [{ util: { mean: 50, p95: 10 } }],
    history(0.5, 0.5),
  ],
  ['more than everything is everything', [{ util: { mean: 2_147_483_632, p95: 2_147_483_632 } }], history(1, 1)],
  ['a sum that is no number is not 0', [{ util: { mean: undefined } }], undefined],
  [
    'nor if another pod has one',
    [{ util: { mean: undefined } }, { labels: other, util: { mean: 50 } }],
    history(0.5, 0.5),
  ],
  ['19 samples: hardly there', [{ util: { mean: 50, count: 19 } }], undefined],
  [
    '20 samples, of two pods',
    [{ util: { mean: 50, count: 10 } }, { labels: other, util: { mean: 50, count: 10 } }],
    history(0.5, 0.5),
  ],
  [
    'a MIG instance is a part of a GPU: 1 of 7 slices',
    [{ labels: mig('1g.5gb', A100), prof: { mean: 1, p95: 1 }, peak: 3_000 }],
    history(0.142, 0.142, 3_000),
  ],
  ['of an A30, 2 of 4', [{ labels: mig('2g.12gb', 'NVIDIA A30'), prof: { mean: 0.5, p95: 1 } }], history(0.25, 0.5)],
  [
    'of a model that we do not know, of 7',
    [{ labels: mig('7g.80gb', 'NVIDIA Z1'), prof: { mean: 0.5, p95: 1 } }],
    history(0.5, 1),
  ],
  [
    'a pod that had an instance and a whole GPU',
    [{ labels: mig('1g.5gb', A100), prof: { mean: 1, p95: 1 } }, { prof: { mean: 1, p95: 1 } }],
    history(0.571, 0.571),
  ],
  [
    'honor_labels: false',
    [
      {
        labels: { namespace: 'gpu-operator', pod: 'exporter-k7x2m', exported_namespace: 'team', exported_pod: POD.pod },
        util: { mean: 50 },
      },
    ],
    history(0.5, 0.5),
  ],
  [
    'honor_labels: false, and the target has a namespace alone',
    [{ labels: { namespace: 'gpu-operator', exported_namespace: 'team', pod: POD.pod }, util: { mean: 50 } }],
    history(0.5, 0.5),
  ],
  [
    'honor_labels: false, and the target has a pod alone',
    [{ labels: { namespace: 'team', pod: 'exporter-k7x2m', exported_pod: POD.pod }, util: { mean: 50 } }],
    history(0.5, 0.5),
  ],
  ['a GPU that no pod holds', [{ labels: { modelName: A100 }, util: { mean: 50 } }], undefined],
  ['empty labels', [{ labels: { namespace: '', pod: '' }, util: { mean: 50 } }], undefined],
];

for (const [says, told, expected] of CASES) {
  tap.test(says, async (t) => {
    const round = (value: number) => Math.round(value * 1e6) / 1e6;
    const found = historyOfWeb(...told);
    t.strictSame(found && { ...found, mean: round(found.mean), p95: round(found.p95) }, expected);
  });
}

tap.test('nothing at all', async (t) => {
  t.equal(histories([]).size, 0);
});

tap.test('MPS: what was said last holds between 50 and 60%', async (t) => {
  let before: ReadonlyMap<string, WorkloadHistory> = new Map();
  const suits = (mean: number) => {
    before = histories([{ util: { mean } }], before);
    return before.get('team/Deployment/web')?.suitsMps;
  };
  t.strictSame([55, 60, 61, 55, 51, 50, 60, 100].map(suits), [true, true, false, false, false, true, true, false]);
});

tap.test('a workload of very many pods', async (t) => {
  const told = Array.from(
    { length: 150_000 },
    (_, i): Told => ({ labels: { namespace: 'team', pod: `db-${i}` }, util: { mean: 50 }, peak: i }),
  );
  t.match(histories(told).get('team/StatefulSet/db'), { mean: 0.5, peakMiB: 149_999 });
});
