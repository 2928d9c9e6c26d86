/** The ranking that all strategies share; what each of them must keep of it is in conformance.test.ts. */

import tap from 'tap';
import { nodeStrategy, utilisation } from '#src/core/strategies/strategy.ts';
import { best, demand, load, scorer } from './make.ts';

tap.test('utilisation is what is held of what is there', async (t) => {
  const of = (heldMilli: number, gpus: number) => utilisation(load('a', heldMilli, { gpus }));
  t.equal(of(0, 8), 0);
  t.equal(of(2_000, 8), 0.25);
  t.equal(of(8_000, 8), 1);
  t.equal(of(8_000, 4), 2, 'a node that shrank under its pods');
  t.equal(of(0, 0), 0, 'a node of no GPU');
});

tap.test('the best are no more than was asked for', async (t) => {
  const byName = scorer(
    nodeStrategy('by-name', ({ name }) => Number(name)),
    [],
  );
  const nodes = ['3', '1', '4', '2'].map((name) => load(name, 0));
  const ranked = best(byName, nodes, 3).map(({ name }) => name);
  t.strictSame(ranked, ['4', '3', '2']);
  t.strictSame(best(byName, nodes, 0), []);
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
