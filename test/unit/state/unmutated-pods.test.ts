/** Pods on which the webhook has left no mark. */

import tap from 'tap';
import { UnmutatedPods } from '#src/state/unmutated-pods.ts';
import { takeList } from '../../fakes/listing.ts';
import { quietState } from '../../objects/records.ts';
import { storedPod } from '../audit/make.ts';

const KEY = 'gpu-autoscaler.io/';
const governed = (uid: string, policy = 'p', more: object = {}) =>
  storedPod({ uid, metadata: { annotations: { [`${KEY}optimized`]: 'true', [`${KEY}policy`]: policy } }, ...more });

function setUp() {
  let changes = 0;
  const { pods } = quietState();
  const unmutated = new UnmutatedPods(pods, () => {
    changes += 1;
  });
  return { pods, all: () => [...unmutated.all()], changes: () => changes };
}

const LEFT_OUT: readonly [what: string, pod: object][] = [
  ['no GPU', storedPod({ uid: 'x', gpus: 0 })],
  ['it has failed', storedPod({ uid: 'x', phase: 'Failed' })],
  ['it is on its way out', storedPod({ uid: 'x', metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } })],
  ['no pod that can be read', { metadata: { uid: 'x' }, spec: {} }],
  ['it was decided', governed('x')],
  ['it asks for a slot by name', storedPod({ uid: 'x', slots: 1 })],
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
  takeList(pods, [governed('a'), storedPod({ uid: 'b', nodeName: 'somewhere' })]);
  t.match(all(), [{ uid: 'b', namespace: 'team', name: 'b' }]);
  t.equal(all()[0]?.created.spec.nodeName, undefined);
});

tap.test('what changes nothing that is kept calls nobody', async (t) => {
  const { pods, changes } = setUp();
  pods.update(storedPod({ uid: 'a', phase: 'Pending' }));
  pods.update(storedPod({ uid: 'a', phase: 'Running', metadata: { resourceVersion: '2' } }));
  t.equal(changes(), 1);
  pods.delete(storedPod({ uid: 'a' }));
  t.equal(changes(), 2);
});
