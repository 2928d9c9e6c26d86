/** NodeOverlays of Karpenter. The real definition judges them in test/contract/autoscalers.test.ts. */

import tap from 'tap';
import { karpenter } from '#src/cli/generate/karpenter.ts';
import { grouping, MPS, nodegroup, ONE_CUT, pool } from './make.ts';

tap.test('one NodeOverlay for each node pool and instance type, with what is left whole', async (t) => {
  const { groups } = grouping({
    a: { labels: pool('In_Ference.'), wants: MPS },
    b: { labels: { 'karpenter.sh/nodepool': 'x' }, wants: ONE_CUT },
  });
  const { documents, notes } = karpenter(groups);
  t.strictSame(notes, []);
  t.match(
    documents.map(({ value }) => value),
    [
      {
        apiVersion: 'karpenter.sh/v1alpha1',
        kind: 'NodeOverlay',
        metadata: { name: 'gpu-autoscaler-in-ference.-p4d.24xlarge' },
        spec: {
          requirements: [
            { key: 'karpenter.sh/nodepool', operator: 'In', values: ['In_Ference.'] },
            { key: 'node.kubernetes.io/instance-type', operator: 'In', values: ['p4d.24xlarge'] },
          ],
          capacity: { 'nvidia.com/gpu': '0', 'nvidia.com/gpu.shared': '32' },
        },
      },
      {
        metadata: { name: 'gpu-autoscaler-x-nvidia-a100-sxm4-40gb' },
        spec: {
          requirements: [{ key: 'karpenter.sh/nodepool' }],
          capacity: { 'nvidia.com/gpu': '3', 'nvidia.com/mig-1g.5gb': '2', 'nvidia.com/mig-2g.10gb': '1' },
        },
      },
    ],
  );
});

tap.test('nodes that Karpenter has not made are passed over', async (t) => {
  const { documents, notes } = karpenter(grouping({ a: { labels: nodegroup('y'), wants: MPS } }).groups);
  t.strictSame(documents, []);
  t.match(notes, [/^pool y, p4d\.24xlarge is passed over: its nodes are not of Karpenter/]);
});
