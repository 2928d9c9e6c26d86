/** A bound pod that the watch does not show, since it came and went between two lists, does not hold its slot for ever. */

import tap from 'tap';
import { NODE, podManifest, setUp } from './binding.ts';

const BOUND = { result: 'bound' };

tap.test('a bound pod that the watch has not shown after 5 s is asked for, until it is gone', async (t) => {
  const { api, bind, free, naps, wake } = setUp(t, { asleep: true });
  t.strictSame(await bind('a'), BOUND);
  for (const fault of ['none', 'unsent', { status: 500 }, 'nonsense'] as const) {
    api.meet(/GET/, fault);
    await wake();
    t.equal(free(), 0, JSON.stringify(fault));
  }
  api.store.remove('pods', 'team/a');
  await wake();
  t.equal(free(), 1);
  await wake();
  t.strictSame(naps, [5_000, 5_000, 5_000, 5_000, 5_000]);
  t.strictSame(api.calls, ['POST a', 'GET a', 'GET a', 'GET a', 'GET a', 'GET a']);
});

tap.test('so is one whose reply was lost, and one that was in doubt', async (t) => {
  for (const doubts of [0, 1]) {
    const { api, bind, free, naps, wake } = setUp(t, { asleep: true });
    api.meet(/POST/, 'lost reply');
    if (doubts > 0) api.meet(/GET/, 'unsent');
    await bind('a');
    if (doubts > 0) await wake();
    t.equal(free(), 0);
    api.store.remove('pods', 'team/a');
    api.store.put('pods', podManifest('a', 'a-2', { spec: { nodeName: NODE } }));
    await wake();
    t.equal(free(), 1);
    t.strictSame(naps, doubts > 0 ? [100, 5_000] : [5_000]);
  }
});

tap.test('a pod that the watch has shown is not asked for', async (t) => {
  const { state, api, bind, free, naps, watch, wake } = setUp(t, { asleep: true });
  await bind('a');
  watch('a');
  await wake();
  await wake();
  t.equal(free(), 0);
  t.strictSame(api.calls, ['POST a']);
  t.strictSame(naps, [5_000]);
  state.pods.delete(podManifest('a'));
  t.equal(free(), 1);
});

tap.test('a pod that the watch showed before the reply came is not waited for', async (t) => {
  const { api, bind, naps, watch } = setUp(t, { asleep: true });
  api.pass = async (what) => {
    if (what === 'reply to POST a') watch('a');
  };
  t.strictSame(await bind('a'), BOUND);
  t.strictSame(naps, []);
});

tap.test('at the end nothing is asked', async (t) => {
  const { api, bind, stopping, wake } = setUp(t, { asleep: true });
  await bind('a');
  stopping.abort();
  await wake();
  t.strictSame(api.calls, ['POST a']);
});
