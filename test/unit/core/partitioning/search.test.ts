/** The search mends what the greedy has chosen. What makes one choice better than another: selected-change.test.ts. */

import tap from 'tap';
import { CandidateChanges } from '#src/core/partitioning/candidate-changes.ts';
import { beam, greedy, MEASURES, search } from '#src/core/partitioning/search.ts';
import { compareSums, remainingAfter, sumOf } from '#src/core/partitioning/selected-change.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { demand, planningNode, searchable, shared } from './make.ts';

const MIG_1G = 'nvidia.com/mig-1g.5gb';
const MIG_2G = 'nvidia.com/mig-2g.10gb';
/** `2 × 4`: two nodes of four GPUs. */
const nodes = (...counts: readonly (readonly [nodes: number, gpus: number])[]) =>
  counts.flatMap(([count, gpus], kind) =>
    Array.from({ length: count }, (_, i) => planningNode(`n${kind}${i}`, { gpus })),
  );

interface Case {
  readonly says: string;
  readonly cluster: ReturnType<typeof searchable>;
  readonly greedy: readonly [value: number, gpus: number];
  readonly found: readonly [value: number, gpus: number];
}

const CASES: readonly Case[] = [
  {
    says: 'more is served by thinking again about nodes that were chosen',
    cluster: searchable(nodes([7, 2], [2, 4]), [
      demand('d', 6, MIG_2G),
      demand('e', 13, SHARED_GPU, { count: 3, maxReplicas: 2 }),
    ]),
    greedy: [16_710, 22],
    found: [18_210, 22],
  },
  {
    says: 'or the same on fewer GPUs',
    cluster: searchable(nodes([8, 2], [1, 4]), [demand('d', 5, MIG_1G, { count: 2 }), demand('e', 8, SHARED_GPU)]),
    greedy: [2_420, 4],
    found: [2_420, 3],
  },
];
for (const { says, cluster, greedy: first, found } of CASES) {
  tap.test(says, async (t) => {
    const { classes, demandClasses, remaining, ranks } = cluster;
    const changes = classes.map((each) => new CandidateChanges(each, ranks, false));
    for (const measure of MEASURES) {
      const { value, gpus } = sumOf(greedy(changes, remaining, measure), ranks);
      t.strictSame([value[0], gpus], first);
    }
    const chosen = search(classes, demandClasses, remaining, ranks, false);
    const { value, gpus } = sumOf(chosen, ranks);
    t.strictSame([value[0], gpus], found);
    t.equal(new Set(chosen.map(({ candidate }) => candidate)).size, chosen.length, 'no node twice');
    t.ok(
      remainingAfter(remaining, chosen).every((pods) => pods >= 0),
      'and no more than was asked',
    );
  });
}

tap.test('nothing is searched where nothing waits, or where nodes rest', async (t) => {
  const { classes, demandClasses, ranks } = searchable(
    [planningNode('a', { cooldownMs: 1 })],
    [demand('d', 1, MIG_1G)],
  );
  t.strictSame(search(classes, demandClasses, [1], ranks, false), []);
  const other = searchable([planningNode('a')], [demand('d', 1, MIG_1G)]);
  t.strictSame(search(other.classes, other.demandClasses, [0], other.ranks, false), []);
});

tap.test('what may only be recommended is left out, unless it is asked for', async (t) => {
  const node = planningNode('a', { onlyRecommend: () => 'autoConfig is off' });
  const { classes, demandClasses, remaining, ranks } = searchable([node], [demand('d', 1, MIG_1G)]);
  t.equal(search(classes, demandClasses, remaining, ranks, false).length, 0);
  t.equal(search(classes, demandClasses, remaining, ranks, true)[0]?.change.recommendOnly, 'autoConfig is off');
});

tap.test('a beam keeps only so many sets of changes, the most promising', async (t) => {
  const { classes, demandClasses, remaining, ranks } = searchable(
    [
      planningNode('a', { gpus: 1, modes: ['mps'] }),
      planningNode('b', { gpus: 2 }),
      planningNode('c', { gpus: 4, partition: shared(4, 'timeslicing', 2) }),
    ],
    [demand('d', 9, MIG_1G), demand('e', 6, SHARED_GPU), demand('f', 2, WHOLE_GPU), demand('g', 3, MIG_2G)],
  );
  const places = classes.flatMap((each) => {
    const candidateChanges = new CandidateChanges(each, ranks, false);
    return each.candidates.map((candidate) => ({ candidate, candidateChanges }));
  });
  const [narrow, wide] = [1, 64].map((width) => sumOf(beam(places, remaining, demandClasses, ranks, width), ranks));
  if (!narrow || !wide) return;
  t.ok(compareSums(wide, narrow) >= 0, 'more are no worse');
  t.ok((narrow.value[0] ?? 0) > 0, 'even one finds something');
  const wanted = demandClasses.reduce((sum, { weight, index }) => sum + weight * (remaining[index] ?? 0), 0);
  t.equal(wide.value[0], wanted, 'and enough of them all there is');
});
