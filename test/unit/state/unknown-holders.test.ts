/** Nodes on which pods hold GPUs that we cannot count. */

import tap from 'tap';
import { UnknownHolders } from '#src/state/unknown-holders.ts';
import { storedPod } from '../../objects/pods.ts';
import { quietState } from '../../objects/records.ts';

function setUp() {
  const { pods } = quietState();
  const holders = new UnknownHolders(pods);
  const show = (name: string, resources: Readonly<Record<string, string>>, more: object = {}) =>
    pods.update(storedPod({ name, uid: name, nodeName: 'n', resources, ...more }));
  return { pods, holders, show };
}

tap.test('a name of NVIDIA’s that we do not know, or a quantity that cannot be read', async (t) => {
  for (const resources of [
    { 'nvidia.com/gpu-large': '1' },
    { 'nvidia.com/GA102GL_A10': '1' },
    { 'nvidia.com/gpu': '1', 'nvidia.com/gpumem': '3000' },
    { 'nvidia.com/gpu': 'x' },
  ]) {
    const { holders, show } = setUp();
    show('p', resources);
    t.equal(holders.has('n'), true, JSON.stringify(resources));
    t.equal(holders.has('other'), false);
  }
});

tap.test('what we know, and what is no GPU, we can count', async (t) => {
  const { holders, show } = setUp();
  show('a', { 'nvidia.com/gpu': '1', 'nvidia.com/hostdev': '1' });
  show('b', { 'nvidia.com/mig-1g.5gb.shared': '1', cpu: '1' });
  show('c', { 'amd.com/gpu': '1' });
  t.equal(holders.has('n'), false);
});

tap.test('until the last of them has ended or gone', async (t) => {
  const { pods, holders, show } = setUp();
  const resources = { 'nvidia.com/gpu-large': '1' };
  show('a', resources);
  show('b', resources);
  show('a', resources, { phase: 'Succeeded' });
  t.equal(holders.has('n'), true);
  pods.delete(storedPod({ name: 'b', uid: 'b', nodeName: 'n', resources }));
  t.equal(holders.has('n'), false);
});
