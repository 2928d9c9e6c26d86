/** Which pods count for a policy, and which were never decided. */

import tap from 'tap';
import { GpuPodIndex } from '#src/state/gpu-pod-index.ts';
import { takeList } from '../../fakes/listing.ts';
import { storedPod } from '../audit/make.ts';

const KEY = 'gpu-autoscaler.io/';
const governed = (uid: string, policy = 'p', more: object = {}) =>
  storedPod({ uid, metadata: { annotations: { [`${KEY}optimized`]: 'true', [`${KEY}policy`]: policy } }, ...more });

function notes() {
  let changes = 0;
  const noted = new GpuPodIndex(() => {
    changes += 1;
  });
  return { noted, feed: noted.feed, changes: () => changes };
}

tap.test('a policy governs the pods that bear its name, while they last', async (t) => {
  const { noted, feed } = notes();
  takeList(feed, [governed('a'), governed('b'), governed('c', 'other'), storedPod({ uid: 'd' })]);
  t.equal(noted.governedBy('p'), 2);
  t.equal(noted.governedBy('other'), 1);
  feed.changed(governed('b', 'p', { phase: 'Succeeded' }));
  t.equal(noted.governedBy('p'), 1, 'one has finished');
  feed.deleted(governed('a'));
  t.equal(noted.governedBy('p'), 0, 'one is gone');
  takeList(feed, []);
  t.equal(noted.governedBy('other'), 0, 'not listed any more');
});

const LEFT_OUT: readonly [what: string, pod: object][] = [
  ['no GPU', storedPod({ uid: 'x', gpus: 0 })],
  ['it has failed', storedPod({ uid: 'x', phase: 'Failed' })],
  ['it is on its way out', storedPod({ uid: 'x', metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } })],
  ['no pod that can be read', { metadata: { uid: 'x' }, spec: {} }],
  ['a quantity that cannot be read', storedPod({ uid: 'x', gpus: 0.5 })],
];
for (const [what, pod] of LEFT_OUT) {
  tap.test(`nothing is kept of it: ${what}`, async (t) => {
    const { noted, feed, changes } = notes();
    feed.changed(pod);
    t.same([...noted.unmutated()], []);
    t.equal(changes(), 0);
  });
}

tap.test('unmutated is whom the webhook has left no mark on', async (t) => {
  const { noted, feed } = notes();
  takeList(feed, [governed('a'), storedPod({ uid: 'b', nodeName: 'somewhere' })]);
  t.match([...noted.unmutated()], [{ uid: 'b', namespace: 'team', name: 'b' }]);
  t.equal([...noted.unmutated()][0]?.unmutated.spec.nodeName, undefined, 'as it was before it was placed');
});

tap.test('what changes nothing that is kept tells nobody', async (t) => {
  const { feed, changes } = notes();
  feed.changed(storedPod({ uid: 'a', phase: 'Pending' }));
  feed.changed(storedPod({ uid: 'a', phase: 'Running', metadata: { resourceVersion: '2' } }));
  t.equal(changes(), 1);
});
