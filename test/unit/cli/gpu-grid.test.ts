/** The node × GPU picture. */

import tap from 'tap';
import { columns, gpuGrid } from '#src/cli/gpu-grid.ts';
import { makeExtender } from '../../fakes/extender.ts';
import { exclusiveNode, migNode, mpsNode, T4, timeSlicingNode } from '../../objects/nodes.ts';
import { gpuPod, livePod } from '../../objects/pods.ts';

const SHARED = 'nvidia.com/gpu.shared';

tap.test('one line for each node and kind of slot: who shares how, and how full each GPU is', async (t) => {
  const { state } = makeExtender({
    nodes: [
      mpsNode({ name: 'mps', gpus: 2, replicas: 8 }),
      exclusiveNode({ name: 'whole', gpus: 3, gpu: T4 }),
      timeSlicingNode({ name: 'sliced', gpus: 1, replicas: 4 }),
      migNode({
        name: 'mig',
        gpus: 1,
        layout: { '1g.5gb': 2, '2g.10gb': 1 },
      }),
    ],
  });
  const bind = (name: string, nodeName: string, resources: Record<string, number>) =>
    state.pods.update(livePod(gpuPod({ name, resources }), name, { nodeName }));
  for (let i = 0; i < 9; i += 1) bind(`m${i}`, 'mps', { [SHARED]: 1 });
  bind('w', 'whole', { 'nvidia.com/gpu': 2 });
  bind('i', 'mig', { 'nvidia.com/mig-1g.5gb': 1 });
  t.equal(
    gpuGrid(state.ledger),
    [
      'NODE    GPU MODEL              SHARED BY        GPU 0         GPU 1         GPU 2',
      'mig     NVIDIA-A100-SXM4-40GB  MIG 1g.5gb ×2    ████░░░░ 1/2',
      'mig     NVIDIA-A100-SXM4-40GB  MIG 2g.10gb ×1   ░░░░░░░░ 0/1',
      'mps     NVIDIA-A100-SXM4-40GB  MPS ×8           ████████ 8/8  █░░░░░░░ 1/8',
      'sliced  NVIDIA-A100-SXM4-40GB  time-slicing ×4  ░░░░░░░░ 0/4',
      'whole   Tesla-T4               whole GPUs       ████████ 1/1  ████████ 1/1  ░░░░░░░░ 0/1',
    ].join('\n'),
  );
});

tap.test('any use shows, and only a full GPU looks full', async (t) => {
  const { state } = makeExtender({ nodes: [timeSlicingNode({ name: 'many', gpus: 1, replicas: 48 })] });
  const hold = (count: number) =>
    state.pods.update(
      livePod(gpuPod({ name: 'p', resources: { [SHARED]: count } }), `uid-${count}`, { nodeName: 'many' }),
    );
  hold(1);
  t.match(gpuGrid(state.ledger), /█░░░░░░░ 1\/48/);
  hold(46);
  t.match(gpuGrid(state.ledger), /███████░ 47\/48/);
});

tap.test('no nodes: the headings alone', async (t) => {
  t.equal(gpuGrid(makeExtender().state.ledger), 'NODE  GPU MODEL  SHARED BY');
});

tap.test('columns are aligned by their widest cell, with no blanks at the end of a line', async (t) => {
  t.equal(columns(['A', 'LONG'], [['wide cell', 'x']]), 'A          LONG\nwide cell  x');
});
