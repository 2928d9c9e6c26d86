import type { PackingDemand } from '#src/core/scoring/packing-node.ts';
import { PackingNode } from '#src/core/scoring/packing-node.ts';
import { FleetLog, ScoreTable } from '#src/core/scoring/score-table.ts';
import { taskClasses } from '#src/core/scoring/task-classes.ts';
import { arrivals } from '#src/core/simulation/arrivals.ts';
import { milliOf } from '#src/core/simulation/run.ts';
import { syntheticWorkload } from '#src/core/simulation/synthetic.ts';
import { fragmentation } from '#src/core/strategies/fragmentation.ts';
import type { Scenario } from '../scenario.ts';

const SIZES = [1_000, 10_000, 100_000];

export const decisionCost: Scenario = {
  name: 'decision-cost',
  question: 'What does a decision of `fragmentation` cost as the fleet grows?',
  method:
    'a synthetic fleet of N nodes (seed 1), filled to half of its capacity; then the time of each further placement, until ' +
    'prices have been renewed twice; the mean has all renewals and rebuilt tables in it, the others are of single decisions.',
  async run(log) {
    const rows: string[][] = [];
    for (const size of SIZES) {
      log(`${size} nodes`);
      const { nodes: sizes, pods } = syntheticWorkload(size, 1);
      const nodes = sizes.map((each) => new PackingNode(each));
      const fleet = new FleetLog(nodes);
      const scorer = fragmentation.scorer({ nodes: () => nodes, classes: taskClasses(pods) });
      const tables = new Map<PackingDemand, ScoreTable>();
      const capacityMilli = nodes.reduce((sum, { totalMilli }) => sum + totalMilli, 0);
      const order = arrivals(pods, { milliOf, capacityMilli, ratio: 1, seed: 1 });
      const place = (demand: PackingDemand) => {
        const table = tables.get(demand) ?? new ScoreTable(demand, scorer, fleet);
        tables.set(demand, table);
        const best = table.best();
        if (!best) return;
        nodes[best.index]?.take(demand, best.gpu);
        fleet.changed(best.index);
        scorer.placed();
      };
      const half = Math.floor(order.length / 2);
      for (const demand of order.slice(0, half)) place(demand);
      const start = scorer.epoch;
      const times: number[] = [];
      for (const demand of order.slice(half)) {
        const before = performance.now();
        place(demand);
        times.push(1000 * (performance.now() - before));
        if (scorer.epoch >= start + 2 && times.length >= 1_000) break;
      }
      times.sort((a, b) => a - b);
      const at = (q: number) => `${(times[Math.floor(q * (times.length - 1))] ?? 0).toFixed(1)} µs`;
      const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
      rows.push([String(size), String(times.length), at(0.5), at(0.99), `${mean.toFixed(1)} µs`]);
    }
    return { head: ['nodes', 'decisions', 'p50', 'p99', 'mean'], rows };
  },
};
