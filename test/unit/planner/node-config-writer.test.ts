/** What a planned change is written as. */

import tap from 'tap';
import { nodeConfigSpec } from '#src/api/node-config.ts';
import { desiredOf } from '#src/core/partitioning/desired-partition.ts';
import type { Partition } from '#src/core/partitioning/partition.ts';
import { applyChange, specOf } from '#src/planner/node-config-writer.ts';
import { nodeConfig } from '../../objects/node-configs.ts';

const A100 = { product: 'NVIDIA-A100-SXM4-40GB', memoryMiB: 40_960 };
const SEVEN = { '1g.5gb': 7 };
const MIXED = { '3g.20gb': 1, '4g.20gb': 1 };
const PARTITIONS: readonly [sentence: string, partition: Partition, spec: object][] = [
  ['whole GPUs', { layouts: [undefined, undefined], sharing: undefined }, { nodeName: 'n' }],
  ['MPS', { layouts: [undefined], sharing: { mode: 'mps', replicas: 8 } }, { mpsEnabled: true, mpsMaxClients: 8 }],
  [
    'time-slicing',
    { layouts: [undefined], sharing: { mode: 'timeslicing', replicas: 2 } },
    { timeSlicingEnabled: true, timeSlicingReplicas: 2 },
  ],
  [
    'one layout everywhere',
    { layouts: [SEVEN, SEVEN], sharing: undefined },
    { migEnabled: true, migProfiles: new Array(7).fill('1g.5gb') },
  ],
  [
    'layouts for some, the rest time-sliced',
    { layouts: [SEVEN, undefined, MIXED, SEVEN], sharing: { mode: 'timeslicing', replicas: 4 } },
    {
      migEnabled: true,
      migLayouts: [
        { gpus: [0, 3], profiles: new Array(7).fill('1g.5gb') },
        { gpus: [2], profiles: ['3g.20gb', '4g.20gb'] },
      ],
      timeSlicingEnabled: true,
    },
  ],
];
for (const [sentence, partition, spec] of PARTITIONS) {
  tap.test(`${sentence}: as people would write it, and it means the same`, async (t) => {
    const written = specOf('n', partition);
    t.match(written, spec);
    const parsed = nodeConfigSpec.parse(written);
    const desired = desiredOf(parsed, { ...A100, gpus: partition.layouts.length }, undefined);
    t.same(desired, { ok: true, partition });
  });
}

const CHANGE = {
  node: 'n',
  from: { layouts: [undefined], sharing: undefined },
  to: { layouts: [undefined], sharing: { mode: 'mps', replicas: 8 } },
  serves: ['team/a'],
  gpusChanged: [0],
  recommendOnly: undefined,
  why: 'makes room',
} as const;
interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}
function recorder(): { readonly calls: Call[]; readonly client: Parameters<typeof applyChange>[1]['client'] } {
  const calls: Call[] = [];
  const client = {
    json: async (method: string, path: string, { body }: { body?: unknown } = {}) => {
      calls.push({ method, path, body });
      return {};
    },
  };
  return { calls, client };
}
const NOW = new Date('2026-01-02T00:00:00Z');
const PATH = '/apis/gpuautoscaler.io/v1alpha1/gpunodeconfigs';

tap.test('a node without one gets a GPUNodeConfig of its name, with the reason and the time', async (t) => {
  const { calls, client } = recorder();
  await applyChange(CHANGE, { client, maySend: () => true, now: NOW, existing: undefined, isTaken: () => false });
  t.match(calls, [
    {
      method: 'POST',
      path: PATH,
      body: {
        metadata: {
          name: 'n',
          labels: { 'gpu-autoscaler.io/managed-by': 'planner' },
          annotations: {
            'gpu-autoscaler.io/planned-because': 'makes room',
            'gpu-autoscaler.io/planned-at': '2026-01-02T00:00:00.000Z',
          },
        },
        spec: { nodeName: 'n', mpsEnabled: true },
      },
    },
  ]);
});

tap.test('where the name is taken for another node, it gets another name', async (t) => {
  const { calls, client } = recorder();
  await applyChange(CHANGE, { client, maySend: () => true, now: NOW, existing: undefined, isTaken: () => true });
  t.match(calls[0]?.body, { metadata: { name: 'n.planned' } });
});

tap.test('its own is changed as a whole, only as it was planned for, and remembers earlier times', async (t) => {
  const existing = nodeConfig(
    { nodeName: 'n', timeSlicingEnabled: true },
    {
      name: 'n',
      generation: 3,
      labels: { 'gpu-autoscaler.io/managed-by': 'planner' },
      annotations: { 'gpu-autoscaler.io/planned-at': '2026-01-01T00:00:00.000Z,nonsense' },
    },
  );
  const { calls, client } = recorder();
  await applyChange(CHANGE, { client, maySend: () => true, now: NOW, existing, isTaken: () => true });
  t.match(calls, [
    {
      method: 'PATCH',
      path: `${PATH}/n`,
      body: [
        { op: 'test', path: '/metadata/generation', value: 3 },
        { op: 'test', path: '/metadata/labels/gpu-autoscaler.io~1managed-by', value: 'planner' },
        { op: 'add', path: '/spec', value: { nodeName: 'n', mpsEnabled: true } },
        { op: 'add', path: '/metadata/annotations/gpu-autoscaler.io~1planned-because' },
        { value: '2026-01-02T00:00:00.000Z,2026-01-01T00:00:00.000Z' },
      ],
    },
  ]);
});
