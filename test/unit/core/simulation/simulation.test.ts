/** Arrivals, replays and what is seen of them. */

import tap from 'tap';
import type { NodeSize, PackingDemand } from '#src/core/scoring/packing-node.ts';
import { arrivals } from '#src/core/simulation/arrivals.ts';
import { allocatedAt } from '#src/core/simulation/curve.ts';
import { replay } from '#src/core/simulation/replay.ts';
import { milliOf, run } from '#src/core/simulation/run.ts';
import { syntheticWorkload } from '#src/core/simulation/synthetic.ts';
import { bestFit } from '#src/core/strategies/best-fit.ts';
import { firstFit } from '#src/core/strategies/first-fit.ts';
import { strategyByName, strategyNames } from '#src/core/strategies/registry.ts';
import { worstFit } from '#src/core/strategies/worst-fit.ts';
import { demand } from '../scoring/make.ts';

const whole = demand();
const half = demand({ milli: 500 });
const fleet = (...gpus: number[]): NodeSize[] =>
  gpus.map((count, i) => ({
    name: `node-${i}`,
    createdAt: i,
    product: 'A100',
    cpuMilli: 64_000,
    memoryMiB: 65_536,
    gpus: count,
  }));
const arrive = (...demands: PackingDemand[]) =>
  demands.map((each, pod) => ({ kind: 'arrive', pod, demand: each }) as const);

tap.test('arrivals: every pod once, then more until the next would pass the ratio', async (t) => {
  const pods = [...Array<PackingDemand>(5).fill(whole), ...Array<PackingDemand>(4).fill(half)];
  const order = arrivals(pods, { milliOf, capacityMilli: 10_000, ratio: 1.3, seed: 42 });
  t.strictSame(
    order
      .slice(0, 9)
      .map(({ milli }) => milli)
      .sort(),
    pods.map(({ milli }) => milli).sort(),
  );
  const asked = order.reduce((sum, { milli }) => sum + milli, 0);
  t.ok(asked <= 13_000 && asked > 12_000);
  t.strictSame(order, arrivals(pods, { milliOf, capacityMilli: 10_000, ratio: 1.3, seed: 42 }));
  t.equal(
    arrivals([demand({ gpus: 0, milli: 0 })], { milliOf, capacityMilli: 10_000, ratio: 1.3, seed: 1 }).length,
    1,
    'no GPU: no end',
  );
});

tap.test('a replay places what fits, and drops the rest', async (t) => {
  const state = replay({
    nodes: fleet(1, 2),
    events: arrive(half, whole, whole, half, whole),
    strategy: firstFit,
    classes: [],
  });
  t.match(state, { arrivals: 5, failures: 1, heldMilli: 3_000, capacityMilli: 3_000 });
  t.strictSame(
    state.nodes.map(({ gpuFree }) => [...gpuFree]),
    [[0], [0, 0]],
  );
});

tap.test('strategies place as they say', async (t) => {
  const held = (strategy: typeof firstFit) => {
    const { nodes } = replay({
      nodes: fleet(4, 2, 4),
      events: arrive(demand({ gpus: 2 }), whole, whole),
      strategy,
      classes: [],
    });
    return nodes.map(({ heldMilli }) => heldMilli / 1_000);
  };
  t.strictSame(held(firstFit), [4, 0, 0]);
  // Two on the first; then it is the fullest, and takes the others.
  t.strictSame(held(bestFit), [4, 0, 0]);
  // Two on the first, one on the second; then the third is the emptiest.
  t.strictSame(held(worstFit), [2, 1, 1]);
});

tap.test('who leaves makes room', async (t) => {
  const events = [
    { kind: 'arrive', pod: 1, demand: whole },
    { kind: 'arrive', pod: 2, demand: whole },
    { kind: 'depart', pod: 1 },
    { kind: 'depart', pod: 2 },
    { kind: 'arrive', pod: 3, demand: whole },
  ] as const;
  t.match(replay({ nodes: fleet(1), events, strategy: firstFit, classes: [] }), {
    arrivals: 3,
    failures: 1,
    heldMilli: 1_000,
  });
});

tap.test('timed pods come and go in order of time; in the same second who leaves goes first', async (t) => {
  const workload = { nodes: fleet(1), pods: [whole, whole, whole] };
  const timed = [
    { demand: whole, start: 10, end: 20 },
    { demand: whole, start: 0, end: 10 },
    { demand: whole, start: 15, end: Number.POSITIVE_INFINITY },
  ];
  const result = run({ workload, strategy: firstFit, seed: 1, ratio: 1, timed }, () => 0);
  t.match(result, { arrivals: 3, failures: 1 });
  t.strictSame(result.gpuFree, [[1000]]);
});

tap.test('the curve: a point for each hundredth, the state before the arrival that goes past it', async (t) => {
  const workload = { nodes: fleet(4, 4, 2), pods: Array<PackingDemand>(10).fill(whole) };
  const { curve } = run({ workload, strategy: firstFit, seed: 1, ratio: 1.5 }, () => 0);
  t.equal(curve.length, 151);
  t.match(curve[0], { arrivedPercent: 0, allocatedPercent: 0 });
  t.equal(allocatedAt(curve, 10), 10);
  t.equal(allocatedAt(curve, 15), 10, 'the second pod would go past 15');
  t.equal(allocatedAt(curve, 100), 100);
  t.equal(allocatedAt(curve, 120), 100);
  t.equal(curve.at(-1)?.failures, 5);
  t.equal(allocatedAt([], 100), 0);
});

tap.test('a run is the same each time, and never holds more than there is', async (t) => {
  const workload = syntheticWorkload(30, 3);
  t.strictSame(workload, syntheticWorkload(30, 3));
  for (const name of strategyNames) {
    const strategy = strategyByName(name);
    if (!strategy) throw new Error(name);
    const results = [1, 2].map(() => run({ workload, strategy, seed: 5, ratio: 1.3 }, () => 0));
    t.strictSame(results[0], results[1], name);
    t.ok(
      results[0]?.curve.every(
        ({ allocatedPercent, arrivedPercent }) => allocatedPercent <= 100 && allocatedPercent <= arrivedPercent + 1e-9,
      ),
    );
    t.ok(results[0]?.gpuFree.flat().every((free) => free >= 0 && free <= 1_000));
  }
});

tap.test('fragmentation packs the synthetic fleet best', async (t) => {
  const workload = syntheticWorkload(60, 1);
  const filled = (strategy: typeof firstFit) =>
    allocatedAt(run({ workload, strategy, seed: 42, ratio: 1.3 }, () => 0).curve, 100);
  const fragmentation = strategyByName('fragmentation');
  if (!fragmentation) throw new Error('fragmentation is there');
  for (const other of [firstFit, bestFit, worstFit]) t.ok(filled(fragmentation) >= filled(other), other.name);
});
