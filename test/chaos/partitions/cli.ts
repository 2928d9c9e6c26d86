/**
 * The long run of partitions: a thousand changes among faults. Writes `bench/results/partition-chaos.md`, unless
 * something was found that must not be.
 *
 * usage: npm run test:chaos:partitions [-- --repartitions N --nodes N --seed N]
 */

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { columns } from '#src/cli/gpu-grid.ts';
import { report } from '../../../bench/report.ts';
import { runPartitionChaos } from './run.ts';

const KILL_EVERY_MS = 20_000;

const { values } = parseArgs({
  options: {
    repartitions: { type: 'string', default: '1000' },
    nodes: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
});
const seed = Number(values.seed);
// Ctrl-C: enough, but let us see what became of it. (npm passes it on a second time: no reason to break off.)
const stopping = new AbortController();
process.on('SIGINT', () => stopping.abort());
const log = (line: string) => console.log(`${(performance.now() / 1000).toFixed(0).padStart(5)} s  ${line}`);

const result = await runPartitionChaos({
  repartitions: Number(values.repartitions),
  nodes: Number(values.nodes),
  seed,
  killEveryMs: KILL_EVERY_MS,
  signal: stopping.signal,
  log,
});
const { refused, harmed, overlapped, wedged } = result;
const figures: [string, string | number][] = [
  ['nodes', values.nodes],
  ['repartitions', result.repartitions],
  ['repartitions/min', ((60 * result.repartitions) / result.seconds).toFixed(0)],
  ['pods', result.pods],
  ['kills of the controller', result.kills],
  ['nodes on which something was mended', result.repairs],
  ['changes given up, and tried anew later', result.givenUp],
  ...[...result.faults].sort(([a], [b]) => a.localeCompare(b)).map(([kind, count]): [string, number] => [kind, count]),
  ['pods lost to UnexpectedAdmissionError', refused.length],
  ['running pods harmed', harmed.length + overlapped.length],
  ['nodes wedged for ever', wedged.length],
];
const table = { head: ['what', 'count'], rows: figures.map(([what, count]) => [what, String(count)]) };
console.log(columns(table.head, table.rows));
const breaches = [
  ...refused.map((uid) => `refused: ${uid}`),
  ...harmed.map((uid) => `harmed: ${uid}`),
  ...overlapped.map((uid) => `overlapped: ${uid}`),
  ...wedged,
];
for (const breach of breaches.slice(0, 20)) console.log(breach);
if (breaches.length > 0) {
  console.log(`seed ${seed}: ${breaches.length} things that must not be`);
  process.exitCode = 1;
} else {
  const about = {
    name: 'partition-chaos',
    question: 'Is a pod ever lost or harmed, or a node left behind, while partitions change among faults?',
    method:
      `${values.nodes} emulated nodes of two A100 behind a real kube-apiserver and kube-scheduler (seed ${seed}), their clock ` +
      '20 times as fast and their delays shortened; on each one partition after the other (whole, MPS, time-slicing, three MIG ' +
      'layouts), pods that ask for what is there, what was and what comes, created before, during and after each change, and that end in their own time. NVIDIA’s components fail, ' +
      'stick, reboot and do not act; the network between controller and API server breaks, delays and loses requests and replies; ' +
      'the controller is cut off and another started every 20 s.',
  };
  const file = join(resolve(import.meta.dirname, '../../..'), 'bench/results/partition-chaos.md');
  const command = `npm run test:chaos:partitions -- --repartitions ${values.repartitions} --nodes ${values.nodes} --seed ${seed}`;
  writeFileSync(file, report(about, table, Math.round(result.seconds), command));
  console.log(`→ bench/results/partition-chaos.md, seed ${seed}`);
}
