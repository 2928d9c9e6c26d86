/** Which pods count for a policy. */

import tap from 'tap';
import { PodsByPolicy } from '#src/state/pods-by-policy.ts';
import { takeList } from '../../fakes/listing.ts';
import { quietState } from '../../objects/records.ts';
import { storedPod } from '../audit/make.ts';

const KEY = 'gpu-autoscaler.io/';
const governed = (uid: string, policy = 'p', more: object = {}) =>
  storedPod({ uid, metadata: { annotations: { [`${KEY}optimized`]: 'true', [`${KEY}policy`]: policy } }, ...more });

function setUp() {
  const changed: string[] = [];
  const { pods } = quietState();
  const byPolicy = new PodsByPolicy(pods, (policy) => changed.push(policy));
  return { pods, byPolicy, told: () => changed.splice(0) };
}

tap.test('a policy governs the pods that bear its name, while they last', async (t) => {
  const { pods, byPolicy } = setUp();
  takeList(pods, [governed('a'), governed('b'), governed('c', 'other'), storedPod({ uid: 'd' })]);
  t.equal(byPolicy.governedBy('p'), 2);
  t.equal(byPolicy.governedBy('other'), 1);
  pods.update(governed('b', 'p', { phase: 'Succeeded' }));
  t.equal(byPolicy.governedBy('p'), 1, 'one has finished');
  pods.delete(governed('a'));
  t.equal(byPolicy.governedBy('p'), 0, 'one is gone');
  takeList(pods, []);
  t.equal(byPolicy.governedBy('other'), 0, 'not listed any more');
});

tap.test('a policy is told of when it governs another number of pods, and only then', async (t) => {
  const { pods, told } = setUp();
  pods.update(governed('a'));
  t.strictSame(told(), ['p']);
  pods.update(governed('a', 'p', { nodeName: 'n' }));
  t.strictSame(told(), []);
  pods.update(governed('a', 'other'));
  t.strictSame(told(), ['p', 'other']);
});
