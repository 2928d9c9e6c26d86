/** Sets of changes are judged by what they serve, then by what they cost. */

import tap from 'tap';
import { CandidateChanges } from '#src/core/partitioning/candidate-changes.ts';
import {
  compareSums,
  compareValue,
  remainingAfter,
  type SelectedChange,
  subtract,
  sumOf,
} from '#src/core/partitioning/selected-change.ts';
import { demand, planningNode, searchable } from './make.ts';

const MIG_1G = 'nvidia.com/mig-1g.5gb';

tap.test('sets of changes: what they serve by priority, then GPUs, then nodes', async (t) => {
  const sum = (value: number[], gpus = 1, changed = 1) => ({ value, gpus, nodes: changed });
  t.ok(compareSums(sum([2, 0], 9), sum([1, 9])) > 0);
  t.ok(compareSums(sum([1, 2], 9), sum([1, 1])) > 0);
  t.ok(compareSums(sum([1], 1, 9), sum([1], 2)) > 0);
  t.ok(compareSums(sum([1], 1, 1), sum([1], 1, 2)) > 0);
  t.equal(compareSums(sum([1]), sum([1])), 0);
  t.ok(compareValue([1], [2]) < 0);
});

tap.test('values: the first rank that differs decides, and one that is missing counts as 0', async (t) => {
  t.ok(compareValue([1, 0, 9], [1, 2, 0]) < 0);
  t.ok(compareValue([0, 1], [0]) > 0);
  t.equal(compareValue([], []), 0);
});

/** The change of each of two A100s that serves as many pods as it can, of three and of eight that wait. */
function selected(): { readonly changes: readonly SelectedChange[]; readonly remaining: readonly number[] } {
  const nodes = [planningNode('a', { gpus: 1 }), planningNode('b', { gpus: 1 })];
  const waiting = [demand('d', 3, MIG_1G, { priority: 1 }), demand('e', 8, MIG_1G)];
  const { classes, remaining, ranks } = searchable(nodes, waiting);
  const changes = classes.flatMap((each) => {
    const candidateChanges = new CandidateChanges(each, ranks, false);
    const [change] = candidateChanges.for(remaining, true).filter(({ pods }) => pods.size === 2);
    return change ? each.candidates.map((candidate) => ({ candidate, candidateChanges, change })) : [];
  });
  return { changes, remaining };
}

tap.test('figures of a set add up; of none they are 0', async (t) => {
  const { changes } = selected();
  t.strictSame(sumOf(changes.slice(0, 1), 2), { value: [426, 568], gpus: 1, nodes: 1 });
  t.strictSame(sumOf(changes, 2), { value: [852, 1_136], gpus: 2, nodes: 2 });
  t.strictSame(sumOf([], 2), { value: [0, 0], gpus: 0, nodes: 0 });
});

tap.test('what a set leaves: the question stays as it was', async (t) => {
  const { changes, remaining } = selected();
  t.strictSame(remainingAfter(remaining, changes.slice(0, 1)), [0, 4]);
  t.strictSame(remaining, [3, 8]);
  const rest = [...remaining];
  for (const { change } of changes.slice(0, 1)) subtract(rest, change);
  t.strictSame(rest, [0, 4], 'in place, where that is meant');
});
