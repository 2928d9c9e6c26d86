/** Which pods count for a policy. */

import tap from 'tap';
import { PodsByPolicy } from '#src/state/pods-by-policy.ts';
import { takeList } from '../../fakes/listing.ts';
import { governedPod, inferencePod } from '../../objects/pods.ts';
import { quietState } from '../../objects/records.ts';

function setUp() {
  const changed: string[] = [];
  const { pods } = quietState();
  const byPolicy = new PodsByPolicy(pods, (policy) => changed.push(policy));
  return { pods, byPolicy, told: () => changed.splice(0) };
}

tap.test('a policy governs the pods that bear its name, while they last', async (t) => {
  const { pods, byPolicy } = setUp();
  takeList(pods, [governedPod('a'), governedPod('b'), governedPod('c', 'other'), inferencePod('d')]);
  t.equal(byPolicy.governedBy('p'), 2);
  t.equal(byPolicy.governedBy('other'), 1);
  pods.update(governedPod('b', 'p', { phase: 'Succeeded' }));
  t.equal(byPolicy.governedBy('p'), 1, 'one has finished');
  pods.delete(governedPod('a'));
  t.equal(byPolicy.governedBy('p'), 0, 'one is gone');
  takeList(pods, []);
  t.equal(byPolicy.governedBy('other'), 0, 'not listed any more');
});

tap.test('a policy is told of when it governs another number of pods, and only then', async (t) => {
  const { pods, told } = setUp();
  pods.update(governedPod('a'));
  t.strictSame(told(), ['p']);
  pods.update(governedPod('a', 'p', { nodeName: 'n' }));
  t.strictSame(told(), []);
  pods.update(governedPod('a', 'other'));
  t.strictSame(told(), ['p', 'other']);
});
