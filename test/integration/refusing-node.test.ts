/** A node whose kubelet refuses every pod is no black hole: others are tried first, and it comes back by itself. */

import tap from 'tap';
import { eventsOf } from '../cluster/events.ts';
import { stackFor } from '../cluster/for-test.ts';
import { createPod, deletePod, nodeOf, patchPod } from '../cluster/pods.ts';
import { waitFor } from '../cluster/wait.ts';
import { exclusiveNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

tap.test('a node that refuses everything', async (t) => {
  const stack = await stackFor(t, {
    // The test is the kubelet.
    kubelets: false,
    controller: true,
    webhook: false,
    nodes: [exclusiveNode({ name: 'a', gpus: 2 }), exclusiveNode({ name: 'b', gpus: 4 })],
  });
  if (!stack) return;
  const { client } = stack.cluster;
  const { ledger } = stack.extender.state;
  const figure = async () =>
    /^gpu_autoscaler_refusing_nodes (\d+)$/m.exec(await (await fetch(`${stack.extender.url}/metrics`)).text())?.[1];
  const place = async (name: string) => {
    await createPod(client, gpuPod({ name, gpus: 1 }));
    return nodeOf(client, name);
  };
  const kubeletSays = async (name: string, status: object) => {
    await patchPod(client, name, { status }, '/status');
  };
  await t.test('until it refuses, the fullest node is the best', async (t) => {
    t.equal(await place('first'), 'a');
    await kubeletSays('first', { phase: 'Failed', reason: 'UnexpectedAdmissionError', message: 'Allocate failed' });
    await waitFor('it is counted', async () => (await figure()) === '1');
  });

  await t.test('then another node is, as long as it has room', async (t) => {
    for (const name of ['second', 'third', 'fourth', 'fifth']) t.equal(await place(name), 'b');
  });

  await t.test('and it is still taken rather than wait', async (t) => {
    t.equal(await place('sixth'), 'a');
  });

  await t.test('an event on the node says so', async (t) => {
    const events = await waitFor('there is one', async () => {
      const found = (await eventsOf(client, 'a')).filter(({ reason }) => reason === 'RefusesPods');
      return found.length > 0 && found;
    });
    t.match(events[0]?.message, /its kubelet refused default\/first .*UnexpectedAdmissionError.*2 minutes/);
  });

  await t.test('a pod that starts there ends it', async (t) => {
    await kubeletSays('sixth', { phase: 'Running' });
    await waitFor('it is no longer counted', async () => (await figure()) === '0');
    for (const name of ['second', 'third', 'fourth']) await deletePod(client, name);
    await waitFor('they have gone', () => ledger.freeSlots('b', 'nvidia.com/gpu') === 3);
    t.equal(await place('seventh'), 'a');
  });
});
