/** MIG under a strategy that gives instances no names of their own. */

import tap from 'tap';
import { migStrategy } from '#src/cli/doctor/checks/mig-strategy.ts';
import { exclusiveNode, migNode, T4 } from '../../../../objects/nodes.ts';
import { devicePluginSet } from '../../../../objects/nvidia-components.ts';
import { contextOf, essence, findingsOf, gpuNode, nodesOf, workloadsOf } from '../make.ts';

const INSTANCES = {
  'nvidia.com/gpu.product': 'NVIDIA-A100-PCIE-40GB-MIG-1g.5gb',
  'nvidia.com/gpu.count': '14',
  'nvidia.com/gpu.memory': '4864',
  'nvidia.com/mig.strategy': 'single',
};
const single = { 'nvidia.com/mig.strategy': 'single' };
const whole = exclusiveNode({ name: 'w', gpus: 2, labels: single });

tap.test('instances under the name of a GPU', async (t) => {
  const found = findingsOf(migStrategy, { nodes: nodesOf(gpuNode('m', INSTANCES, { gpu: 14 })) });
  t.strictSame(essence(found), ['warning: m']);
  t.match(found, [{ message: /^nvidia\.com\/gpu is a MIG instance on node m/, fix: /mig\.strategy=mixed/ }]);
});

tap.test('instances of a GKE node pool have a fix of their own', async (t) => {
  const labels = {
    'cloud.google.com/gke-accelerator': 'nvidia-tesla-a100',
    'cloud.google.com/gke-accelerator-count': '1',
    'cloud.google.com/gke-gpu-partition-size': '1g.5gb',
  };
  t.match(findingsOf(migStrategy, { nodes: nodesOf(gpuNode('g', labels, { gpu: 7 })) }), [{ fix: /node pools/ }]);
});

tap.test('whole GPUs that we would cut: the label, where no device plugin is seen', async (t) => {
  const found = findingsOf(migStrategy, { nodes: nodesOf(whole) });
  t.strictSame(essence(found), ['warning: w']);
  t.match(found, [{ message: /strategy is single on node w/ }]);
  t.same(
    findingsOf(migStrategy, { nodes: nodesOf(exclusiveNode({ name: 't', gpus: 1, gpu: T4, labels: single })) }),
    [],
  );
  const off = contextOf({ reconciler: { enabled: false } });
  t.same(findingsOf(migStrategy, { nodes: nodesOf(whole) }, off), [], 'nothing is ever changed');
});

tap.test(
  'the device plugin has the last word: MIG_STRATEGY wins over what we write, and without it we do',
  async (t) => {
    const nodes = nodesOf(whole);
    const strategyIs = (strategy: string) => {
      const daemonSets = workloadsOf(devicePluginSet({ env: { MIG_STRATEGY: strategy } }));
      return findingsOf(migStrategy, { nodes, daemonSets }).map(({ message }) => message);
    };
    t.match(strategyIs('single'), [/strategy is single on node w/]);
    t.match(strategyIs('none'), [/strategy is none on node w/]);
    t.same(strategyIs('mixed'), []);
    t.same(strategyIs(''), []);
  },
);

tap.test('the strategy mixed: nothing', async (t) => {
  t.same(findingsOf(migStrategy, { nodes: nodesOf(migNode({ name: 'a', gpus: 1, layout: { '1g.5gb': 7 } })) }), []);
});
