/**
 * The long run: binds by the 100,000 among faults of every kind. Writes `bench/results/chaos.md`,
 * unless something was found that must not be.
 *
 * usage: npm run test:chaos [-- --binds N --seed N --stale-lists --afterlife --replicas N]
 */

import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { columns } from '#src/cli/gpu-grid.ts';
import { seededRandom } from '#src/core/random.ts';
import { report } from '../../bench/report.ts';
import { startCluster } from '../cluster/start.ts';
import { fleet } from './fleet.ts';
import { type ChaosReport, runChaos } from './run.ts';

const KILL_EVERY_MS = 90_000;
const STALE_LISTS = 0.5;

const { values } = parseArgs({
  options: {
    binds: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    // What the design does not promise to survive: to be measured, not to pass.
    'stale-lists': { type: 'boolean', default: false },
    afterlife: { type: 'boolean', default: false },
    replicas: { type: 'string', default: '1' },
  },
});
const binds = Number(values.binds);
const seed = Number(values.seed);
const replicas = Number(values.replicas);
const beyond = values['stale-lists'] || values.afterlife || replicas > 1;
// Ctrl-C: enough, but let us see what became of it. (npm passes it on a second time: no reason to break off.)
const stopping = new AbortController();
process.on('SIGINT', () => stopping.abort());
const log = (line: string) => console.log(`${(performance.now() / 1000).toFixed(0).padStart(5)} s  ${line}`);

const cluster = await startCluster({ nodes: fleet(seededRandom(seed)), kubelets: false, label: 'chaos', log });
let result: ChaosReport | undefined;
try {
  result = await runChaos(cluster, {
    binds,
    seed,
    killEveryMs: KILL_EVERY_MS,
    replicas,
    ...(values['stale-lists'] && { rates: { 'stale list': STALE_LISTS } }),
    afterlife: values.afterlife,
    countBreaches: beyond,
    signal: stopping.signal,
    log,
  });
} finally {
  await cluster.stop({ keepLogs: result === undefined });
}

const { breaches, seconds, faults } = result;
const figures: [string, string | number][] = [
  ['nodes', result.nodes],
  ['slots', result.slots],
  ['binds', result.binds],
  ['binds/s', (result.binds / seconds).toFixed(0)],
  ['bind requests past kube-scheduler', result.asked],
  ['events of pods judged', result.events],
  ['SIGKILLs of the extender', result.kills],
  ...[...faults].sort(([a], [b]) => a.localeCompare(b)).map(([kind, count]): [string, number] => [kind, count]),
  ['slots given twice, or lost', breaches.length],
];
const table = { head: ['what', 'count'], rows: figures.map(([what, count]) => [what, String(count)]) };
console.log(columns(table.head, table.rows));
for (const breach of breaches.slice(0, 20)) console.log(breach);
if (breaches.length > 0) {
  console.log(`seed ${seed}: ${breaches.length} things that must not be`);
  process.exitCode = 1;
} else if (!beyond) {
  const about = {
    name: 'chaos',
    question:
      'Is a slot ever given twice, or lost, while everything goes wrong between the extender and the API server?',
    method:
      'a real kube-apiserver and kube-scheduler; the extender is a process of its own that reaches the API server through ' +
      'a proxy which makes the faults below, by chance, and is killed and started again; kube-scheduler keeps 40 pods ' +
      'coming and going, and 8, 32 or 128 callers at once bind pods past it; a judge follows all events of pods ' +
      'straight from the API server and checks after each that no node has given away more than it has; in the end ' +
      'every pod that fits has to be bound, and once all are gone, every slot has to be free.' +
      (stopping.signal.aborted ? ' The run was ended early, by Ctrl-C.' : ''),
  };
  const command = `npm run test:chaos -- --binds ${binds} --seed ${seed}`;
  const file = join(resolve(import.meta.dirname, '../..'), 'bench/results/chaos.md');
  writeFileSync(file, report(about, table, Math.round(performance.now() / 1000), command));
  console.log(`→ bench/results/chaos.md, seed ${seed}`);
}
