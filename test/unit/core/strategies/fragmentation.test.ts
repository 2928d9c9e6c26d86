/** What `fragmentation` prefers, case by case; how good it is as a whole is measured in bench/openb. */

import tap from 'tap';
import type { NodeView, PackingDemand } from '#src/core/scoring/packing-node.ts';
import { taskClasses } from '#src/core/scoring/task-classes.ts';
import { fragmentation } from '#src/core/strategies/fragmentation.ts';
import { best, demand, load, ONE, scorer } from './make.ts';

function node(name: string, gpuFree: number[], facts: Partial<NodeView> = {}): NodeView {
  const heldMilli = gpuFree.reduce((sum, free) => sum - free, gpuFree.length * 1_000);
  return { ...load(name, 0), gpuFree, heldMilli, totalMilli: gpuFree.length * 1_000, ...facts };
}

function choose(what: PackingDemand, nodes: readonly NodeView[], asked: readonly PackingDemand[]): string | undefined {
  return best(scorer(fragmentation, nodes, taskClasses(asked)), nodes, 1, what)[0]?.name;
}

const half = demand(1, 500);
const eight = demand(8);

tap.test('a part goes where it fills a GPU, not where it opens one', async (t) => {
  t.equal(choose(half, [node('empty', [1_000]), node('half', [500])], [half]), 'half');
});

tap.test('a part goes where its rest is of use to somebody', async (t) => {
  // 300 into 500 leaves 200, of use to nobody; into 800 it leaves 500, of use to halves.
  const small = demand(1, 300);
  t.equal(
    choose(small, [node('leaves-200', [500]), node('leaves-500', [800])], [half, half, half, small]),
    'leaves-500',
  );
});

tap.test('single GPUs leave nodes alone that larger pods need whole', async (t) => {
  const whole = Array<number>(8).fill(1_000);
  const begun = [0, ...whole.slice(1)];
  t.equal(choose(ONE, [node('whole', whole), node('begun', begun)], [ONE, ONE, eight]), 'begun');
});

tap.test('who does not care for the model leaves the scarce one to those who do', async (t) => {
  const scarce = node('scarce', [1_000], { product: 'A100' });
  const common = ['a', 'b', 'c', 'd'].map((name) => node(name, [1_000], { product: 'T4' }));
  const picky = demand(1, 1_000, { products: new Set(['A100']) });
  t.equal(choose(ONE, [scarce, ...common], [ONE, ONE, picky]), 'a');
});

tap.test('a pod that needs much CPU goes where CPU is left over', async (t) => {
  const hungry = demand(1, 1_000, { cpuMilli: 16_000 });
  const modest = demand(1, 1_000, { cpuMilli: 4_000 });
  const lean = node('lean', [1_000, 1_000, 1_000, 1_000], { cpuFree: 18_000 });
  const rich = node('rich', [1_000, 1_000], { cpuFree: 64_000 });
  t.equal(choose(hungry, [lean, rich], [modest, modest, modest, hungry]), 'rich');
});

tap.test('a pod without a GPU does not take the CPU that GPUs need', async (t) => {
  const cpuOnly = demand(0, 0, { cpuMilli: 12_000 });
  const modest = demand(1, 1_000, { cpuMilli: 4_000 });
  const needed = node('needed', [1_000, 1_000, 1_000], { cpuFree: 12_000 });
  const full = node('full', [0, 0, 0], { cpuFree: 12_000 });
  t.equal(choose(cpuOnly, [needed, full], [modest, cpuOnly]), 'full');
});

tap.test('within a node the part goes to the GPU that it fills', async (t) => {
  const nodes = [node('a', [1_000, 750, 500])];
  const [only] = nodes;
  if (!only) throw new Error('there is one');
  t.equal(scorer(fragmentation, nodes, taskClasses([half])).place(only, half).gpu, 2);
});

tap.test('knowing nothing of what is asked for, it keeps to the common order', async (t) => {
  const nodes = [node('b', [1_000], { createdAt: 2 }), node('a', [1_000], { createdAt: 1 })];
  t.equal(best(scorer(fragmentation, nodes, []), nodes, 1)[0]?.name, 'a');
});

tap.test('prices move the epoch, and not with every placement', async (t) => {
  const nodes = [node('a', [1_000])];
  const at = scorer(fragmentation, nodes);
  const start = at.epoch;
  at.placed();
  t.equal(at.epoch, start);
  for (let i = 0; i < 100; i += 1) at.placed();
  t.ok(at.epoch > start);
});
