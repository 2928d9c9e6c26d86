/** All checks together: what each says, and what could not be looked at. */

import tap from 'tap';
import { defineCheck, type Finding } from '#src/cli/doctor/check.ts';
import { diagnose, findingsOf } from '#src/cli/doctor/diagnose.ts';
import type { Kind } from '#src/cli/doctor/observations.ts';
import { contextOf } from './make.ts';

const finding = (severity: Finding['severity'], message: string): Finding => ({
  severity,
  message,
  fix: '',
  objects: [],
});
const nodes = defineCheck({ name: 'n', about: '', needs: ['nodes'], run: () => [finding('warning', 'w')] });
const queues = defineCheck({
  name: 'q',
  about: '',
  needs: ['clusterQueues'],
  uses: ['nodes'],
  run: () => [finding('error', 'e')],
});
const either = defineCheck({
  name: 'e',
  about: '',
  needs: [],
  uses: ['leases', 'services'],
  run: ({ leases }) => leases && [],
});

tap.test('errors come first; without what a check needs it is not made', async (t) => {
  const seen = { nodes: [], clusterQueues: [], leases: [] };
  const all = diagnose([nodes, queues, either], { seen, unseen: new Map() }, contextOf());
  t.strictSame(
    findingsOf(all).map(({ check, severity }) => `${severity} ${check}`),
    ['error q', 'warning n'],
  );
  const unseen = new Map<Kind, string>([
    ['nodes', 'forbidden'],
    ['leases', 'not in the snapshot'],
    ['services', 'forbidden'],
  ]);
  const some = diagnose([nodes, queues, either], { seen: { clusterQueues: [] }, unseen }, contextOf());
  t.strictSame(
    some.results.map(({ findings }) => findings?.length),
    [undefined, 1, undefined],
  );
  t.strictSame(some.notLookedAt, [
    { why: 'forbidden', kinds: ['Nodes', 'Services'], checks: ['n', 'q', 'e'] },
    { why: 'not in the snapshot', kinds: ['Leases'], checks: ['e'] },
  ]);
  t.equal(some.nodes, undefined);
});
