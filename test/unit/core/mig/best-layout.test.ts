/** Layouts for a mixed demand; bench/scenarios/mig-layout.ts holds 500 of them against an exact solver. */

import fc from 'fast-check';
import tap from 'tap';
import { migClassOf } from '#src/core/gpu-catalog.ts';
import { LayoutPlanner } from '#src/core/mig/best-layout.ts';
import { EMPTY, MigGeometry, type Multiset } from '#src/core/mig/geometry.ts';
import { maximalMultisets } from '#src/core/mig/layouts.ts';

const migClass = migClassOf('NVIDIA-A100-SXM4-40GB');
if (!migClass) throw new Error('the A100 has MIG');
const geometry = new MigGeometry(migClass);
const planner = new LayoutPlanner(geometry);
/** Instances of 1g, 1g+me, 1g double, 2g, 3g, 4g, 7g. */
const demand = (...counts: number[]): Multiset => migClass.instances.map((_, kind) => counts[kind] ?? 0);

const CASES: readonly [what: string, demand: Multiset, gpus: number, slices: number, needed: number][] = [
  ['20 jobs of 1g need 3 GPUs', demand(20), 8, 20, 3],
  ['7 and 7 fill two GPUs', demand(14), 2, 14, 2],
  ['4g and 3g share a GPU', demand(0, 0, 0, 0, 5, 5), 5, 35, 5],
  ['3g and 3g strand a slice', demand(0, 0, 0, 0, 4), 2, 12, 2],
  ['what does not fit is left', demand(0, 0, 0, 0, 0, 9), 4, 16, 4],
  ['nothing wanted', demand(), 4, 0, 0],
  ['no GPU', demand(3), 0, 0, 0],
  ['one of media engines a GPU', demand(0, 5), 3, 3, 3],
  ['one layout is exchanged for a better one', demand(3, 1, 0, 1, 2, 3), 3, 21, 3],
  ['two are exchanged at once, where one alone helps nothing', demand(3, 0, 2, 5, 0, 5), 4, 28, 4],
];
for (const [what, wanted, gpus, slices, needed] of CASES) {
  tap.test(what, async (t) => {
    const plan = planner.plan(wanted, gpus);
    t.equal(plan.servedSlices, slices);
    t.equal(plan.layouts.length, needed);
  });
}

/** The most slices that can be served, by trying every choice of layouts. */
function exhaustive(wanted: Multiset, gpus: number): number {
  const layouts = maximalMultisets(geometry);
  let best = 0;
  const choose = (from: number, left: number, supply: number[]) => {
    const served = wanted.reduce((sum, count, kind) => {
      return sum + Math.min(count, supply[kind] ?? 0) * (migClass?.instances[kind]?.compute ?? 0);
    }, 0);
    best = Math.max(best, served);
    if (left === 0) return;
    for (let i = from; i < layouts.length; i += 1) {
      choose(
        i,
        left - 1,
        supply.map((count, kind) => count + (layouts[i]?.[kind] ?? 0)),
      );
    }
  };
  choose(
    0,
    gpus,
    wanted.map(() => 0),
  );
  return best;
}

const demands = fc.array(fc.nat({ max: 5 }), { minLength: 7, maxLength: 7 });

tap.test('for two GPUs no choice of layouts serves more', async () => {
  fc.assert(
    fc.property(demands, (wanted) => planner.plan(wanted, 2).servedSlices === exhaustive(wanted, 2)),
    { numRuns: 100 },
  );
});

tap.test('plans are legal: each layout fits a GPU, and no more is served than wanted and there', async () => {
  fc.assert(
    fc.property(demands, fc.nat({ max: 16 }), (wanted, gpus) => {
      const { layouts, served } = planner.plan(wanted, gpus);
      const supply = wanted.map((_, kind) => layouts.reduce((sum, layout) => sum + (layout[kind] ?? 0), 0));
      return (
        layouts.length <= gpus &&
        layouts.every((layout) => geometry.canHost(EMPTY, layout)) &&
        served.every((count, kind) => count <= (wanted[kind] ?? 0) && count <= (supply[kind] ?? 0))
      );
    }),
    { numRuns: 200 },
  );
});
