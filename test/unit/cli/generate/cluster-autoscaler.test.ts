/**
 * Templates of node groups, by the names that cluster-autoscaler reads. Source: its `cloudprovider/aws/aws_manager.go`,
 * `azure/azure_template.go`, `gce/templates.go`, `clusterapi/clusterapi_unstructured.go`.
 */

import tap from 'tap';
import { clusterAutoscaler } from '#src/cli/generate/cluster-autoscaler.ts';
import type { Provider } from '#src/cli/generate/provider.ts';
import { grouping, MPS, nodegroup, ONE_CUT, pool } from './make.ts';

const { groups } = grouping({ a: { labels: nodegroup('y'), wants: ONE_CUT } });
const PRODUCT = 'NVIDIA-A100-SXM4-40GB';
const templateOf = (provider: Provider) => clusterAutoscaler(groups, provider).documents[0]?.value;

tap.test('tags on AWS', async (t) => {
  t.strictSame(templateOf('aws'), {
    nodeGroup: {
      'eks.amazonaws.com/nodegroup': 'y',
      'node.kubernetes.io/instance-type': 'p4d.24xlarge',
      'nvidia.com/gpu.product': PRODUCT,
    },
    tags: {
      'k8s.io/cluster-autoscaler/node-template/resources/nvidia.com/gpu': '3',
      'k8s.io/cluster-autoscaler/node-template/resources/nvidia.com/mig-1g.5gb': '2',
      'k8s.io/cluster-autoscaler/node-template/resources/nvidia.com/mig-2g.10gb': '1',
      'k8s.io/cluster-autoscaler/node-template/label/nvidia.com/gpu.product': PRODUCT,
    },
  });
});

tap.test('tags on Azure have no slash', async (t) => {
  t.match(templateOf('azure'), {
    tags: {
      'k8s.io_cluster-autoscaler_node-template_resources_nvidia.com_gpu': '3',
      'k8s.io_cluster-autoscaler_node-template_resources_nvidia.com_mig-1g.5gb': '2',
      'k8s.io_cluster-autoscaler_node-template_label_nvidia.com_gpu.product': PRODUCT,
    },
  });
  t.notMatch(JSON.stringify(Object.keys((templateOf('azure') as { tags: object }).tags)), /\//);
});

tap.test('a variable on GCE', async (t) => {
  t.match(templateOf('gce'), { extended_resources: 'nvidia.com/mig-1g.5gb=2,nvidia.com/mig-2g.10gb=1' });
});

tap.test("Cluster API's annotations name one resource; what is left out is said", async (t) => {
  t.match(templateOf('clusterapi'), {
    annotations: {
      'capacity.cluster-autoscaler.kubernetes.io/gpu-type': 'nvidia.com/mig-1g.5gb',
      'capacity.cluster-autoscaler.kubernetes.io/gpu-count': '2',
      'capacity.cluster-autoscaler.kubernetes.io/labels': `nvidia.com/gpu.product=${PRODUCT}`,
    },
  });
  t.match(clusterAutoscaler(groups, 'clusterapi').notes, [
    /: nvidia\.com\/gpu, nvidia\.com\/mig-2g\.10gb is left out$/,
  ]);
  const alone = grouping({ a: { labels: nodegroup('y'), wants: MPS } }).groups;
  t.strictSame(clusterAutoscaler(alone, 'clusterapi').notes, [], 'no GPU is whole');
});

tap.test("Karpenter's nodes are passed over", async (t) => {
  const { documents, notes } = clusterAutoscaler(grouping({ a: { labels: pool('x'), wants: MPS } }).groups, 'aws');
  t.strictSame(documents, []);
  t.match(notes, [/its nodes are of Karpenter \(gpu-autoscaler generate karpenter\)$/]);
});
