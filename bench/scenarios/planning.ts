import highsLoader, { type Highs } from 'highs';
import { inOrder } from '#src/core/partitioning/demand-class.ts';
import { GpuTypes } from '#src/core/partitioning/gpu-type.ts';
import { plan } from '#src/core/partitioning/plan.ts';
import type { Plan, PlanningInput } from '#src/core/partitioning/plan-input.ts';
import { seededRandom } from '#src/core/random.ts';
import { largeCase, smallCase } from '../planning/cases.ts';
import { optimum } from '../planning/exact.ts';
import { median, quantile, type Scenario } from '../scenario.ts';

const SEED = 42;
const CASES = 400;
const NODES = 1_000;
const PODS = 2_000;
const RUNS = 15;
const KINDS = [20, 100, 500];

export const planning: Scenario = {
  name: 'planning',
  question: 'How near to the optimum are planned changes of partitions, and how long does a plan take?',
  method:
    `quality: ${CASES} cases (seed ${SEED}) of 2 to 6 nodes of 1 to 4 GPUs (A100, A30, L40S; whole, shared or cut, ` +
    'three in ten partly held), and 1 to 3 kinds of 1 to 14 pods (whole GPUs, MPS, time-slicing, MIG profiles); the ' +
    'optimum is that of integer programs solved exactly by HiGHS: what is free serves as much as it can, then changes ' +
    'serve as much as they can, then as few GPUs change as possible. Served: milli-GPU of pods served by what is free ' +
    'and by changes. Served per GPU changed: of those served by changes; of cases in which both change some. Speed: ' +
    `${NODES} nodes of 1 to 8 GPUs of six products in all states, 85% in use and nine in ten of those full; ${PODS} pods of 20 to 500 ` +
    `different demands, two priorities; ${RUNS} plans of each after one to warm up.`,
  async run(log) {
    // Its types say CommonJS, its code is a module.
    const highs = await (highsLoader as unknown as () => Promise<Highs>)();
    return {
      head: ['figure', 'mean', '1st percentile; p50', 'worst', 'optimal'],
      rows: [...quality(highs, log), ...speed()],
    };
  },
};

function quality(highs: Highs, log: (line: string) => void): string[][] {
  const random = seededRandom(SEED);
  const served: number[] = [];
  const perGpu: number[] = [];
  const gpus: number[] = [];
  for (let i = 0; i < CASES; i += 1) {
    const input = smallCase(random);
    const weights = weightsOf(input);
    const ours = figuresOf(plan(input), input, weights);
    const best = optimum(highs, input, weights);
    served.push(best.served === 0 ? 1 : ours.served / best.served);
    if (best.gpus > 0 && ours.gpus > 0) {
      perGpu.push((ours.served - ours.free) / ours.gpus / ((best.served - best.free) / best.gpus));
      if (ours.served === best.served) gpus.push(best.gpus / ours.gpus);
    }
    if (i % 100 === 99) log(`${i + 1} of ${CASES}`);
  }
  return [
    ['demand served, of the optimum', ...summary(served)],
    ['served per GPU changed, of the optimum', ...summary(perGpu)],
    ['fewest GPUs / GPUs changed, where as much is served', ...summary(gpus)],
  ];
}

function summary(ratios: readonly number[]): string[] {
  return [
    percent(ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length),
    percent(quantile(ratios, 0.01)),
    percent(Math.min(...ratios)),
    percent(ratios.filter((ratio) => ratio > 1 - 1e-9).length / ratios.length),
  ];
}

/** milli-GPU of one pod of each demand. */
function weightsOf({ nodes, demands }: PlanningInput): number[] {
  const types = new GpuTypes();
  for (const { inventory } of nodes) types.of(inventory);
  const asked = inOrder(demands, types.all());
  return demands.map((demand) => asked.find((each) => each.demand === demand)?.weight ?? 0);
}

function figuresOf({ changes, servedByFree }: Plan, { demands }: PlanningInput, weights: readonly number[]) {
  const weightOf = new Map(demands.flatMap(({ pods }, d) => pods.map((pod) => [pod, weights[d] ?? 0] as const)));
  const sum = (pods: readonly string[]) => pods.reduce((total, pod) => total + (weightOf.get(pod) ?? 0), 0);
  const free = sum(servedByFree);
  return {
    free,
    served: free + sum(changes.flatMap(({ serves }) => serves)),
    gpus: changes.reduce((total, { gpusChanged }) => total + gpusChanged.length, 0),
  };
}

function speed(): string[][] {
  return KINDS.map((kinds) => {
    const input = largeCase(NODES, PODS, kinds, seededRandom(SEED));
    const { changes, servedByFree } = plan(input);
    const byChanges = changes.reduce((sum, { serves }) => sum + serves.length, 0);
    const times: number[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      const started = performance.now();
      plan(input);
      times.push(performance.now() - started);
    }
    const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
    const what = `${servedByFree.length} pods by what is free, ${byChanges} by ${changes.length} changed nodes`;
    return [`a plan for ${kinds} demands: ${what}`, ...[mean, median(times), Math.max(...times)].map(ms), ''];
  });
}

function ms(time: number): string {
  return `${time.toFixed(0)} ms`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)}%`;
}
