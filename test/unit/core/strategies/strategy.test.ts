/** The ranking that all strategies share; what each of them must keep of it is in conformance.test.ts. */

import tap from 'tap';
import type { Demand, NodeView } from '../../../../src/core/packing/node.ts';
import { best, nodeStrategy, type Scorer, utilisation } from '../../../../src/core/strategies/strategy.ts';
import { demand, load, ONE, scorer } from './make.ts';

tap.test('utilisation is what is held of what is there', async (t) => {
  const of = (heldMilli: number, gpus: number) => utilisation(load('a', heldMilli, { gpus }));
  t.equal(of(0, 8), 0);
  t.equal(of(2_000, 8), 0.25);
  t.equal(of(8_000, 8), 1);
  t.equal(of(8_000, 4), 2, 'a node that shrank under its pods');
  t.equal(of(0, 0), 0, 'a node of no GPU');
});

tap.test('the best come with their scores, and of no more than was asked for', async (t) => {
  const byName = scorer(
    nodeStrategy('by-name', ({ name }) => Number(name)),
    [],
  );
  const candidates = ['3', '1', '4', '2'].map((name) => ({ node: load(name, 0), demand: ONE }));
  const ranked = best(byName, candidates, 3).map(({ node, score }) => [node.name, score]);
  t.strictSame(ranked, [
    ['4', 4],
    ['3', 3],
    ['2', 2],
  ]);
  t.strictSame(best(byName, candidates, 0), []);
});

tap.test('a strategy judges by the node and by what is asked of it', async (t) => {
  const seen: [NodeView, Demand][] = [];
  const spy: Scorer = {
    epoch: 0,
    placed: () => {},
    score: (node, what) => seen.push([node, what]),
    place: () => ({ score: 0, gpu: -1 }),
  };
  const [node, what] = [load('a', 0), demand(2)];
  best(spy, [{ node, demand: what }], 1);
  t.strictSame(seen, [[node, what]]);
});

tap.test('a part of a GPU goes to the fullest GPU that has room for it', async (t) => {
  const gpuOf = (gpuFree: number[], milli: number) => {
    const node = { ...load('a', 0), gpuFree };
    return scorer(
      nodeStrategy('any', () => 0),
      [node],
    ).place(node, demand(1, milli)).gpu;
  };
  t.equal(gpuOf([1_000, 500, 250], 250), 2);
  t.equal(gpuOf([1_000, 500, 250], 300), 1);
  t.equal(gpuOf([1_000, 500, 500], 500), 1, 'of equals the first');
  t.equal(gpuOf([1_000, 500], 1_000), -1, 'whole GPUs are nobody’s choice');
});
