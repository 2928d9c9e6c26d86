/** The long run of `npm run test:chaos:partitions`, in short. */

import tap from 'tap';
import { runPartitionChaos } from '../../chaos/partitions/run.ts';
import { findPrograms, ProgramsMissingError } from '../../cluster/programs.ts';

tap.test('20 repartitions among faults: no pod is lost or harmed, no node stays behind', async (t) => {
  try {
    findPrograms({ env: process.env, log: (line) => t.comment(line) });
  } catch (error) {
    if (!(error instanceof ProgramsMissingError) || process.env.CLUSTER_REQUIRED) throw error;
    t.pass('not run', { skip: error.message });
    return;
  }
  const seed = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.comment(`seed ${seed}`);
  const report = await runPartitionChaos({
    repartitions: 20,
    nodes: 6,
    seed,
    killEveryMs: 6_000,
    log: (line) => t.comment(line),
  });
  const { refused, harmed, overlapped, wedged } = report;
  t.strictSame(
    { refused, harmed, overlapped, wedged },
    { refused: [], harmed: [], overlapped: [], wedged: [] },
    `seed ${seed}`,
  );
  t.ok(report.pods > 20, `${report.pods} pods`);
  t.ok(report.kills >= 1, `${report.kills} kills`);
});
