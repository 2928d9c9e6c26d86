/** ClusterQueues of Kueue, and what they count. */

import tap from 'tap';
import { clusterQueueSchema } from '#src/api/queues.ts';
import { queues } from '#src/cli/doctor/checks/queues.ts';

import { exclusiveNode, migNode, mpsNode } from '../../../../objects/nodes.ts';
import { essence, findingsOf, nodesOf } from '../make.ts';

const queue = (name: string, ...coveredResources: string[]) =>
  clusterQueueSchema.parse({ metadata: { name }, spec: { resourceGroups: [{ coveredResources }] } });
const GPU = 'nvidia.com/gpu';
const SHARED = 'nvidia.com/gpu.shared';
const MIG = 'nvidia.com/mig-1g.5gb';
const nodes = nodesOf(
  mpsNode({ name: 's', gpus: 1, replicas: 4 }),
  migNode({ name: 'm', gpus: 1, layout: { '1g.5gb': 7 } }),
);

tap.test('queues that count whole GPUs, and not what nodes offer, grouped by what is missing', async (t) => {
  const clusterQueues = [queue('all', GPU, SHARED, MIG), queue('a', 'cpu', GPU), queue('b', GPU), queue('c', GPU, MIG)];
  const found = findingsOf(queues, { clusterQueues, nodes });
  t.strictSame(essence(found), ['warning: a b', 'warning: c']);
  t.match(found, [
    {
      message:
        /^2 ClusterQueues \(a, b\) cover nvidia\.com\/gpu and not nvidia\.com\/gpu\.shared, nvidia\.com\/mig-1g\.5gb: /,
    },
    { message: /^ClusterQueue c covers nvidia\.com\/gpu and not nvidia\.com\/gpu\.shared: / },
  ]);
});

tap.test('a queue without GPUs: nothing', async (t) => {
  t.same(findingsOf(queues, { clusterQueues: [queue('cpu', 'cpu', 'memory')], nodes }), []);
});

tap.test('where no node is partitioned yet, shared slots are what would be missing first', async (t) => {
  const whole = nodesOf(exclusiveNode({ name: 'w', gpus: 1 }));
  t.match(findingsOf(queues, { clusterQueues: [queue('a', GPU)], nodes: whole }), [
    { message: /not nvidia\.com\/gpu\.shared:/ },
  ]);
});

tap.test('what Kueue counts as another resource, or not at all, need not be covered', async (t) => {
  const kueue = (resources: object) => [
    {
      namespace: 'kueue-system',
      name: 'kueue-manager-config',
      data: { 'controller_manager_config.yaml': JSON.stringify({ resources }) },
    },
  ];
  const clusterQueues = [queue('a', GPU)];
  const missing = (resources: object) => {
    const found = findingsOf(queues, { clusterQueues, nodes, kueueConfiguration: kueue(resources) });
    return found.map(({ message }) => /not (\S+(?:, \S+)*):/.exec(message)?.[1]);
  };
  t.same(missing({ excludeResourcePrefixes: ['nvidia.com/mig-'] }), [SHARED]);
  t.same(missing({ transformations: [{ input: SHARED, strategy: 'Replace', outputs: { [GPU]: '250m' } }] }), [MIG]);
  t.same(missing({ transformations: [{ input: SHARED, strategy: 'Retain' }] }), [`${SHARED}, ${MIG}`]);
  const broken = [{ namespace: 'kueue-system', name: 'x', data: { a: '{' } }];
  t.equal(findingsOf(queues, { clusterQueues, nodes, kueueConfiguration: broken }).length, 1);
});

const MILLI = 'gpu-autoscaler.io/milli-gpu';
const kueueWith = (...inputs: string[]) => {
  const transformations = inputs.map((input) => ({ input, strategy: 'Replace', outputs: { [MILLI]: 1000 } }));
  const text = JSON.stringify({ resources: { transformations } });
  return [
    { namespace: 'kueue-system', name: 'kueue-manager-config', data: { 'controller_manager_config.yaml': text } },
  ];
};

tap.test('a queue that covers what is counted under another name admits nothing of it', async (t) => {
  const clusterQueues = [queue('old', 'cpu', GPU), queue('both', GPU, SHARED), queue('new', 'cpu', MILLI)];
  const kueueConfiguration = kueueWith(GPU, SHARED, MIG);
  const found = findingsOf(queues, { clusterQueues, nodes, kueueConfiguration });
  t.strictSame(essence(found), ['error: old', 'error: both']);
  t.match(found, [{ message: /covers nvidia\.com\/gpu, which Kueue counts as something else/ }, {}]);
  const covered = [queue('a', GPU, SHARED, MILLI)];
  t.same(findingsOf(queues, { clusterQueues: covered, nodes, kueueConfiguration }), []);
});

tap.test('a queue of milli-GPUs, where nothing is counted as such', async (t) => {
  const clusterQueues = [queue('new', 'cpu', MILLI)];
  const kueueConfiguration = kueueWith();
  const found = findingsOf(queues, { clusterQueues, nodes, kueueConfiguration });
  t.strictSame(essence(found), ['error: new']);
  t.same(findingsOf(queues, { clusterQueues, nodes }), [], 'the configuration is not seen');
});
