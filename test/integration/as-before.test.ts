/** An install never stops what ran, on a real kube-apiserver and kube-scheduler: nodes as clusters have them, pods as people write them. */

import tap from 'tap';
import { stackFor } from '../cluster/for-test.ts';
import { createPod, nodeOf, refusalOf } from '../cluster/pods.ts';
import { DISCOVERED, type NodeManifest } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const GFD = 'nvidia.com/gpu.';

/** A node as `kubectl get` shows it, in a pool of its own name. */
function node(name: string, gpus: number, labels: Readonly<Record<string, string>>): NodeManifest {
  const amounts = { cpu: '96', memory: '768Gi', pods: '110', 'nvidia.com/gpu': String(gpus) };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels, pool: name } },
    status: { allocatable: amounts, capacity: amounts },
  };
}

const NODES: readonly NodeManifest[] = [
  node('sliced', 8, {
    [`${GFD}product`]: 'NVIDIA-L4-SHARED',
    [`${GFD}count`]: '2',
    [`${GFD}memory`]: '23034',
    [`${GFD}replicas`]: '4',
    [`${GFD}sharing-strategy`]: 'time-slicing',
  }),
  node('single', 14, {
    [`${GFD}product`]: 'NVIDIA-A100-SXM4-40GB-MIG-1g.5gb',
    [`${GFD}count`]: '14',
    [`${GFD}memory`]: '4864',
    'nvidia.com/mig.strategy': 'single',
  }),
  node('gke', 10, {
    'cloud.google.com/gke-accelerator': 'nvidia-l4',
    'cloud.google.com/gke-accelerator-count': '1',
    'cloud.google.com/gke-gpu-sharing-strategy': 'time-sharing',
    'cloud.google.com/gke-max-shared-clients-per-gpu': '10',
  }),
  node('unlabelled', 2, {}),
  node('another-system', 70, { gpu: 'on' }),
  node('models', 3, {
    [`${GFD}product`]: 'NVIDIA-GeForce-RTX-4090',
    [`${GFD}count`]: '1',
    [`${GFD}memory`]: '24564',
    [`${GFD}replicas`]: '1',
    [`${GFD}sharing-strategy`]: 'none',
  }),
];
const TYPES = [undefined, 'training', 'inference', 'development', 'batch'] as const;

tap.test('pods run where they ran before', async (t) => {
  const stack = await stackFor(t, {
    nodes: [...NODES, node('whole', 1, { ...DISCOVERED, [`${GFD}count`]: '1' })],
  });
  if (!stack) return;
  const { client } = stack.cluster;
  await stack.cluster.startScheduler({});

  for (const { metadata } of NODES) {
    await t.test(`on ${metadata.name}`, async (t) => {
      const names = TYPES.map((type) => `${metadata.name}-${type ?? 'plain'}`);
      for (const [i, type] of TYPES.slice(0, metadata.name === 'unlabelled' ? 2 : 3).entries()) {
        const labels = type && { 'gpu-autoscaler.io/workload-type': type };
        const spec = { nodeSelector: { pool: metadata.name } };
        const pod = gpuPod({
          name: names[i] ?? '',
          gpus: 1,
          spec,
          schedulerName: 'default-scheduler',
          ...(labels && { labels }),
        });
        await createPod(client, pod);
        t.equal(await nodeOf(client, names[i] ?? ''), metadata.name, type ?? 'no type');
      }
    });
  }

  await t.test('by the word of its author a pod waits for a whole GPU, as long as there is one for it', async (t) => {
    const annotations = { 'gpu-autoscaler.io/sharing-mode': 'exclusive' };
    const make = (name: string, spec: object) =>
      createPod(client, gpuPod({ name, gpus: 1, annotations, spec, schedulerName: 'default-scheduler' }));
    await make('first', { nodeSelector: { pool: 'whole' } });
    t.equal(await nodeOf(client, 'first'), 'whole');
    await make('none', { nodeSelector: { pool: 'sliced' } });
    t.equal(await nodeOf(client, 'none'), 'sliced', 'where there is none at all, it stays as it came');
    const pools = [{ key: 'pool', operator: 'In', values: ['whole', 'sliced'] }];
    const required = { nodeSelectorTerms: [{ matchExpressions: pools }] };
    await make('second', { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } } });
    t.match(await refusalOf(client, 'second'), /WrongMode/, 'while it is taken, no slot will do');
  });
});
