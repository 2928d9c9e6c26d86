/**
 * The long run of "an install never stops what ran": `npm run test:as-before`. Writes `bench/results/as-before.md`, unless
 * something was found that must not be.
 */

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { columns } from '#src/cli/gpu-grid.ts';
import { report } from '../../bench/report.ts';
import { startCluster } from '../cluster/start.ts';
import { type AsBeforeReport, runAsBefore } from './run.ts';

const USAGE = `usage: npm run test:as-before [-- --runs N --seed N]

Clusters and pods at random on a real control plane: what the stock kube-scheduler binds without us has to be bound with us.

  --runs N    cases (default: 1000)
  --seed N    of the cases (default: at random; it is printed)
`;

function readFlags() {
  try {
    const { values } = parseArgs({
      options: {
        runs: { type: 'string', default: '1000' },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const [runs, seed] = [Number(values.runs), Number(values.seed)];
    if (!Number.isSafeInteger(runs) || runs < 1) throw new Error('--runs: a whole number from 1 on');
    if (!Number.isSafeInteger(seed)) throw new Error('--seed: a whole number');
    return { help: values.help, runs, seed };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

const { help, runs, seed } = readFlags();
if (help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
// Ctrl-C: the batch that is under way ends. (npm passes it on a second time: no reason to break off.)
const stopping = new AbortController();
process.on('SIGINT', () => stopping.abort());
process.on('SIGTERM', () => stopping.abort());
const log = (line: string) => console.log(`${(performance.now() / 1000).toFixed(0).padStart(5)} s  ${line}`);
log(`seed ${seed}`);

const cluster = await startCluster({ kubelets: false, label: 'as-before', log });
let result: AsBeforeReport | undefined;
try {
  result = await runAsBefore(cluster, { runs, seed, signal: stopping.signal, log });
} finally {
  await cluster.stop({ keepLogs: result === undefined || result.breaches.length > 0 });
}

const { cases, nodes, boundWithoutUs, mayWait, became, breaches, seconds } = result;
const count = (what: string) => became.get(what) ?? 0;
const figures: readonly (readonly [string, number])[] = [
  ['cases', cases],
  ['nodes', nodes],
  ['pods bound without us', boundWithoutUs],
  ['left out: they declare a need that no node which took them is known to have', mayWait],
  ['bound with us, sharing by MIG', count('mig')],
  ['bound with us, sharing by MPS', count('mps')],
  ['bound with us, sharing by time-slicing', count('timeslicing')],
  ['bound with us, on whole GPUs', count('exclusive')],
  ['bound with us, as they came', count('as it came')],
  ['not bound with us', breaches.length],
];
const table = { head: ['what', 'count'], rows: figures.map(([what, count]) => [what, String(count)]) };
console.log(columns(table.head, table.rows));
for (const breach of breaches.slice(0, 20)) console.log(breach);
if (breaches.length > 0) {
  console.log(`seed ${seed}: ${breaches.length} things that must not be; logs: ${join(cluster.dir, 'logs')}`);
  process.exitCode = 1;
} else {
  const about = {
    name: 'as-before',
    question: 'Does a pod that would have been bound without us ever wait with us?',
    method:
      'a real kube-apiserver; clusters of one to five nodes as real ones label them, tainted, cordoned or configured by others, ' +
      'a policy in a third of them, and one pod each, all at random. Each pod is made twice on the same idle nodes: in a ' +
      'namespace that the webhook leaves out, for a stock kube-scheduler without our extender; and, if that bound it, as any ' +
      'user makes it, with webhook, extender and secondary kube-scheduler. The first kube-scheduler’s word is compared with what ' +
      'the pure property (`test/property/as-before.test.ts`) expects of it. Slots that the planner would have to make are ' +
      'promised to no pod here; the pure property asks the planner for them.' +
      (stopping.signal.aborted ? ' The run was ended early, by Ctrl-C.' : ''),
  };
  const file = join(resolve(import.meta.dirname, '../..'), 'bench/results/as-before.md');
  const command = `npm run test:as-before -- --runs ${runs} --seed ${seed}`;
  writeFileSync(file, report(about, table, Math.round(seconds), command));
  console.log(`→ bench/results/as-before.md, seed ${seed}`);
}
