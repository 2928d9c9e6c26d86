/** Where MIG instances fit: against the figures of NVIDIA's MIG user guide, and against trying everything. */

import fc from 'fast-check';
import tap from 'tap';
import { migClassOf } from '#src/core/gpu-catalog.ts';
import { add, EMPTY, MigGeometry, type MigPlacement, type MigUse, remove } from '#src/core/mig/geometry.ts';
import { maximalLayouts, maximalMultisets } from '#src/core/mig/layouts.ts';

function geometryOf(product: string): MigGeometry {
  const migClass = migClassOf(product);
  if (!migClass) throw new Error(product);
  return new MigGeometry(migClass);
}

const A100 = geometryOf('NVIDIA-A100-SXM4-40GB');
const A30 = geometryOf('NVIDIA-A30');
/** Indices in the class of seven slices. */
const [ONE, ONE_ME, DOUBLE, TWO, THREE, FOUR, SEVEN] = [0, 1, 2, 3, 4, 5, 6] as const;
const wanted = (...kinds: number[]) =>
  A100.migClass.instances.map((_, kind) => kinds.filter((each) => each === kind).length);

const LAYOUTS: readonly [what: string, geometry: MigGeometry, kinds: number[], layouts: number, multisets: number][] = [
  ['A100', A100, [ONE, TWO, THREE, FOUR, SEVEN], 19, 14],
  ['A100 with 1g of double memory', A100, [ONE, DOUBLE, TWO, THREE, FOUR, SEVEN], 78, 38],
  ['A100 with media engines as well', A100, [ONE, ONE_ME, DOUBLE, TWO, THREE, FOUR, SEVEN], 239, 64],
  ['A30', A30, [0, 2, 4], 5, 4],
];
for (const [what, geometry, kinds, layouts, multisets] of LAYOUTS) {
  tap.test(`${what}: ${layouts} maximal layouts, ${multisets} distinct multisets`, async (t) => {
    t.equal(maximalLayouts(geometry, new Set(kinds)).length, layouts);
    t.equal(maximalMultisets(geometry, new Set(kinds)).length, multisets);
  });
}

const HOSTS: readonly [what: string, kinds: number[], fits: boolean][] = [
  ['seven 1g', [ONE, ONE, ONE, ONE, ONE, ONE, ONE], true],
  ['eight 1g', [ONE, ONE, ONE, ONE, ONE, ONE, ONE, ONE], false],
  ['two 3g, which strand a compute slice', [THREE, THREE], true],
  ['two 3g and a 1g: there is no memory slice left', [THREE, THREE, ONE], false],
  ['4g and 3g', [FOUR, THREE], true],
  ['two 4g', [FOUR, FOUR], false],
  ['3g, 2g and two 1g', [THREE, TWO, ONE, ONE], true],
  ['four 1g of double memory', [DOUBLE, DOUBLE, DOUBLE, DOUBLE], true],
  ['four 1g of double memory and a 1g', [DOUBLE, DOUBLE, DOUBLE, DOUBLE, ONE], false],
  ['three 2g and a 1g', [TWO, TWO, TWO, ONE], true],
  ['four 2g', [TWO, TWO, TWO, TWO], false],
  ['two instances with media engines', [ONE_ME, ONE_ME], false],
  ['7g', [SEVEN], true],
  ['7g and anything', [SEVEN, ONE], false],
  ['nothing', [], true],
];
for (const [what, kinds, fits] of HOSTS) {
  tap.test(`an A100 ${fits ? 'can' : 'cannot'} host ${what}`, async (t) => {
    t.equal(A100.canHost(EMPTY, wanted(...kinds)), fits);
  });
}

tap.test('the most of each kind, as NVIDIA’s table has it', async (t) => {
  t.strictSame(
    A100.migClass.instances.map((_, kind) => A100.room(EMPTY, kind)),
    [7, 1, 4, 3, 2, 1, 1],
  );
  t.strictSame(
    A30.migClass.instances.map((_, kind) => A30.room(EMPTY, kind)),
    [4, 1, 2, 1, 1],
  );
});

tap.test('an instance goes where it leaves most room for others', async (t) => {
  t.equal(A100.allocate(EMPTY, ONE)?.start, 6, 'the end of the GPU, where only a 1g can start');
  t.equal(A100.allocate(EMPTY, THREE)?.start, 4, 'so that 4g, which starts at 0 alone, still fits');
  const three = A100.allocate(EMPTY, THREE);
  const use = three ? add(EMPTY, three) : EMPTY;
  t.ok(A100.canHost(use, wanted(FOUR)));
  t.equal(A100.allocate({ mask: 0xff, compute: 7, me: 0 }, ONE), undefined, 'a full GPU');
});

tap.test('fragmentation is what free slices would hold if they lay together, and do not', async (t) => {
  t.equal(A100.fragmentation(EMPTY, TWO), 0);
  t.equal(A100.fragmentation({ mask: 0xff, compute: 7, me: 0 }, ONE), 0, 'nothing is free');
  // 1g at 0 and at 4: six memory slices and five compute slices are free, but neither 3g nor 4g can start.
  const scattered: MigUse = { mask: 0b0001_0001, compute: 2, me: 0 };
  t.equal(A100.fragmentation(scattered, THREE), 1);
  t.equal(A100.fragmentation(scattered, ONE), 0);
});

/** A GPU with random instances, in a random order of allocating and freeing. */
const history = fc.array(fc.record({ kind: fc.nat({ max: 6 }), free: fc.boolean(), which: fc.nat() }), {
  maxLength: 30,
});

tap.test('whatever is allocated and freed: instances are disjoint, slices are counted, and undo is exact', async () => {
  fc.assert(
    fc.property(history, (steps) => {
      let use = EMPTY;
      const held: MigPlacement[] = [];
      for (const { kind, free, which } of steps) {
        if (free && held.length > 0) {
          const [gone] = held.splice(which % held.length, 1);
          if (gone) use = remove(use, gone);
        } else {
          const placement = A100.allocate(use, kind);
          if (placement) {
            held.push(placement);
            use = add(use, placement);
          }
        }
        const slices = held.reduce((sum, { size }) => sum + size, 0);
        const mask = held.reduce((sum, placement) => sum | placement.mask, 0);
        const compute = held.reduce((sum, placement) => sum + placement.compute, 0);
        const bits = mask.toString(2).replaceAll('0', '').length;
        const legal = bits === slices && compute <= 7 && held.filter(({ me }) => me === 1).length <= 1;
        if (!legal || use.mask !== mask || use.compute !== compute) return false;
      }
      return true;
    }),
  );
});

tap.test('canHost agrees with trying every place for every instance', async () => {
  const tryAll = (use: MigUse, kinds: readonly number[]): boolean => {
    const [kind, ...rest] = kinds;
    if (kind === undefined) return true;
    return A100.placements.some(
      (place) => place.kind === kind && A100.fits(use, place) && tryAll(add(use, place), rest),
    );
  };
  fc.assert(
    fc.property(history, fc.array(fc.nat({ max: 6 }), { maxLength: 5 }), (steps, kinds) => {
      let use = EMPTY;
      for (const { kind } of steps.slice(0, 4)) {
        const placement = A100.allocate(use, kind);
        if (placement) use = add(use, placement);
      }
      return A100.canHost(use, wanted(...kinds)) === tryAll(use, kinds);
    }),
    { numRuns: 300 },
  );
});
