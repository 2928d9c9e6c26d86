/** A live cluster as kubectl shows it, as a workload. */

import tap from 'tap';
import { readSnapshot } from '#src/cli/simulate/snapshot.ts';
import { exclusiveNode, migNode, type NodeManifest, timeSlicingNode } from '../../../objects/nodes.ts';
import { gpuPod, livePod } from '../../../objects/pods.ts';

const list = (...items: object[]) => ({
  name: 'cluster.json',
  text: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
});
const born = (node: NodeManifest, second: number) => ({
  ...node,
  metadata: { ...node.metadata, creationTimestamp: new Date(second * 1_000).toISOString() },
});
const CPU_NODE = { kind: 'Node', metadata: { name: 'cpu' }, status: { allocatable: { cpu: '8' } } };

tap.test('GPU nodes with their slots, the oldest first; pods by what they ask for', async (t) => {
  const { nodes, pods } = readSnapshot(
    list(
      born(exclusiveNode({ name: 'young', gpus: 2 }), 200),
      born(timeSlicingNode({ name: 'old', gpus: 1, replicas: 4 }), 100),
      born(migNode({ name: 'mig', gpus: 1, layout: { '3g.20gb': 2 } }), 300),
      CPU_NODE,
      gpuPod({ name: 'whole', gpus: 2 }),
      gpuPod({ name: 'slice', resources: { 'nvidia.com/gpu.shared': 1 } }),
      gpuPod({ name: 'slice-too', resources: { 'nvidia.com/gpu.shared': 1 } }),
      gpuPod({ name: 'instance', resources: { 'nvidia.com/mig-3g.20gb': 1 } }),
      { kind: 'ConfigMap', metadata: { name: 'ignored' } },
    ),
  );
  t.strictSame(
    nodes.map(({ inventory: { name, gpus, product } }) => [name, gpus, product]),
    [
      ['old', 1, 'NVIDIA-A100-SXM4-40GB'],
      ['young', 2, 'NVIDIA-A100-SXM4-40GB'],
      ['mig', 1, 'NVIDIA-A100-SXM4-40GB'],
    ],
  );
  t.strictSame(
    pods.map(({ request }) => request.resources.map(({ resource, count }) => `${count} ${resource}`).join()),
    ['2 nvidia.com/gpu', '1 nvidia.com/gpu.shared', '1 nvidia.com/gpu.shared', '1 nvidia.com/mig-3g.20gb'],
  );
  t.equal(pods[1], pods[2], 'one kind, one object');
});

tap.test('CPU and memory: effective requests of GPU pods, and what others take of a node is taken off', async (t) => {
  const container = (cpu: string, memory: string) => ({ name: cpu, resources: { requests: { cpu, memory } } });
  const gpu = {
    name: 'gpu',
    resources: { limits: { 'nvidia.com/gpu': 1 }, requests: { cpu: '1500m', memory: '1Gi' } },
  };
  const { nodes, pods } = readSnapshot(
    list(
      born(exclusiveNode({ name: 'a', gpus: 1 }), 1),
      {
        kind: 'Pod',
        metadata: { name: 'daemon' },
        spec: { nodeName: 'a', containers: [container('2', '2Gi'), container('500m', '512Mi')] },
      },
      { kind: 'Pod', metadata: { name: 'elsewhere' }, spec: { nodeName: 'b', containers: [container('9', '9Gi')] } },
      {
        kind: 'Pod',
        metadata: { name: 'done' },
        spec: { nodeName: 'a', containers: [gpu] },
        status: { phase: 'Succeeded' },
      },
      {
        kind: 'Pod',
        metadata: { name: 'gpu' },
        spec: {
          containers: [gpu],
          initContainers: [container('4', '1Mi'), { ...container('1', '1Mi'), restartPolicy: 'Always' }],
        },
      },
    ),
  );
  t.match(nodes, [{ cpuMilli: 96_000 - 2_500, memoryMiB: 768 * 1024 - 2_560 }]);
  t.match(
    pods,
    [{ cpuMilli: 4_000, memoryMiB: 1_025, request: { resources: [{ count: 1 }] } }],
    'the init container needs most CPU',
  );
  t.equal(pods.length, 1);
});

const BAD: readonly [what: string, text: string, says: RegExp][] = [
  ['no JSON', '{\n  "kind": List\n}', /^cluster\.json:2:11: not JSON: InvalidSymbol$/],
  ['nothing', '', /^cluster\.json:1:1: not JSON: ValueExpected$/],
  ['another object', '{"kind":"Pod"}', /^cluster\.json: not a list of kubectl get nodes,pods -A -o json: items: /],
  ['no GPU node', list(CPU_NODE).text, /^cluster\.json: there is no node with GPUs/],
  [
    'a pod that cannot be read',
    list(born(exclusiveNode({ name: 'a', gpus: 1 }), 1), { kind: 'Pod', metadata: {}, spec: {} }).text,
    /^cluster\.json: items\.1: spec\.containers/,
  ],
  [
    'half a GPU',
    list(
      born(exclusiveNode({ name: 'a', gpus: 1 }), 1),
      livePod(
        {
          kind: 'Pod',
          metadata: { name: 'p' },
          spec: { containers: [{ name: 'c', resources: { limits: { 'nvidia.com/gpu': '0.5' } } }] },
        },
        'u',
      ),
    ).text,
    /^cluster\.json: pod default\/p: .*"0\.5" is not a whole number/,
  ],
];
for (const [what, text, says] of BAD) {
  tap.test(`${what}: a sentence with the place`, async (t) => {
    t.throws(() => readSnapshot({ name: 'cluster.json', text }), { name: 'InputError', message: says });
  });
}
