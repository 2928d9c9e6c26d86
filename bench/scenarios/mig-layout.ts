import highsLoader, { type Highs } from 'highs';
import { migClassOf } from '#src/core/gpu-catalog.ts';
import { LayoutPlanner } from '#src/core/mig/best-layout.ts';
import { EMPTY, MigGeometry, type Multiset } from '#src/core/mig/geometry.ts';
import { maximalMultisets } from '#src/core/mig/layouts.ts';
import { randomIndex, seededRandom } from '#src/core/random.ts';
import { median, quantile, type Scenario } from '../scenario.ts';

const CASES = 500;
const LARGEST = 16;
const SEED = 42;
const PRODUCTS = ['NVIDIA-A100-SXM4-40GB', 'NVIDIA-A30'];

export const migLayout: Scenario = {
  name: 'mig-layout',
  question: 'How close to the optimum are MIG layouts for a mixed demand, and what does a question cost?',
  method:
    `${CASES} cases for each product (seed ${SEED}): 1 to ${LARGEST} GPUs, a random demand of between half and twice what ` +
    'they hold, of up to all kinds; the optimum is that of an integer program solved exactly by HiGHS; the figure of ' +
    'merit is compute slices of demand served. Questions: canHost on GPUs with random instances.',
  async run(log) {
    // Its types say CommonJS, its code is a module.
    const highs = await (highsLoader as unknown as () => Promise<Highs>)();
    const rows: string[][] = [];
    for (const product of PRODUCTS) {
      const migClass = migClassOf(product);
      if (!migClass) throw new Error(product);
      const geometry = new MigGeometry(migClass);
      const planner = new LayoutPlanner(geometry);
      const random = seededRandom(SEED);
      const ratios: number[] = [];
      const times: number[] = [];
      for (let i = 0; i < CASES; i += 1) {
        const gpus = 1 + randomIndex(random, LARGEST);
        const demand = randomDemand(geometry, gpus, random);
        const started = performance.now();
        const { servedSlices } = planner.plan(demand, gpus);
        times.push(performance.now() - started);
        const optimum = exact(highs, geometry, demand, gpus);
        ratios.push(optimum === 0 ? 1 : servedSlices / optimum);
        if (i % 100 === 99) log(`${product}: ${i + 1} of ${CASES}`);
      }
      rows.push([
        product,
        percent(Math.min(...ratios)),
        percent(quantile(ratios, 0.01)),
        percent(ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length),
        percent(ratios.filter((ratio) => ratio > 1 - 1e-9).length / ratios.length),
        `${median(times).toFixed(2)} ms`,
        `${Math.max(...times).toFixed(2)} ms`,
        `${questionTime(geometry).toFixed(2)} µs`,
      ]);
    }
    const head = ['product', 'worst', '1st percentile', 'mean', 'optimal', 'plan p50', 'plan max', 'canHost'];
    return { head, rows };
  },
};

function randomDemand(geometry: MigGeometry, gpus: number, random: () => number): number[] {
  const slices = gpus * geometry.migClass.computeSlices * (0.5 + 1.5 * random());
  const demand = geometry.migClass.instances.map(() => 0);
  const kinds = [...demand.keys()].filter(() => random() < 0.7);
  for (let asked = 0; asked < slices && kinds.length > 0; ) {
    const kind = kinds[randomIndex(random, kinds.length)] ?? 0;
    demand[kind] = (demand[kind] ?? 0) + 1;
    asked += geometry.migClass.instances[kind]?.compute ?? 1;
  }
  return demand;
}

/** The integer program: y GPUs of each layout, x served of each kind. */
function exact(highs: Highs, geometry: MigGeometry, demand: Multiset, gpus: number): number {
  const layouts = maximalMultisets(geometry);
  const y = layouts.map((_, l) => `y${l}`);
  const x = demand.map((_, k) => `x${k}`);
  const objective = x.map((name, k) => `${geometry.migClass.instances[k]?.compute} ${name}`).join(' + ');
  const limits = x.map((name, k) => {
    const supply = layouts.flatMap((layout, l) => (layout[k] ? [`- ${layout[k]} y${l}`] : []));
    return ` ${name} ${supply.join(' ')} <= 0`;
  });
  const program = [
    'Maximize',
    ` obj: ${objective}`,
    'Subject To',
    ` ${y.join(' + ')} <= ${gpus}`,
    ...limits,
    'Bounds',
    ...x.map((name, k) => ` 0 <= ${name} <= ${demand[k]}`),
    'General',
    ` ${[...x, ...y].join(' ')}`,
    'End',
  ].join('\n');
  const solution = highs.solve(program);
  if (solution.Status !== 'Optimal') throw new Error(`HiGHS: ${solution.Status}`);
  return solution.ObjectiveValue;
}

/** Mean time of a layout question, in µs. */
function questionTime(geometry: MigGeometry): number {
  const random = seededRandom(SEED);
  const questions = Array.from({ length: 20_000 }, () => {
    const first = geometry.allocate(EMPTY, randomIndex(random, geometry.migClass.instances.length));
    const use = first ? { mask: first.mask, compute: first.compute, me: first.me } : EMPTY;
    return { use, wanted: geometry.migClass.instances.map(() => randomIndex(random, 3)) };
  });
  const started = performance.now();
  for (const { use, wanted } of questions) geometry.canHost(use, wanted);
  return (1000 * (performance.now() - started)) / questions.length;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)}%`;
}
