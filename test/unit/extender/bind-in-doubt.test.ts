/** Nobody knows whether the pod was bound: its slot is kept until the API server tells, however long that takes. */

import tap, { type Test } from 'tap';
import { waitFor } from '../../cluster/wait.ts';
import type { ApiFault } from '../../fakes/pod-api.ts';
import { NODE, OTHER, podManifest, setUp as setUpBinder } from './binding.ts';

const BOUND = { result: 'bound' };
const IN_DOUBT = { result: 'failed', why: /whether the pod was bound is not known yet$/ };

/** A pod in doubt: the Binding met the fault, and then the API server went away. */
async function setUp(t: Test, fault: ApiFault) {
  const made = setUpBinder(t, { asleep: true });
  const { api, bind } = made;
  api.meet(/POST/, fault);
  api.meet(/GET/, 'unsent');
  t.match(await bind('a'), IN_DOUBT);
  api.calls.length = 0;
  return made;
}

tap.test('while in doubt the slot is held, and a second bind is refused without a call', async (t) => {
  const { api, bind, free, ledger } = await setUp(t, 'lost reply');
  const why = `whether the pod was bound to ${NODE} is not known yet`;
  t.strictSame(await bind('a'), { result: 'refused', why });
  t.strictSame(await bind('a', OTHER), { result: 'refused', why });
  t.strictSame(api.calls, []);
  t.equal(free(), 0);
  t.equal(free(OTHER), 1);
  t.equal(ledger.reservations(), 1);
});

tap.test('it asks until it is told, after 100 ms, then twice as long each time, up to 5 s', async (t) => {
  const { api, naps, wake, free } = await setUp(t, 'unsent');
  const faults = ['unsent', { status: 500 }, { status: 401 }, { status: 403 }, { status: 429 }, 'nonsense'] as const;
  for (const fault of faults) {
    api.meet(/GET/, fault);
    await wake();
    t.equal(free(), 0, JSON.stringify(fault));
  }
  t.strictSame(naps, [100, 200, 400, 800, 1600, 3200, 5000]);
  t.strictSame(new Set(api.calls), new Set(['GET a']));
  await wake();
  t.strictSame(api.calls.slice(-2), ['GET a', 'POST a']);
  t.equal(free(), 0);
});

tap.test(
  'told that the pod is not bound, it makes the Binding once more: the first may still be on its way',
  async (t) => {
    const { api, wake, bind, free, nodeOf } = await setUp(t, 'unsent');
    api.meet(/POST/, 'unsent');
    await wake();
    t.equal(nodeOf('a'), undefined);
    t.match(await bind('a', OTHER), { result: 'refused', why: /not known yet/ }, 'that one was lost as well');
    await wake();
    t.equal(nodeOf('a'), NODE);
    t.equal(free(), 0);
    t.strictSame(await bind('a'), BOUND);
    t.match(await bind('a', OTHER), { result: 'refused', why: `the pod is bound to ${NODE}` });
  },
);

tap.test('told that the pod is bound here, it keeps the slot, and says so', async (t) => {
  const { state, api, wake, bind, free, watch } = await setUp(t, 'lost reply');
  await wake();
  t.equal(free(), 0);
  t.strictSame(await bind('a'), BOUND);
  t.strictSame(api.calls, ['GET a']);
  watch('a');
  state.pods.delete(podManifest('a'));
  t.equal(free(), 1);
});

tap.test('told that the pod is gone, replaced or bound elsewhere, it lets go', async (t) => {
  for (const manifest of [
    undefined,
    podManifest('a', 'a-2', { spec: { nodeName: NODE } }),
    podManifest('a', 'a', { spec: { nodeName: OTHER } }),
  ]) {
    const { api, wake, free, ledger } = await setUp(t, 'unsent');
    api.store.remove('pods', 'team/a');
    if (manifest) api.store.put('pods', manifest);
    await wake();
    t.equal(free(), 1);
    t.equal(ledger.reservations(), 0);
  }
});

tap.test('the watch may tell first: then the doubt is over', async (t) => {
  const { bind, watch, wake, free, ledger } = await setUp(t, 'lost reply');
  watch('a');
  t.strictSame(await bind('a'), BOUND);
  t.strictSame(await bind('a', OTHER), { result: 'refused', why: `the pod is bound to ${NODE}` });
  await wake();
  t.equal(free(), 0);
  t.equal(ledger.reservations(), 0);
});

tap.test(
  'if the watch tells that the pod is gone, its slot is free, and what was in doubt frees nothing else',
  async (t) => {
    const { state, api, bind, wake, free } = await setUp(t, 'lost reply');
    state.pods.delete(podManifest('a'));
    t.equal(free(), 1);
    t.match(await bind('a'), { result: 'refused', why: /not known yet/ });
    api.store.remove('pods', 'team/a');
    api.store.put('pods', podManifest('b'));
    t.strictSame(await bind('b'), BOUND);
    await wake();
    t.equal(free(), 0);
  },
);

tap.test('at the end it asks no more, and still gives the slot to nobody', async (t) => {
  const { api, bind, stopping, naps, wake, free } = await setUp(t, 'lost reply');
  api.unreachable = true;
  stopping.abort();
  await wake();
  await wake();
  t.equal(naps.length, 1);
  t.match(await bind('a'), { result: 'refused', why: /not known yet/ });
  t.equal(free(), 0);
});

tap.test('hundreds may be in doubt, without a warning, and all are settled once the API server is back', async (t) => {
  const pods = Array.from({ length: 256 }, (_, i) => `pod-${i}`);
  const { api, bind, free, nodeOf } = setUpBinder(t, { gpus: 256, pods });
  const warnings: string[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning.message);
  process.on('warning', onWarning);
  api.unreachable = true;
  const outcomes = await Promise.all(pods.map((name) => bind(name)));
  for (const outcome of outcomes) t.match(outcome, IN_DOUBT);
  t.equal(free(), 0);
  api.unreachable = false;
  await waitFor('all are settled', () => pods.every((name) => nodeOf(name) === NODE), { everyMs: 10 });
  t.equal(free(), 0);
  process.off('warning', onWarning);
  t.strictSame(warnings, []);
});

tap.test(
  'once somebody else has held the Lease in between, the Binding is not made again, and the slot let go',
  async (t) => {
    const { api, wake, free, lease, nodeOf } = await setUp(t, 'unsent');
    lease.term += 1;
    await wake();
    t.notOk(api.calls.includes('POST a'));
    t.equal(nodeOf('a'), undefined);
    t.equal(free(), 1);
  },
);

tap.test('while somebody else holds the Lease, it stays in doubt', async (t) => {
  const { api, wake, free, lease } = await setUp(t, 'unsent');
  lease.hold = () => Promise.reject(new Error('another extender holds it'));
  await wake();
  await wake();
  t.notOk(api.calls.includes('POST a'));
  t.equal(free(), 0);
  lease.hold = () => undefined;
  await wake();
  t.ok(api.calls.includes('POST a'));
});
