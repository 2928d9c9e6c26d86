/** The ranking that all strategies share; what each of them must keep of it is in conformance.test.ts. */

import tap from 'tap';
import { WHOLE_GPU } from '../../../../src/core/resources.ts';
import { best, utilisation } from '../../../../src/core/strategies/strategy.ts';
import { request } from '../../make.ts';
import { load } from './make.ts';

tap.test('utilisation is what is held of what is there', async (t) => {
  const of = (heldMilli: number, gpus: number) => utilisation(load('a', heldMilli, { gpus }));
  t.equal(of(0, 8), 0);
  t.equal(of(2_000, 8), 0.25);
  t.equal(of(8_000, 8), 1);
  t.equal(of(8_000, 4), 2, 'a node that shrank under its pods');
  t.equal(of(0, 0), 0, 'a node of no GPU');
});

tap.test('the best come with their scores, and of no more than was asked for', async (t) => {
  const byName = { name: 'by-name', score: (node: { inventory: { name: string } }) => Number(node.inventory.name) };
  const nodes = ['3', '1', '4', '2'].map((name) => load(name, 0));
  const ranked = best(byName, nodes, request(WHOLE_GPU, 1), 3).map(({ node, score }) => [node.inventory.name, score]);
  t.strictSame(ranked, [
    ['4', 4],
    ['3', 3],
    ['2', 2],
  ]);
  t.strictSame(best(byName, nodes, request(WHOLE_GPU, 1), 0), []);
});

tap.test('a strategy may judge by the request', async (t) => {
  const asked = request(WHOLE_GPU, 2);
  const seen: unknown[] = [];
  best({ name: 'spy', score: (_, request) => seen.push(request) }, [load('a', 0)], asked, 1);
  t.strictSame(seen, [asked]);
});
