/** The table of scores always knows what asking every node afresh would find. */

import fc from 'fast-check';
import tap from 'tap';
import { type PackingDemand, PackingNode } from '#src/core/scoring/packing-node.ts';
import { FleetLog, ScoreTable } from '#src/core/scoring/score-table.ts';
import { taskClasses } from '#src/core/scoring/task-classes.ts';
import { strategyByName, strategyNames } from '#src/core/strategies/registry.ts';
import type { Scorer, Strategy } from '#src/core/strategies/strategy.ts';
import { demands, fleets } from './make.ts';

/** The best node by asking each in order: the first of equals wins. */
function ask(
  nodes: readonly PackingNode[],
  scorer: Scorer,
  demand: PackingDemand,
): { index: number; gpu: number } | undefined {
  let best: { index: number; gpu: number; score: number } | undefined;
  for (const [index, node] of nodes.entries()) {
    if (node.misfit(demand) !== undefined) continue;
    const { score, gpu } = scorer.place(node, demand);
    if (!best || score > best.score) best = { index, gpu, score };
  }
  return best && { index: best.index, gpu: best.gpu };
}

const kinds = fc.array(demands, { minLength: 1, maxLength: 5 });
const steps = fc.array(fc.record({ kind: fc.nat(), leave: fc.boolean(), which: fc.nat() }), { maxLength: 120 });

for (const strategy of strategyNames.flatMap((name) => (strategyByName(name) ?? []) as Strategy | [])) {
  tap.test(`${strategy.name}: the best of the table is the best of all nodes, whatever came and went`, async () => {
    fc.assert(
      fc.property(fleets, kinds, steps, (sizes, wanted, history) => {
        const nodes = sizes.map((size) => new PackingNode(size));
        const fleet = new FleetLog(nodes);
        const scorer = strategy.scorer({ nodes: () => nodes, classes: taskClasses(wanted) });
        const tables = wanted.map((demand) => new ScoreTable(demand, scorer, fleet));
        const held: { demand: PackingDemand; index: number; gpus: number[] }[] = [];
        for (const { kind, leave, which } of history) {
          const at = kind % wanted.length;
          const demand = wanted[at];
          const table = tables[at];
          if (!demand || !table) return false;
          if (leave && held.length > 0) {
            const [gone] = held.splice(which % held.length, 1);
            if (!gone) return false;
            nodes[gone.index]?.giveBack(gone.demand, gone.gpus);
            fleet.changed(gone.index);
            continue;
          }
          const best = table.best();
          const expected = ask(nodes, scorer, demand);
          if (best?.index !== expected?.index || best?.gpu !== expected?.gpu) return false;
          const node = best && nodes[best.index];
          if (!node) continue;
          held.push({ demand, index: best.index, gpus: node.take(demand, best.gpu) });
          fleet.changed(best.index);
          scorer.placed();
          // Legal: nothing is ever below nothing.
          if (node.cpuFree < 0 || node.memoryFree < 0 || node.gpuFree.some((free) => free < 0)) return false;
        }
        return true;
      }),
      { numRuns: 200 },
    );
  });
}

tap.test('an unchanged node is not asked again, and nodes that are alike are asked once', async (t) => {
  const nodes = Array.from({ length: 64 }, (_, i) => {
    return new PackingNode({ name: `n${i}`, createdAt: i, product: 'A100', cpuMilli: 1_000, memoryMiB: 0, gpus: 4 });
  });
  const fleet = new FleetLog(nodes);
  let asked = 0;
  const scorer: Scorer = {
    epoch: 1,
    placed: () => {},
    score: ({ heldMilli }) => heldMilli,
    place: ({ heldMilli }) => {
      asked += 1;
      return { score: heldMilli, gpu: -1 };
    },
  };
  const demand: PackingDemand = { cpuMilli: 0, memoryMiB: 0, gpus: 1, milli: 1_000, products: undefined };
  const table = new ScoreTable(demand, scorer, fleet);
  t.strictSame(table.best(), { index: 0, gpu: -1 });
  t.equal(asked, 1, '64 nodes that are alike');
  nodes[7]?.take(demand, -1);
  fleet.changed(7);
  t.strictSame(table.best(), { index: 7, gpu: -1 });
  t.equal(asked, 2, 'one changed');
  table.best();
  t.equal(asked, 2, 'none changed');
});

tap.test('no node has room: none is best', async (t) => {
  const scorer = strategyByName('bestfit')?.scorer({ nodes: () => [], classes: [] });
  if (!scorer) throw new Error('bestfit is there');
  const demand: PackingDemand = { cpuMilli: 0, memoryMiB: 0, gpus: 1, milli: 1_000, products: undefined };
  t.equal(new ScoreTable(demand, scorer, new FleetLog([])).best(), undefined);
});
