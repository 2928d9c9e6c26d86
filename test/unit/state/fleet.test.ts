/**
 * Nodes as clusters have them, and how each is read: what its slots are, how large, and of how many GPUs. The first column
 * of a row is where such a node was seen.
 */

import tap from 'tap';
import { currentPartition } from '#src/state/observed-node.ts';
import { nodeRecord } from '../../objects/records.ts';

interface Seen {
  readonly labels: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, number>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** `nvidia.com/gpu: 8 × exclusive of 1000m, 81920 MiB`; `?` for what is not known. */
function read({ labels, allocatable, annotations = {} }: Seen) {
  const counts = Object.entries(allocatable).map(([name, count]) => [`nvidia.com/${name}`, String(count)]);
  const record = nodeRecord({
    metadata: { name: 'n', labels, annotations },
    status: { allocatable: { cpu: '64', ...Object.fromEntries(counts) } },
  });
  const inventory = record?.inventory;
  return {
    gpus: inventory?.gpus ?? 0,
    slots: (inventory?.pools ?? []).map(({ resource, mode, slots, slotMilli, slotMiB }) => {
      const size = slotMilli === 0 ? '?' : `${slotMilli}m, ${slotMiB ?? '?'} MiB`;
      return `${resource.slice('nvidia.com/'.length)}: ${slots} × ${mode} of ${size}`;
    }),
    changeable: record !== undefined && currentPartition(record.observed) !== undefined,
  };
}

interface Gfd {
  readonly replicas?: number;
  readonly strategy?: string;
  readonly more?: Readonly<Record<string, string>>;
}

/** Labels of GPU Feature Discovery. */
function gfd(product: string, count: number, memory: number, { replicas = 1, strategy = 'none', more }: Gfd = {}) {
  return {
    'nvidia.com/gpu.present': 'true',
    'nvidia.com/gpu.product': product,
    'nvidia.com/gpu.count': String(count),
    'nvidia.com/gpu.memory': String(memory),
    'nvidia.com/gpu.replicas': String(replicas),
    'nvidia.com/gpu.sharing-strategy': strategy,
    ...more,
  };
}

/** Labels of one profile under the MIG strategy `mixed`. */
function instances(profile: string, count: number, memory: number, replicas = 1) {
  return {
    [`nvidia.com/mig-${profile}.count`]: String(count),
    [`nvidia.com/mig-${profile}.memory`]: String(memory),
    [`nvidia.com/mig-${profile}.replicas`]: String(replicas),
    [`nvidia.com/mig-${profile}.product`]: `X-MIG-${profile}`,
  };
}

const MIXED = { 'nvidia.com/mig.strategy': 'mixed' };
const SINGLE = { 'nvidia.com/mig.strategy': 'single', 'nvidia.com/mig.config': 'all-1g.5gb' };
const RTX_PRO = 'NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition';
const KARPENTER = 'karpenter.k8s.aws/instance-gpu-';
const GKE = 'cloud.google.com/gke-';

type Row = readonly [where: string, seen: Seen, gpus: number, slots: readonly string[], changeable: boolean];

const ROWS: readonly Row[] = [
  ...(
    [
      ['NVIDIA-H100-80GB-HBM3', 8, 81_559],
      ['NVIDIA-A800-SXM4-80GB', 8, 81_920],
      ['NVIDIA-B200', 8, 183_359],
      ['NVIDIA-B300-SXM6-AC', 8, 275_040],
      ['NVIDIA-GB200', 4, 190_464],
      ['NVIDIA-GB300', 4, 284_208],
      ['NVIDIA-GH200-144G-HBM3e', 1, 147_456],
      ['NVIDIA-RTX-PRO-5000-Blackwell', 1, 48_935],
      ['Tesla-V100-SXM2-16GB-N', 8, 16_384],
      ['Tesla-T4', 1, 15_109],
    ] as const
  ).map(([product, gpus, memory]): Row => {
    const seen = { labels: gfd(product, gpus, memory, { more: MIXED }), allocatable: { gpu: gpus } };
    return [`whole ${product}`, seen, gpus, [`gpu: ${gpus} × exclusive of 1000m, ${memory} MiB`], true];
  }),
  [
    'MIG mixed on an H100 NVL',
    {
      labels: gfd('NVIDIA-H100-NVL', 1, 95_830, {
        replicas: 0,
        more: { ...MIXED, ...instances('1g.12gb', 2, 11_008), ...instances('3g.47gb', 1, 47_360) },
      }),
      allocatable: { gpu: 0, 'mig-1g.12gb': 2, 'mig-3g.47gb': 1 },
    },
    1,
    ['mig-1g.12gb: 2 × mig of 142m, 11008 MiB', 'mig-3g.47gb: 1 × mig of 428m, 47360 MiB'],
    false,
  ],
  [
    'MIG mixed, shared in turn by time-slicing',
    {
      labels: gfd('NVIDIA-A100-SXM4-40GB', 1, 40_960, {
        replicas: 0,
        more: { ...MIXED, ...instances('1g.5gb', 7, 4_864, 4) },
      }),
      allocatable: { gpu: 0, 'mig-1g.5gb': 28 },
    },
    1,
    ['mig-1g.5gb: 28 × timeslicing of 35m, 1216 MiB'],
    false,
  ],
  [
    'the same, renamed',
    {
      labels: gfd('NVIDIA-A100-SXM4-40GB', 1, 40_960, {
        replicas: 0,
        more: { ...MIXED, ...instances('1g.5gb', 7, 4_864, 4) },
      }),
      allocatable: { gpu: 0, 'mig-1g.5gb.shared': 28 },
    },
    1,
    ['mig-1g.5gb.shared: 28 × timeslicing of 35m, 1216 MiB'],
    false,
  ],
  [
    'MIG single: instances under the name of a GPU',
    { labels: gfd('NVIDIA-A100-PCIE-40GB-MIG-1g.5gb', 14, 4_864, { more: SINGLE }), allocatable: { gpu: 14 } },
    2,
    ['gpu: 14 × mig of 142m, 4864 MiB'],
    false,
  ],
  [
    'MIG single of a profile with media engines',
    { labels: gfd('NVIDIA-A100-SXM4-40GB-MIG-1g.5gb.me', 8, 4_864, { more: SINGLE }), allocatable: { gpu: 8 } },
    8,
    ['gpu: 8 × mig of 142m, 4864 MiB'],
    false,
  ],
  [
    'instances that are shared, by nobody knows how many',
    { labels: {}, allocatable: { 'mig-1g.5gb.shared': 28 } },
    0,
    ['mig-1g.5gb.shared: 28 × timeslicing of ?'],
    false,
  ],
  [
    'MIG single of another profile',
    { labels: gfd('NVIDIA-H100-NVL-MIG-3g.47gb', 4, 47_360, { more: SINGLE }), allocatable: { gpu: 4 } },
    2,
    ['gpu: 4 × mig of 428m, 47360 MiB'],
    false,
  ],
  [
    'MIG single, shared in turn',
    {
      labels: gfd('NVIDIA-A100-SXM4-40GB-MIG-1g.5gb-SHARED', 56, 4_864, {
        replicas: 4,
        strategy: 'time-slicing',
        more: SINGLE,
      }),
      allocatable: { gpu: 224 },
    },
    8,
    ['gpu: 224 × timeslicing of 35m, 1216 MiB'],
    false,
  ],
  [
    'MIG single that is invalid',
    { labels: gfd('NVIDIA-A100-SXM4-40GB-MIG-INVALID', 0, 0, { replicas: 0, more: SINGLE }), allocatable: { gpu: 2 } },
    0,
    ['gpu: 2 × exclusive of ?'],
    false,
  ],
  [
    'unusual profiles of an RTX PRO 6000',
    {
      labels: gfd(RTX_PRO, 2, 97_887, {
        replicas: 0,
        more: {
          ...MIXED,
          ...instances('1g.24gb.gfx', 4, 24_192),
          ...instances('1g.24gb.me.all', 1, 24_192),
          ...instances('1g.24gb-me', 3, 24_192),
        },
      }),
      allocatable: { gpu: 0, 'mig-1g.24gb.gfx': 4, 'mig-1g.24gb.me.all': 1, 'mig-1g.24gb-me': 3 },
    },
    2,
    [
      'mig-1g.24gb.gfx: 4 × mig of 250m, 24192 MiB',
      'mig-1g.24gb.me.all: 1 × mig of 250m, 24192 MiB',
      'mig-1g.24gb-me: 3 × mig of 250m, 24192 MiB',
    ],
    false,
  ],
  [
    'time-slicing under the plain name',
    {
      labels: gfd('NVIDIA-A10G-SHARED', 1, 23_028, { replicas: 12, strategy: 'time-slicing' }),
      allocatable: { gpu: 12 },
    },
    1,
    ['gpu: 12 × timeslicing of 83m, 1919 MiB'],
    false,
  ],
  [
    'the same, with labels that do not tell',
    { labels: gfd('NVIDIA-A10G', 1, 23_028), allocatable: { gpu: 10 } },
    1,
    ['gpu: 10 × timeslicing of 100m, 2302 MiB'],
    false,
  ],
  [
    'MPS on one GPU',
    { labels: gfd('Tesla-T4', 1, 15_360, { replicas: 2, strategy: 'mps' }), allocatable: { 'gpu.shared': 2 } },
    1,
    ['gpu.shared: 2 × mps of 500m, 7680 MiB'],
    false,
  ],
  [
    'three graphics cards, of which one model is counted',
    { labels: gfd('NVIDIA-GeForce-RTX-4090', 1, 24_564), allocatable: { gpu: 3 } },
    3,
    ['gpu: 3 × exclusive of 1000m, ? MiB'],
    false,
  ],
  [
    'four A100 and a T4',
    { labels: gfd('NVIDIA-A100-SXM4-80GB', 4, 81_920, { more: MIXED }), allocatable: { gpu: 5 } },
    5,
    ['gpu: 5 × exclusive of 1000m, ? MiB'],
    false,
  ],
  [
    'one of eight GPUs is unhealthy',
    { labels: gfd('NVIDIA-H100-80GB-HBM3', 8, 81_559, { more: MIXED }), allocatable: { gpu: 7 } },
    8,
    ['gpu: 7 × exclusive of 1000m, 81559 MiB'],
    false,
  ],
  [
    'the device plugin is away',
    { labels: gfd('NVIDIA-A100-PCIE-40GB', 4, 40_960), allocatable: { gpu: 0 } },
    4,
    [],
    false,
  ],
  [
    'the guest of a vGPU',
    {
      labels: gfd('GRID-A100-10C', 1, 10_240, { more: { 'nvidia.com/mig.capable': 'false' } }),
      allocatable: { gpu: 1 },
    },
    1,
    ['gpu: 1 × exclusive of 1000m, 10240 MiB'],
    true,
  ],
  [
    'GKE, whole',
    {
      labels: { [`${GKE}accelerator`]: 'nvidia-tesla-a100', [`${GKE}accelerator-count`]: '2' },
      allocatable: { gpu: 2 },
    },
    2,
    ['gpu: 2 × exclusive of 1000m, 40960 MiB'],
    false,
  ],
  [
    'GKE, MIG',
    {
      labels: {
        [`${GKE}accelerator`]: 'nvidia-tesla-a100',
        [`${GKE}accelerator-count`]: '1',
        [`${GKE}gpu-partition-size`]: '1g.5gb',
      },
      allocatable: { gpu: 7 },
    },
    1,
    ['gpu: 7 × mig of 142m, 4864 MiB'],
    false,
  ],
  [
    'GKE, time-sharing',
    {
      labels: {
        [`${GKE}accelerator`]: 'nvidia-l4',
        [`${GKE}accelerator-count`]: '1',
        [`${GKE}gpu-sharing-strategy`]: 'time-sharing',
        [`${GKE}max-shared-clients-per-gpu`]: '10',
      },
      allocatable: { gpu: 10 },
    },
    1,
    ['gpu: 10 × timeslicing of 100m, 2457 MiB'],
    false,
  ],
  [
    'EKS with Karpenter, time-slicing without GPU Feature Discovery',
    {
      labels: { [`${KARPENTER}count`]: '1', [`${KARPENTER}name`]: 'a10g', [`${KARPENTER}memory`]: '22888' },
      allocatable: { gpu: 0, 'gpu.shared': 10 },
    },
    1,
    ['gpu.shared: 10 × timeslicing of 100m, 2288 MiB'],
    false,
  ],
  [
    'EKS with Karpenter, before the device plugin is up',
    {
      labels: { [`${KARPENTER}count`]: '1', [`${KARPENTER}name`]: 't4', [`${KARPENTER}memory`]: '16384' },
      allocatable: {},
    },
    1,
    [],
    false,
  ],
  [
    'AKS: no more than that there is a GPU',
    { labels: { 'kubernetes.azure.com/accelerator': 'nvidia' }, allocatable: { gpu: 56 } },
    0,
    ['gpu: 56 × exclusive of ?'],
    false,
  ],
  [
    'no label at all',
    { labels: {}, allocatable: { 'gpu.shared': 10 } },
    0,
    ['gpu.shared: 10 × timeslicing of ?'],
    false,
  ],
  [
    "another system's virtual GPUs",
    {
      labels: { gpu: 'on' },
      annotations: { 'hami.io/node-nvidia-register': 'GPU-b7c4eb59,10,40960,100,NVIDIA-A100-PCIE-40GB,0,true:' },
      allocatable: { gpu: 70 },
    },
    0,
    ['gpu: 70 × exclusive of ?'],
    false,
  ],
];

for (const [where, seen, gpus, slots, changeable] of ROWS) {
  tap.test(where, async (t) => {
    t.strictSame(read(seen), { gpus, slots, changeable });
  });
}
