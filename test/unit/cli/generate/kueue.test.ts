/** Kueue's transformations and quotas. The real definitions judge the quotas in test/contract/autoscalers.test.ts. */

import tap from 'tap';
import { z } from 'zod';
import { kueue } from '#src/cli/generate/kueue.ts';
import { exclusiveNode, migNode, mpsNode } from '../../../objects/nodes.ts';
import { gpuNode, nodesOf } from '../doctor/make.ts';
import { grouping, MPS, ONE_CUT, pool } from './make.ts';

/** Source: Kueue 0.17, `apis/config/v1beta2`, and its validation: each input once, the strategy is named. */
const schema = z.strictObject({
  resources: z.strictObject({
    transformations: z
      .array(
        z.strictObject({
          input: z.string(),
          strategy: z.enum(['Retain', 'Replace']),
          outputs: z.record(z.string(), z.int().positive()),
        }),
      )
      .refine((all) => new Set(all.map(({ input }) => input)).size === all.length),
  }),
});
const pricesOf = (value: unknown) =>
  Object.fromEntries(
    schema
      .parse(value)
      .resources.transformations.map(({ input, outputs }) => [input, outputs['gpu-autoscaler.io/milli-gpu']]),
  );
const nodes = nodesOf(exclusiveNode({ name: 'a', gpus: 4 }), mpsNode({ name: 'b', gpus: 2, replicas: 8 }));

tap.test('every slot counts as its share, in whole numbers, and the quota is of all GPUs', async (t) => {
  const { groups } = grouping({ a: { labels: pool('x'), wants: MPS }, b: { labels: pool('y'), wants: ONE_CUT } });
  const { documents, notes } = kueue(groups, nodes);
  const [configuration, flavor, queue] = documents.map(({ value }) => value);
  t.strictSame(pricesOf(configuration), {
    'nvidia.com/gpu': 1000,
    'nvidia.com/gpu.shared': 125,
    'nvidia.com/mig-1g.5gb': 142,
    'nvidia.com/mig-2g.10gb': 285,
  });
  t.strictSame(notes, []);
  t.match(flavor, { kind: 'ResourceFlavor', metadata: { name: 'gpu-autoscaler' } });
  t.match(queue, {
    metadata: {
      annotations: {
        'gpu-autoscaler.io/counted-resources':
          'nvidia.com/gpu,nvidia.com/gpu.shared,nvidia.com/mig-1g.5gb,nvidia.com/mig-2g.10gb',
      },
    },
    spec: {
      resourceGroups: [
        {
          coveredResources: ['cpu', 'memory', 'gpu-autoscaler.io/milli-gpu'],
          flavors: [
            {
              name: 'gpu-autoscaler',
              resources: [
                { name: 'cpu', nominalQuota: '192000m' },
                { name: 'memory', nominalQuota: `${2 * 768 * 1024}Mi` },
                { name: 'gpu-autoscaler.io/milli-gpu', nominalQuota: 6000 },
              ],
            },
          ],
        },
      ],
    },
  });
});

tap.test('slots of two sizes under one name count as the larger', async (t) => {
  const wants = { mpsEnabled: true, mpsMaxClients: 4 };
  const { groups } = grouping({ a: { labels: pool('x'), wants: MPS }, b: { labels: pool('y'), wants } });
  const { documents, notes } = kueue(groups, nodes);
  t.equal(pricesOf(documents[0]?.value)['nvidia.com/gpu.shared'], 250);
  t.match(notes, [/^nvidia\.com\/gpu\.shared is 125 milli-GPU on some nodes and 250 on others: it counts as 250/]);
});

tap.test('slots that nodes of no group offer are counted too', async (t) => {
  const { groups } = grouping({ a: { labels: pool('x'), wants: MPS } });
  const others = nodesOf(
    mpsNode({ name: 'two', gpus: 2, replicas: 2 }),
    migNode({ name: 'cut', gpus: 1, layout: { '3g.20gb': 2 } }),
    mpsNode({ name: 'two-more', gpus: 2, replicas: 2 }),
  );
  const { documents, notes } = kueue(groups, others);
  t.match(pricesOf(documents[0]?.value), { 'nvidia.com/gpu.shared': 500, 'nvidia.com/mig-3g.20gb': 428 });
  t.strictSame(notes.length, 1);
});

tap.test('GPUs that do not count as they are used are named', async (t) => {
  const { groups } = grouping({ a: { labels: pool('x'), wants: MPS } });
  const labels = {
    'nvidia.com/gpu.product': 'NVIDIA-A10G-SHARED',
    'nvidia.com/gpu.count': '1',
    'nvidia.com/gpu.memory': '23028',
    'nvidia.com/gpu.replicas': '12',
    'nvidia.com/gpu.sharing-strategy': 'time-slicing',
  };
  const { notes } = kueue(groups, nodesOf(gpuNode('plain', labels, { gpu: 12 }), gpuNode('aks', {}, { gpu: 4 })));
  t.match(notes, [
    /^nvidia\.com\/gpu is a slot of a GPU on node plain, and counts as a whole one/,
    /^how large the GPUs of node aks are is not known: the quota is without them/,
  ]);
});
