/** When a node shows what has been written to a ConfigMap. */

import tap from 'tap';
import { Volumes } from '#src/sandbox/gpu-node/volumes.ts';

/** Delays of nodes, in the order in which they ask: 0, 1/2 and 1 of the way from 10 to 90. */
function make(...delays: number[]) {
  const clock = { time: 0, now: () => clock.time };
  return { clock, volumes: new Volumes(clock, [10, 90], () => delays.shift() ?? 0) };
}

tap.test('each node shows a version after a delay of its own', async (t) => {
  const { clock, volumes } = make(0, 0.5);
  volumes.set('default/plugin', { a: '1' });
  const [fast, slow] = [volumes.ofNode(), volumes.ofNode()];
  const at = (time: number) => {
    clock.time = time;
    return [fast('default/plugin'), slow('default/plugin')];
  };
  t.strictSame(at(9), [{}, {}]);
  t.strictSame(at(10), [{ a: '1' }, {}]);
  t.strictSame(at(50), [{ a: '1' }, { a: '1' }]);
  t.strictSame(fast('default/mig'), {});
  volumes.delete('default/plugin');
  t.strictSame(at(50), [{}, {}]);
});

tap.test('until a node shows the newest it shows the newest of the others, however many there are', async (t) => {
  const { clock, volumes } = make();
  const show = volumes.ofNode();
  for (let i = 0; i < 100; i += 1) {
    volumes.set('default/plugin', { i: String(i) });
    clock.time += 7;
    const shown = Number(show('default/plugin').i ?? -1);
    t.equal(shown, i - 1, `version ${i}`);
  }
});
