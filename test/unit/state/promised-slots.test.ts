/** What pods were promised and do not hold yet. */

import tap from 'tap';
import { PromisedSlots } from '#src/state/promised-slots.ts';
import { ManualClock } from '../../objects/clock.ts';
import { storedPod } from '../../objects/pods.ts';
import { quietState } from '../../objects/records.ts';

const SHARED = 'nvidia.com/gpu.shared';

function setUp() {
  const { pods } = quietState();
  const clock = new ManualClock();
  const promised = new PromisedSlots(pods, clock);
  const show = (name: string, more: object = {}, mode = 'mps') =>
    pods.update(
      storedPod({
        name,
        uid: name,
        resources: { [SHARED]: '1' },
        metadata: { annotations: { 'gpu-autoscaler.io/optimization-strategy': mode } },
        ...more,
      }),
    );
  return { pods, clock, promised, show, count: () => promised.count(SHARED, 'mps') };
}

tap.test('pods that wait, until they are bound, end or go', async (t) => {
  const { pods, show, count } = setUp();
  show('a');
  show('b');
  show('c');
  show('sliced', {}, 'timeslicing');
  t.equal(count(), 3, 'of one mode alone');
  show('a', { nodeName: 'n' });
  show('b', { phase: 'Failed' });
  t.equal(count(), 1);
  pods.delete(storedPod({ name: 'c', uid: 'c', resources: {} }));
  t.equal(count(), 0);
});

tap.test('our own promises count before the watch shows the pod, and once', async (t) => {
  const { promised, show, count } = setUp();
  promised.promise(SHARED, 'mps', 0);
  promised.promise(SHARED, 'mps', 0);
  t.equal(count(), 2);
  show('a');
  t.equal(count(), 2, 'one seen, one not yet');
  show('b');
  t.equal(count(), 2);
  show('b', { nodeName: 'n' });
  t.equal(count(), 1);
});

tap.test('a pod that is never seen was not made', async (t) => {
  const { promised, clock, count } = setUp();
  promised.promise(SHARED, 'mps', 0);
  clock.ms += 3_000;
  promised.promise(SHARED, 'mps', 0);
  clock.ms += 2_001;
  t.equal(count(), 1);
  clock.ms += 3_000;
  t.equal(count(), 0);
});

tap.test('users: those of pods that wait, and of pods that are not seen yet', async (t) => {
  const { promised, show, clock } = setUp();
  const others = (user: number) => promised.otherUsers(SHARED, 'mps', user);
  const of = (runAsUser: number, more: object = {}) => ({ spec: { securityContext: { runAsUser } }, ...more });
  promised.promise(SHARED, 'mps', 1000);
  promised.promise(SHARED, 'mps', 7);
  t.equal(others(0), 2);
  t.equal(others(7), 1);
  show('seven', of(7));
  clock.ms += 6_000;
  t.equal(others(0), 1, 'the one that was seen; the other was not made');
  show('root', of(0));
  t.equal(others(7), 1);
  show('seven', of(7, { nodeName: 'n' }));
  t.equal(others(0), 0, 'the ledger knows who is on the node');
});

tap.test('a promise that is taken back, of one user among several', async (t) => {
  const { promised, count } = setUp();
  promised.promise(SHARED, 'mps', 1000);
  promised.promise(SHARED, 'mps', 0);
  promised.withdraw(SHARED, 'mps', 1000);
  t.equal(count(), 1);
  t.equal(promised.otherUsers(SHARED, 'mps', 0), 0);
  promised.withdraw(SHARED, 'mps', 7);
  t.equal(count(), 1, 'nothing was promised to that one');
});

tap.test('by time-slicing users do not matter', async (t) => {
  const { promised, show } = setUp();
  promised.promise(SHARED, 'timeslicing', 1000);
  show('sliced', {}, 'timeslicing');
  t.equal(promised.count(SHARED, 'timeslicing'), 1, 'the pod is the one that was promised it');
});

tap.test('a pod that waits for longer than a minute cannot have what is free', async (t) => {
  const { clock, promised, show, count } = setUp();
  show('a');
  clock.ms += 30_000;
  show('b');
  clock.ms += 30_001;
  t.equal(count(), 1);
  t.equal(promised.otherUsers(SHARED, 'mps', 0), 0);
  show('a', { nodeName: 'n' });
  t.equal(count(), 1);
});
