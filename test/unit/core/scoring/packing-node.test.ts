/** Nodes that demands are taken from and given back to. */

import fc from 'fast-check';
import tap from 'tap';
import { type PackingDemand, PackingNode } from '#src/core/scoring/packing-node.ts';
import { demand, demands, fleets } from './make.ts';

const SIZE = { name: 'a', createdAt: 0, product: 'A100', cpuMilli: 8_000, memoryMiB: 4_096, gpus: 2 };

const MISFITS: readonly [what: string, asked: Partial<PackingDemand>, misfit: string | undefined][] = [
  ['one GPU', {}, undefined],
  ['both', { gpus: 2 }, undefined],
  ['three', { gpus: 3 }, 'gpu'],
  ['a part', { milli: 500 }, undefined],
  ['all the CPU', { cpuMilli: 8_000 }, undefined],
  ['more CPU', { cpuMilli: 8_001 }, 'cpu'],
  ['more memory', { memoryMiB: 4_097 }, 'memory'],
  ['another model', { products: new Set(['T4']) }, 'product'],
  ['this model among others', { products: new Set(['T4', 'A100']) }, undefined],
  ['no GPU', { gpus: 0, milli: 0 }, undefined],
];
for (const [what, asked, misfit] of MISFITS) {
  tap.test(`${what} ${misfit ? `does not fit: ${misfit}` : 'fits'}`, async (t) => {
    t.equal(new PackingNode(SIZE).misfit(demand(asked)), misfit);
  });
}

tap.test('a part goes where it is told, whole GPUs in order', async (t) => {
  const node = new PackingNode({ ...SIZE, gpus: 4 });
  t.strictSame(node.take(demand({ milli: 300 }), 1), [1]);
  t.strictSame(node.take(demand({ gpus: 2 }), -1), [0, 2]);
  t.strictSame([...node.gpuFree], [0, 700, 0, 1000]);
  t.equal(node.heldMilli, 2_300);
  t.equal(node.misfit(demand({ gpus: 2 })), 'gpu', 'a GPU in part is no whole one');
});

tap.test('never over a GPU, a CPU or a memory; and what is given back is as it was', async () => {
  fc.assert(
    fc.property(fleets, fc.array(fc.tuple(demands, fc.boolean(), fc.nat()), { maxLength: 40 }), ([size], steps) => {
      if (!size) return true;
      const node = new PackingNode(size);
      const held: [PackingDemand, number[]][] = [];
      for (const [asked, leave, which] of steps) {
        if (leave && held.length > 0) {
          const [gone] = held.splice(which % held.length, 1);
          if (gone) node.giveBack(...gone);
        } else if (node.misfit(asked) === undefined) {
          held.push([
            asked,
            node.take(
              asked,
              [...node.gpuFree].findIndex((free) => free >= asked.milli),
            ),
          ]);
        }
        if (node.cpuFree < 0 || node.memoryFree < 0 || node.gpuFree.some((free) => free < 0 || free > 1000))
          return false;
      }
      for (const each of held) node.giveBack(...each);
      const fresh = new PackingNode(size);
      return (
        String(node.gpuFree) === String(fresh.gpuFree) &&
        node.cpuFree === fresh.cpuFree &&
        node.memoryFree === fresh.memoryFree &&
        node.heldMilli === 0
      );
    }),
  );
});
