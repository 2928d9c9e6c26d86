/** `gpu-autoscaler simulate`: strategies side by side on a trace, a live cluster's snapshot, or a fleet of our own making. */

import { accessSync, constants, existsSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { SingleBar } from 'cli-progress';
import { type Command, InvalidArgumentError } from 'commander';
import type { RunResult, TimedPod } from '../../core/simulation/run.ts';
import type { SlotWorkload } from '../../core/simulation/slot-replay.ts';
import { syntheticWorkload, type Workload } from '../../core/simulation/synthetic.ts';
import { strategyByName, strategyNames } from '../../core/strategies/registry.ts';
import { columns, slotGrid } from '../gpu-grid.ts';
import { readText, sayUnsized } from '../input.ts';
import { InputError } from '../input-error.ts';
import { printableLines } from '../printable.ts';
import { type Job, runJobs, type SharedInput } from './jobs.ts';
import { readNodes, readPods, readTimedPods } from './openb.ts';
import { htmlReport, type ReportInput, svgReport } from './report.ts';
import { readSnapshot } from './snapshot.ts';
import { type Summary, summarise } from './summary.ts';

interface Flags {
  readonly nodes?: string;
  readonly pods?: string;
  readonly snapshot?: string;
  readonly data?: string;
  readonly trace?: string;
  readonly syntheticNodes: number;
  readonly strategies?: readonly string[];
  readonly seeds?: readonly number[];
  readonly ratio: number;
  readonly departures: boolean;
  readonly workers: number;
  readonly output: string;
  readonly curve?: string;
  readonly report?: string;
}

interface Input {
  readonly shared: (ratio: number) => SharedInput;
  /** Whether pods come and go when they did. */
  readonly isTimed: boolean;
  /** Names of the nodes, in the common order. */
  readonly nodes: readonly string[];
  readonly gpus: number;
  /** Pods that ask for GPUs. */
  readonly gpuPods: number;
  /** What it is, in a few words. */
  readonly title: string;
}

/** Adds the command to the program. */
export function addSimulate(program: Command, env: Readonly<Record<string, string | undefined>>): void {
  program
    .command('simulate')
    .description('Packs a workload by several strategies, and shows what each makes of the same GPUs.')
    .option('--nodes <file>', 'nodes as CSV in the openb format: sn,cpu_milli,memory_mib,gpu,model')
    .option('--pods <file>', 'pods as CSV: name,cpu_milli,memory_mib,num_gpu,gpu_milli[,gpu_spec,…]')
    .option(
      '--snapshot <file>',
      'a live cluster: the output of kubectl get nodes,pods -A -o json (- for standard input)',
    )
    .option('--data <dir>', 'folder of the openb trace (default: $OPENB_DIR)')
    .option('--trace <name>', 'which of its pod lists: default, cpu050, gpushare40, … (default: default)')
    .option('--synthetic-nodes <count>', 'size of our own fleet, where no input is given', count(1, 100_000), 100)
    .option('--strategies <list>', `of ${strategyNames.join(', ')} (default: all)`, strategies)
    .option('--seeds <list>', 'seeds of the order of arrival, such as 42-51 or 1,2,3 (default: 42-44)', seeds)
    .option('--ratio <number>', 'GPU asked for in all, as a share of capacity', ratio, 1.3)
    .option('--departures', 'pods come and go at the times in the trace; seeds and ratio have no effect', false)
    .option('--workers <count>', 'threads; results do not depend on it', count(1, 1024), availableParallelism())
    .option('-o, --output <format>', 'table or json', oneOf('table', 'json'), 'table')
    .option('--curve <file>', 'write the allocation curves as CSV')
    .option('--report <file>', 'write a report with charts: .html, or .svg for the allocation curve alone')
    .action((_options, command: Command) => simulate(command.opts<Flags>(), env));
}

async function simulate(flags: Flags, env: Readonly<Record<string, string | undefined>>): Promise<void> {
  if (flags.report && !/\.(html|svg)$/.test(flags.report))
    throw new InputError('--report: a file ending in .html or .svg');
  if (flags.report !== undefined && flags.report === flags.curve)
    throw new InputError('--report and --curve: two files');
  // Before the work, not after it.
  for (const file of [flags.report, flags.curve]) if (file !== undefined) mustBeWritable(file);
  const { shared, isTimed, nodes, gpus, gpuPods, title } = readInput(flags, env);
  if (gpus === 0) throw new InputError(`${title}: there is no node with GPUs`);
  if (gpuPods === 0) throw new InputError(`${title}: there is no pod that asks for GPUs`);
  const allSeeds = flags.seeds ?? [42, 43, 44];
  const usedSeeds = isTimed ? allSeeds.slice(0, 1) : allSeeds;
  const jobs: Job[] = (flags.strategies ?? strategyNames).flatMap((strategy) =>
    usedSeeds.map((seed) => ({ strategy, seed })),
  );
  const results = await withProgress(jobs.length, (done) =>
    runJobs({ jobs, input: shared(flags.ratio), workers: flags.workers, done }),
  );
  const summaries = summarise(results);
  const report: ReportInput = { title, summaries, results, nodes };
  if (flags.curve) write(flags.curve, curveCsv(results));
  if (flags.report) write(flags.report, await (flags.report.endsWith('.svg') ? svgReport(report) : htmlReport(report)));
  const text =
    flags.output === 'json'
      ? json(title, summaries, results)
      : table(title, summaries, isTimed) + slotPictures(results);
  process.stdout.write(printableLines(text));
}

function readInput(flags: Flags, env: Readonly<Record<string, string | undefined>>): Input {
  const { nodes, pods, snapshot } = flags;
  const data = flags.data ?? (env.OPENB_DIR || undefined);
  if (snapshot !== undefined) {
    if (nodes ?? pods ?? flags.data)
      throw new InputError('--snapshot stands alone: no --nodes, --pods or --data beside it');
    if (flags.departures) throw new InputError('--departures: a snapshot does not say when pods go');
    const name = snapshot === '-' ? 'standard input' : snapshot;
    return slotInput(readSnapshot({ name, text: readText(snapshot) }), name);
  }
  if (flags.trace !== undefined && data === undefined)
    throw new InputError('--trace: it needs --data DIR, or OPENB_DIR');
  if (nodes === undefined && pods === undefined && data === undefined) {
    if (flags.departures) throw new InputError('--departures: our own workload does not say when pods go');
    const workload = syntheticWorkload(flags.syntheticNodes, 1);
    return traceInput(workload, 'a synthetic workload');
  }
  const trace = flags.trace ?? 'default';
  const nodesFile = nodes ?? (data === undefined ? undefined : join(data, 'openb_node_list_gpu_node.csv'));
  const podsFile = pods ?? (data === undefined ? undefined : join(data, `openb_pod_list_${trace}.csv`));
  if (nodesFile === undefined || podsFile === undefined) {
    throw new InputError('--nodes and --pods go together (or give --data DIR, or --snapshot FILE)');
  }
  if (data !== undefined && pods === undefined && !existsSync(podsFile)) {
    throw new InputError(`--trace ${trace}: there is no ${podsFile}`);
  }
  const podsCsv = { name: podsFile, text: readText(podsFile) };
  const workload = { nodes: readNodes({ name: nodesFile, text: readText(nodesFile) }), pods: readPods(podsCsv) };
  return traceInput(workload, podsFile.split('/').at(-1) ?? '', flags.departures ? readTimedPods(podsCsv) : undefined);
}

function traceInput(workload: Workload, name: string, timed?: readonly TimedPod[]): Input {
  const { nodes, pods } = workload;
  const gpus = nodes.reduce((sum, node) => sum + node.gpus, 0);
  return {
    shared: (ratio) => ({ kind: 'trace', workload, ratio, ...(timed && { timed }) }),
    isTimed: timed !== undefined,
    nodes: nodes.map((node) => node.name),
    gpus,
    gpuPods: pods.filter((pod) => pod.gpus > 0).length,
    title: titleOf(name, nodes.length, gpus, pods.length),
  };
}

function slotInput(workload: SlotWorkload, name: string): Input {
  const { nodes, pods } = workload;
  sayUnsized(nodes.map(({ inventory }) => inventory));
  const gpus = nodes.reduce((sum, { inventory }) => sum + inventory.gpus, 0);
  return {
    shared: (ratio) => ({ kind: 'slots', workload, ratio }),
    isTimed: false,
    nodes: nodes.map(({ inventory }) => inventory.name),
    gpus,
    gpuPods: pods.length,
    title: titleOf(name, nodes.length, gpus, pods.length),
  };
}

function titleOf(name: string, nodes: number, gpus: number, pods: number): string {
  return `${name}: ${plural(nodes, 'node')} with ${plural(gpus, 'GPU')}, ${plural(pods, 'pod')}`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

function mustBeWritable(file: string): void {
  try {
    accessSync(existsSync(file) ? file : dirname(file), constants.W_OK);
  } catch (error) {
    throw new InputError(`cannot write ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** Replaces the file by a rename, so that no reader finds half of it; keeps links, and writes into pipes and devices. */
function write(file: string, text: string): void {
  try {
    const there = existsSync(file);
    if (there && !statSync(file).isFile()) {
      writeFileSync(file, text);
      return;
    }
    const target = there ? realpathSync(file) : file;
    const half = `${target}.${process.pid}.tmp`;
    try {
      writeFileSync(half, text);
      renameSync(half, target);
    } finally {
      rmSync(half, { force: true });
    }
  } catch (error) {
    throw new InputError(`cannot write ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** A bar on standard error, if that is a terminal. */
async function withProgress<T>(total: number, work: (done: (finished: number) => void) => Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work(() => {});
  const bar = new SingleBar({
    format: '{bar} {value}/{total} runs · {eta_formatted} left',
    stream: process.stderr,
    clearOnComplete: true,
  });
  bar.start(total, 0);
  try {
    return await work((finished) => bar.update(finished));
  } finally {
    bar.stop();
  }
}

/** With departures everybody has gone in the end: what counts is the peak, and who found no room. */
function table(title: string, summaries: readonly Summary[], timed: boolean): string {
  const head = timed
    ? ['STRATEGY', 'AT THE PEAK', 'NOT PLACED', 'TIME']
    : ['STRATEGY', 'ALLOCATED AT 100%', 'AT THE END', 'OF NO USE', 'NOT PLACED', 'TIME'];
  const rows = summaries.map((summary) => {
    const notPlaced = `${summary.failures.toFixed(0)} of ${summary.arrivals.toFixed(0)}`;
    const time = `${(summary.msPerRun / 1000).toFixed(2)} s`;
    if (timed) return [summary.strategy, `${summary.peakPercent.toFixed(2)}%`, notPlaced, time];
    return [
      summary.strategy,
      `${summary.allocatedPercent.toFixed(2)}%${summary.seeds > 1 ? ` ±${summary.deviation.toFixed(2)}` : ''}`,
      `${summary.finalPercent.toFixed(2)}%`,
      `${summary.fragmentedPercent.toFixed(2)}%`,
      notPlaced,
      time,
    ];
  });
  return `${title}\n\n${columns(head, rows)}\n`;
}

/** More lines are for the report, or for programs. */
const MAX_PICTURE_LINES = 40;

/** Slots and MIG instances at the end of each strategy's first run; nothing of a trace, which has none. */
function slotPictures(results: readonly RunResult[]): string {
  const first = new Map<string, RunResult>();
  for (const result of results) if (!first.has(result.strategy)) first.set(result.strategy, result);
  const pictures = [...first.values()].flatMap(({ strategy, seed, slots }) => {
    if (!slots) return [];
    const heading = `slots held at the end, ${strategy}, seed ${seed}`;
    if (slots.length > MAX_PICTURE_LINES)
      return [`${heading}: ${slots.length} lines, see --output json or --report FILE`];
    return [`${heading}:\n${slotGrid(slots)}`];
  });
  return pictures.map((picture) => `\n${picture}\n`).join('');
}

/** Stable: the version moves when a field changes its meaning. Times are left out: they are never the same twice. */
function json(title: string, summaries: readonly Summary[], results: readonly RunResult[]): string {
  const strategies = summaries.map(({ msPerRun, ...summary }) => summary);
  const runs = results.map(({ strategy, seed, arrivals, failures, curve, slots }) => ({
    strategy,
    seed,
    arrivals,
    failures,
    curve,
    ...(slots && { slots }),
  }));
  return `${JSON.stringify({ apiVersion: 'simulate.gpuautoscaler.io/v1', title, strategies, runs }, null, 2)}\n`;
}

function curveCsv(results: readonly RunResult[]): string {
  const lines = results.flatMap(({ strategy, seed, curve }) =>
    curve.map(({ arrivedPercent, allocatedPercent, fragmentedPercent, failures }) =>
      [strategy, seed, arrivedPercent, allocatedPercent, fragmentedPercent ?? '', failures].join(),
    ),
  );
  return `${['strategy,seed,arrived_percent,allocated_percent,fragmented_percent,failures', ...lines].join('\n')}\n`;
}

function strategies(list: string): string[] {
  const names = list.split(',').map((name) => name.trim().toLowerCase());
  const unknown = names.find((name) => !strategyByName(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`${JSON.stringify(unknown)} is not one of ${strategyNames.join(', ')}.`);
  return [...new Set(names)];
}

function seeds(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [, from, to = from] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part.trim()) ?? [];
    const [first, last] = [Number(from), Number(to)];
    if (from === undefined || last < first || last - first > 10_000)
      throw new InvalidArgumentError('Such as 42-51 or 1,2,3.');
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

function ratio(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 100)) throw new InvalidArgumentError('A number above 0, such as 1.3.');
  return value;
}

function count(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`A whole number from ${least} to ${most}.`);
  };
}

function oneOf(...values: readonly string[]): (text: string) => string {
  return (text) => {
    if (values.includes(text)) return text;
    throw new InvalidArgumentError(`One of ${values.join(', ')}.`);
  };
}
