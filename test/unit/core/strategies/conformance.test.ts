/** What every packing strategy must keep, whatever it prefers. */

import fc from 'fast-check';
import tap from 'tap';
import type { NodeView } from '#src/core/scoring/packing-node.ts';
import { strategyByName, strategyNames } from '#src/core/strategies/registry.ts';
import { best, load, ONE, order, scorer } from './make.ts';

/** Nodes of distinct names, with few distinct ages and loads, so that ties are common. */
const loads: fc.Arbitrary<NodeView[]> = fc
  .uniqueArray(
    fc.record({
      id: fc.nat({ max: 99 }),
      createdAt: fc.nat({ max: 3 }),
      gpus: fc.integer({ min: 0, max: 4 }),
      held: fc.nat({ max: 4 }),
    }),
    {
      selector: ({ id }) => id,
      minLength: 1,
      maxLength: 30,
      size: 'max',
    },
  )
  .map((nodes) =>
    nodes.map(({ id, createdAt, gpus, held }) => load(`gpu-node-${id}`, held * 250, { createdAt, gpus })),
  );
const twoOrders = loads.chain((nodes) =>
  fc.tuple(fc.constant(nodes), fc.shuffledSubarray(nodes, { minLength: nodes.length })),
);
const count = fc.integer({ min: 1, max: 40 });

for (const strategy of strategyNames.flatMap((name) => strategyByName(name) ?? [])) {
  tap.test(strategy.name, async (t) => {
    t.test('gives every node a finite score, the same each time', async () => {
      fc.assert(
        fc.property(loads, (nodes) =>
          nodes.every((node) => {
            const fleet = scorer(strategy, nodes);
            const { score, gpu } = fleet.place(node, ONE);
            const again = [fleet, scorer(strategy, nodes)].map((each) => each.place(node, ONE));
            return (
              Number.isFinite(score) &&
              fleet.score(node, ONE) === score &&
              again.every((other) => other.score === score && other.gpu === gpu)
            );
          }),
        ),
      );
    });

    t.test('ranks the same nodes in the same order, in whatever order they come', async () => {
      fc.assert(
        fc.property(twoOrders, count, ([nodes, shuffled], limit) => {
          return String(order(strategy, nodes, limit)) === String(order(strategy, shuffled, limit));
        }),
      );
    });

    t.test('has exactly one best: a node that the others do not tie with', async () => {
      fc.assert(
        fc.property(twoOrders, ([nodes, shuffled]) => {
          const [winner, ...more] = order(strategy, nodes, 1);
          // Whoever else is there, the winner stays the winner.
          const others = shuffled.filter(({ name }) => name !== winner);
          const pairs = others.map(
            (other) => order(strategy, [other, ...nodes.filter((n) => n.name === winner)], 1)[0],
          );
          return winner !== undefined && more.length === 0 && pairs.every((name) => name === winner);
        }),
      );
    });

    t.test('ranks each node once, and no more than it was asked for', async () => {
      fc.assert(
        fc.property(loads, count, (nodes, limit) => {
          const ranked = order(strategy, nodes, limit);
          return ranked.length === Math.min(limit, nodes.length) && new Set(ranked).size === ranked.length;
        }),
      );
    });

    t.test('the best few are the beginning of the whole order, best scores first', async () => {
      fc.assert(
        fc.property(loads, count, (nodes, limit) => {
          const fleet = scorer(strategy, nodes);
          const whole = best(fleet, nodes, nodes.length);
          const scores = whole.map((node) => fleet.score(node, ONE));
          const falls = scores.every((score, i) => i === 0 || (scores[i - 1] ?? 0) >= score);
          const start = whole.slice(0, limit).map(({ name }) => name);
          return falls && String(start) === String(order(strategy, nodes, limit));
        }),
      );
    });

    t.test('among equals the oldest is best, then the first by name', async (t) => {
      const ages = { c: 2, b: 2, d: 1, a: 3, e: 1 };
      const nodes = Object.entries(ages).map(([name, createdAt]) => load(name, 2_000, { createdAt }));
      t.strictSame(order(strategy, nodes, 5), ['d', 'e', 'b', 'c', 'a']);
    });

    t.test('no node, no best', async (t) => {
      t.strictSame(best(scorer(strategy, []), [], 10), []);
    });
  });
}
