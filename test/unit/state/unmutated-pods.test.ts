/** Pods on which the webhook has left no mark. */

import tap from 'tap';
import { SHARED_GPU } from '#src/core/resources.ts';
import { UnmutatedPods } from '#src/state/unmutated-pods.ts';
import { takeList } from '../../fakes/listing.ts';
import { governedPod, inferencePod } from '../../objects/pods.ts';
import { quietState } from '../../objects/records.ts';

function setUp() {
  let changes = 0;
  const { pods } = quietState();
  const unmutated = new UnmutatedPods(pods, () => {
    changes += 1;
  });
  return { pods, all: () => [...unmutated.all()], changes: () => changes };
}

const LEFT_OUT: readonly [what: string, pod: object][] = [
  ['no GPU', inferencePod('x', { gpus: 0 })],
  ['it has failed', inferencePod('x', { phase: 'Failed' })],
  ['it is on its way out', inferencePod('x', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } })],
  ['no pod that can be read', { metadata: { uid: 'x' }, spec: {} }],
  ['it was decided', governedPod('x')],
  ['it asks for a slot by name', inferencePod('x', { resources: { [SHARED_GPU]: 1 } })],
];
for (const [what, pod] of LEFT_OUT) {
  tap.test(`none of them: ${what}`, async (t) => {
    const { pods, all, changes } = setUp();
    pods.update(pod);
    t.same(all(), []);
    t.equal(changes(), 0);
  });
}

tap.test('each is known as it was before it was placed', async (t) => {
  const { pods, all } = setUp();
  takeList(pods, [governedPod('a'), inferencePod('b', { nodeName: 'somewhere' })]);
  t.match(all(), [{ uid: 'b', namespace: 'team', name: 'b' }]);
  t.equal(all()[0]?.created.candidate.facts.pinned, false);
});

tap.test('what changes nothing that is kept calls nobody', async (t) => {
  const { pods, changes } = setUp();
  pods.update(inferencePod('a', { phase: 'Pending' }));
  pods.update(inferencePod('a', { phase: 'Running', metadata: { resourceVersion: '2' } }));
  t.equal(changes(), 1);
  pods.delete(inferencePod('a'));
  t.equal(changes(), 2);
});
