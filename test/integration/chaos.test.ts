/** 2,000 binds while everything goes wrong that can: never twice, never lost. `npm run test:chaos` makes 100,000. */

import tap from 'tap';
import { seededRandom } from '#src/core/random.ts';
import { fleet } from '../chaos/fleet.ts';
import { runChaos } from '../chaos/run.ts';
import { clusterFor } from '../cluster/for-test.ts';

const BINDS = 1_000;
/** After a kill nobody binds for as long as the Lease lasts, 15 s: with shorter times between kills hardly anything is bound. */
const KILL_EVERY_MS = 40_000;

tap.test(`${BINDS} binds among faults of every kind and kills: no slot twice, none lost`, async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const cluster = await clusterFor(t, { nodes: fleet(seededRandom(seed)), kubelets: false, label: 'chaos' });
  if (!cluster) return;
  const log = (line: string) => t.comment(line);
  const report = await runChaos(cluster, { binds: BINDS, seed, killEveryMs: KILL_EVERY_MS, log });
  const { binds, seconds, kills, faults, breaches } = report;
  t.comment(`seed ${seed}: ${binds} binds in ${seconds.toFixed(0)} s, ${kills} kills, ${JSON.stringify([...faults])}`);
  t.strictSame(breaches, [], `seed ${seed}`);
  t.ok(binds >= BINDS);
});
