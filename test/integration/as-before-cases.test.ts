/** Sixty clusters and pods at random: what the stock kube-scheduler binds is bound with us. `npm run test:as-before` plays 1,000. */

import tap from 'tap';
import { runAsBefore } from '../as-before/run.ts';
import { clusterFor } from '../cluster/for-test.ts';

const RUNS = 60;

tap.test('pods of clusters at random run with us if they run without', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const cluster = await clusterFor(t, { kubelets: false, label: 'as-before' });
  if (!cluster) return;
  const report = await runAsBefore(cluster, { runs: RUNS, seed, log: (line) => t.comment(line) });
  const { cases, boundWithoutUs, became, breaches } = report;
  t.comment(`seed ${seed}: ${JSON.stringify([...became])}`);
  t.strictSame(breaches, [], `seed ${seed}`);
  t.equal(cases, RUNS);
  t.ok(boundWithoutUs > RUNS / 4, `${boundWithoutUs} would have been bound, seed ${seed}`);
});
