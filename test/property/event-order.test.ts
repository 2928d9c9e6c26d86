/** Events of different objects may come in any order: they end in the state that a list of the same objects gives. */

import fc from 'fast-check';
import tap from 'tap';
import { WHOLE_GPU } from '#src/core/resources.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { takeList } from '../fakes/listing.ts';
import { exclusiveNode } from '../objects/nodes.ts';
import { NODE, type PodOptions, pod } from '../unit/state/state.ts';

/** What is told of a pod, in this order. */
const LIVES: readonly (readonly (PodOptions | 'gone')[])[] = [
  [{}],
  [{}, 'gone'],
  [{}, { phase: 'Failed' }],
  [{}, { node: NODE }],
  [{}, { node: NODE }, { node: NODE }, { node: NODE, terminating: true }],
  [{}, { node: NODE }, { node: NODE, terminating: true }, 'gone'],
  [{ node: NODE, gpu: 1 }],
  [
    { node: 'other', count: 2 },
    { node: 'other', count: 2, phase: 'Succeeded' },
  ],
  [{ node: 'other' }, { node: 'other', phase: 'Succeeded' }, 'gone'],
];
const nodes = ['other', NODE].map((name) => exclusiveNode({ name, gpus: 4 }));

/** Lives, whose turn it is at each step, and when the nodes come. */
const stories = fc.array(fc.constantFrom(...LIVES), { maxLength: 6 }).chain((lives) => {
  const turns = lives.flatMap((life, i) => life.map(() => i));
  return fc.record({
    lives: fc.constant(lives),
    turns: fc.shuffledSubarray(turns, { minLength: turns.length }),
    nodesAt: fc.nat({ max: turns.length }),
  });
});

/** Free slots and holders of all nodes. */
function summary({ ledger }: ClusterState): object[] {
  return nodes.map(({ metadata: { name } }) => {
    const holders = [...ledger.allocationsOn(name)].map(({ uid, state }) => `${uid} ${state}`).sort();
    return { name, free: ledger.freeSlots(name, WHOLE_GPU), holders };
  });
}

tap.test('events in any order end in the state of a list, which then changes nothing', async (t) => {
  fc.assert(
    fc.property(stories, ({ lives, turns, nodesAt }) => {
      const state = new ClusterState((message) => {
        throw new Error(message);
      });
      const present = new Map<number, object>();
      const progress = lives.map((life) => life.values());
      for (const [step, i] of turns.entries()) {
        if (step === nodesAt) for (const node of nodes) state.nodes.update(node);
        const next = progress[i]?.next().value;
        if (next === 'gone') {
          state.pods.delete(present.get(i));
          present.delete(i);
        } else {
          present.set(i, pod(`pod-${i}`, next));
          state.pods.update(present.get(i));
        }
      }
      takeList(state.nodes, nodes);
      const told = summary(state);
      const listed = new ClusterState(() => {});
      takeList(listed.nodes, nodes);
      takeList(listed.pods, [...present.values()]);
      assertSame(told, summary(listed));
      const versions = () => ['other', NODE].map((name) => state.ledger.load(name)?.version);
      const before = versions();
      takeList(state.pods, [...present.values()]);
      assertSame(versions(), before);
    }),
    { numRuns: 1_000 },
  );
  t.pass('1,000 stories');
});

function assertSame(actual: unknown, expected: unknown): void {
  if (JSON.stringify(actual) === JSON.stringify(expected)) return;
  throw new Error(`${JSON.stringify(actual)} is not ${JSON.stringify(expected)}`);
}
