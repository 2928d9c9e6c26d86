/** The report that people look at: one HTML file with its charts inside, that needs nothing else. */

import type { EChartsOption } from 'echarts';
import type { CurvePoint } from '../../core/simulation/curve.ts';
import type { RunResult } from '../../core/simulation/run.ts';
import type { Summary } from './summary.ts';

export interface ReportInput {
  /** What was simulated, in a sentence. */
  readonly title: string;
  readonly summaries: readonly Summary[];
  readonly results: readonly RunResult[];
  /** Names of the nodes, in the order of `gpuFree`. */
  readonly nodes: readonly string[];
}

const WIDTH = 1100;

export async function htmlReport(input: ReportInput): Promise<string> {
  const draw = await painter();
  const strategies = input.summaries.map(({ strategy }) => strategy);
  const sections = [
    ['Allocation', draw(allocationChart(input), 420)],
    ['Where it runs out of room', draw(allocationChart(input, NEARLY_FULL), 420)],
    ['Free GPU of no use to an average task', draw(fragmentationChart(input), 360)],
    ...strategies.map((strategy) => [
      `GPUs at the end, ${strategy}`,
      draw(heatMap(input, strategy), heatMapHeight(input)),
    ]),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(input.title)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: ${WIDTH}px; padding: 0 1rem; color: #222 }
table { border-collapse: collapse } th, td { padding: .25rem .9rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left } svg { max-width: 100%; height: auto }
</style>
</head>
<body>
<h1>${escapeHtml(input.title)}</h1>
${summaryTable(input.summaries)}
${sections.map(([heading, svg]) => `<h2>${escapeHtml(heading ?? '')}</h2>\n${svg}`).join('\n')}
</body>
</html>
`;
}

/** The allocation curve alone. */
export async function svgReport(input: ReportInput): Promise<string> {
  const draw = await painter();
  return draw(allocationChart(input), 420);
}

type Draw = (option: EChartsOption, height: number) => string;

/** The library is large: it is loaded only by those who want a report. */
async function painter(): Promise<Draw> {
  const echarts = await import('echarts');
  return (option, height) => {
    const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
    chart.setOption({ animation: false, backgroundColor: '#fff', ...option });
    const svg = chart.renderToSVGString();
    chart.dispose();
    return svg;
  };
}

/** In hundredths of capacity asked for. */
const NEARLY_FULL = 85;

function allocationChart(input: ReportInput, from = 0): EChartsOption {
  return lineChart(input, 'GPU allocated, % of capacity', ({ arrivedPercent, allocatedPercent }) =>
    arrivedPercent >= from ? allocatedPercent : undefined,
  );
}

function fragmentationChart(input: ReportInput): EChartsOption {
  return lineChart(input, '% of capacity', ({ fragmentedPercent }) => fragmentedPercent);
}

/** One line for each strategy: the mean over its seeds. */
function lineChart(
  { summaries, results }: ReportInput,
  yName: string,
  value: (point: CurvePoint) => number | undefined,
): EChartsOption {
  return {
    grid: { left: 70, right: 30, top: 50, bottom: 55 },
    legend: { top: 10 },
    xAxis: {
      type: 'value',
      scale: true,
      max: ({ max }) => Math.ceil(max),
      name: 'GPU asked for so far, % of capacity',
      nameLocation: 'middle',
      nameGap: 30,
    },
    yAxis: { type: 'value', scale: true, name: yName, nameLocation: 'middle', nameGap: 45 },
    series: summaries.map(({ strategy }) => {
      const curves = results.filter((result) => result.strategy === strategy).map(({ curve }) => curve);
      return { name: strategy, type: 'line', showSymbol: false, data: meanCurve(curves, value) };
    }),
  };
}

/** Up to the shortest curve; points without a value are left out. */
function meanCurve(
  curves: readonly (readonly CurvePoint[])[],
  value: (point: CurvePoint) => number | undefined,
): [x: number, y: number][] {
  const length = Math.min(...curves.map((curve) => curve.length));
  return Array.from({ length }, (_, i) => i).flatMap((i): [number, number][] => {
    const points = curves.flatMap((curve) => curve[i] ?? []);
    const values = points.flatMap((point) => value(point) ?? []);
    if (values.length < points.length || points.length === 0) return [];
    return [[mean(points.map(({ arrivedPercent }) => arrivedPercent)), mean(values)]];
  });
}

const LARGEST_NODE = 16;

/** Nodes from left to right, their GPUs from bottom to top; the first seed. */
function heatMap({ results, nodes }: ReportInput, strategy: string): EChartsOption {
  const gpuFree = results.find((result) => result.strategy === strategy)?.gpuFree ?? [];
  const most = Math.min(LARGEST_NODE, Math.max(0, ...gpuFree.map((free) => free.length)));
  const cells = gpuFree.flatMap((free, node) =>
    free.slice(0, most).map((part, gpu) => [node, gpu, (1000 - part) / 10]),
  );
  return {
    grid: { left: 70, right: 30, top: 10, bottom: 75 },
    xAxis: {
      type: 'category',
      data: [...nodes],
      name: 'node',
      nameLocation: 'middle',
      nameGap: 25,
      axisTick: { show: false },
    },
    yAxis: {
      type: 'category',
      data: Array.from({ length: most }, (_, gpu) => `GPU ${gpu}`),
      axisTick: { show: false },
    },
    visualMap: {
      min: 0,
      max: 100,
      calculable: false,
      orient: 'horizontal',
      left: 'center',
      bottom: 0,
      text: ['100% held', '0%'],
      inRange: { color: ['#f2f0e9', '#f6c667', '#d1495b', '#4b1d52'] },
    },
    series: [
      { type: 'heatmap', data: cells, itemStyle: { borderWidth: nodes.length > 200 ? 0 : 1, borderColor: '#fff' } },
    ],
  };
}

function heatMapHeight({ results }: ReportInput): number {
  const most = Math.max(1, ...results.flatMap(({ gpuFree }) => gpuFree.map((free) => free.length)));
  return 100 + 22 * Math.min(LARGEST_NODE, most);
}

function summaryTable(summaries: readonly Summary[]): string {
  const head = [
    'strategy',
    'allocated at 100%',
    '± over seeds',
    'at the peak',
    'at the end',
    'of no use',
    'pods not placed',
  ];
  const rows = summaries.map((summary) => [
    summary.strategy,
    `${summary.allocatedPercent.toFixed(2)}%`,
    summary.deviation.toFixed(2),
    `${summary.peakPercent.toFixed(2)}%`,
    `${summary.finalPercent.toFixed(2)}%`,
    `${summary.fragmentedPercent.toFixed(2)}%`,
    `${summary.failures.toFixed(0)} of ${summary.arrivals.toFixed(0)}`,
  ]);
  const line = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>\n${[line(head, 'th'), ...rows.map((cells) => line(cells, 'td'))].join('\n')}\n</table>`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function escapeHtml(text: string): string {
  return text.replace(
    /[&<>"]/g,
    (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[character] ?? '',
  );
}
