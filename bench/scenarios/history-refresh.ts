import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import { z } from 'zod';
import { systemClock } from '#src/kube/clock.ts';
import { History } from '#src/telemetry/history/history.ts';
import { historyMetrics } from '#src/telemetry/history/metrics.ts';
import { Prometheus } from '#src/telemetry/history/prometheus.ts';
import { QUESTIONS } from '#src/telemetry/history/utilisation.ts';
import { createRegistry } from '#src/telemetry/registry.ts';
import { median, type Scenario } from '../scenario.ts';
import { startServer } from '../servers/start.ts';

const SERIES = 50_000;
const ROUNDS = 5;
/** ms between two looks of perf_hooks, which is in what it measures. */
const RESOLUTION = 1;

const wholeSchema = z.object({
  data: z.object({
    result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })),
  }),
});

export const historyRefresh: Scenario = {
  name: 'history-refresh',
  question: `What does a refresh of the history cost with ${SERIES} series in each answer?`,
  method:
    `a Prometheus played by another process gives ${SERIES} series to each of the ${QUESTIONS.length} queries; the refresh runs ` +
    `in this process, ${ROUNDS} times, the first one cold. The stall is the longest of the event loop, by perf_hooks (sampled ` +
    `every ${RESOLUTION} ms, which is taken off); memory is what the process grew to at most (RSS, looked at every turn), and ` +
    'what the heap holds afterwards. The floor is one of those answers read in one go: text, JSON.parse, schema.',
  async run(log) {
    const server = await startServer('prometheus.ts', [String(SERIES)]);
    try {
      const url = `http://127.0.0.1:${server.port}`;
      const rounds: Round[] = [];
      for (let round = 1; round <= ROUNDS; round += 1) {
        rounds.push(await measure(() => refresh(url)));
        log(`round ${round}: ${ms(rounds.at(-1)?.ms)}, stall ${ms(rounds.at(-1)?.stallMs)}`);
      }
      const whole: Round[] = [];
      for (let round = 1; round <= ROUNDS; round += 1) whole.push(await measure(() => readWhole(url)));
      const [cold] = rounds;
      const rows = (
        [
          ['a refresh', 'ms'],
          ['longest stall', 'stallMs'],
        ] as const
      ).map(([what, key]) => [what, ms(median(rounds.map((round) => round[key]))), ms(cold?.[key])]);
      return {
        head: ['figure', 'median', 'cold'],
        rows: [
          ...rows,
          ['memory at most, MiB more', mib(median(rounds.map(({ peak }) => peak))), mib(cold?.peak)],
          ['heap kept, MiB more', mib(median(rounds.map(({ kept }) => kept))), mib(cold?.kept)],
          ['floor: longest stall', ms(median(whole.map(({ stallMs }) => stallMs))), ms(whole[0]?.stallMs)],
        ],
      };
    } finally {
      server.stop();
    }
  },
};

interface Round {
  readonly ms: number;
  readonly stallMs: number;
  readonly peak: number;
  readonly kept: number;
}

/** @param work gives what has to be kept until the heap has been looked at */
async function measure(work: () => Promise<unknown>): Promise<Round> {
  collectGarbage();
  const before = process.memoryUsage();
  let peak = before.rss;
  const looking = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 5);
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION });
  delays.enable();
  const started = performance.now();
  const kept = await work();
  const ms = performance.now() - started;
  // Until its timer has seen the last turn.
  await sleep(20);
  delays.disable();
  clearInterval(looking);
  collectGarbage();
  const { heapUsed } = process.memoryUsage();
  return {
    ms,
    stallMs: delays.max / 1e6 - RESOLUTION,
    peak: peak - before.rss,
    kept: kept ? heapUsed - before.heapUsed : 0,
  };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

async function refresh(url: string): Promise<History> {
  const history = new History({
    prometheus: new Prometheus({ url, fetch }),
    refreshMs: 3_600_000,
    log: pino({ level: 'silent' }),
    metrics: historyMetrics(createRegistry()),
    clock: systemClock,
  });
  history.start();
  const failure = await history.firstTry;
  if (failure !== undefined) throw new Error(failure);
  await history.stop();
  return history;
}

async function readWhole(url: string): Promise<unknown> {
  const reply = await fetch(`${url}/api/v1/query`, { method: 'POST' });
  return wholeSchema.parse(JSON.parse(await reply.text()));
}

function ms(value = Number.NaN): string {
  return `${value.toFixed(0)} ms`;
}

function mib(bytes = Number.NaN): string {
  return (bytes / 2 ** 20).toFixed(0);
}
