/** Why a pod waits can be read on the pod itself, and is said in the same words as long as it is so. */

import tap from 'tap';
import { failedScheduling } from '../../cluster/events.ts';
import { stackFor } from '../../cluster/for-test.ts';
import { patchNode } from '../../cluster/nodes.ts';
import { createPod, deletePod, nodeOf, refusalOf } from '../../cluster/pods.ts';
import { requests } from '../../cluster/requests.ts';
import { waitFor } from '../../cluster/wait.ts';
import { exclusiveNode, mpsNode, timeSlicingNode } from '../../objects/nodes.ts';
import { gpuPod } from '../../objects/pods.ts';

/** A reason for each node, counted; kube-scheduler's own, and ours by code and sentence. */
const REASONS = [
  '0/4 nodes are available: ',
  '1 Insufficient nvidia.com/gpu.shared, ',
  '1 WrongMode: the pod was admitted for MPS, the node shares by time-slicing, ',
  '2 SlotTooSmall: a slot of nvidia.com/gpu.shared has less GPU memory than the pod declares.',
].join('');

tap.test('a pod that four nodes refuse, for three reasons', async (t) => {
  const stack = await stackFor(t, {
    webhook: false,
    nodes: [
      mpsNode({ name: 'mps-1', gpus: 1, replicas: 8 }),
      mpsNode({ name: 'mps-2', gpus: 2, replicas: 8 }),
      timeSlicingNode({ name: 'sliced', gpus: 1, replicas: 4 }),
      exclusiveNode({ name: 'whole', gpus: 1 }),
    ],
  });
  if (!stack) return;
  const { extender } = stack;
  const { client } = stack.cluster;
  const annotations = {
    'gpu-autoscaler.io/optimization-strategy': 'mps',
    'gpu-autoscaler.io/gpu-memory': '8Gi',
  };
  await createPod(client, gpuPod({ name: 'waits', resources: { 'nvidia.com/gpu.shared': 1 }, annotations }));
  const said = await refusalOf(client, 'waits');

  await t.test('its condition tells them', async (t) => t.equal(said.slice(0, REASONS.length), REASONS));

  await t.test('its event tells the same', async (t) => {
    const events = await waitFor('there is an event', async () => {
      const found = await failedScheduling(client, 'waits');
      return found.length > 0 && found;
    });
    t.same(new Set(events.map(({ message }) => message)), new Set([said]));
  });

  let rack = 0;
  const unrelated: readonly [what: string, happens: () => Promise<void>][] = [
    [
      'a label of a node changes',
      async () => {
        rack += 1;
        await patchNode(client, 'sliced', { metadata: { labels: { rack: String(rack) } } });
      },
    ],
    [
      'a pod without GPUs comes and goes',
      async () => {
        await createPod(client, gpuPod({ name: 'other' }));
        await nodeOf(client, 'other');
        await deletePod(client, 'other');
      },
    ],
  ];
  for (const [what, happens] of unrelated) {
    await t.test(`${what}: it is tried again, and the words stay`, async (t) => {
      // The second try comes after all that the first has to say.
      for (const _ of ['first', 'second']) {
        const before = await requests(extender, 'filter');
        await happens();
        await waitFor('it is tried again', async () => (await requests(extender, 'filter')) > before);
      }
      t.equal(await refusalOf(client, 'waits'), said);
      const events = await failedScheduling(client, 'waits');
      t.same(new Set(events.map(({ message }) => message)), new Set([said]));
    });
  }
});
