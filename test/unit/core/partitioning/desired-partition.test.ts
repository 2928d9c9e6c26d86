/** From a GPUNodeConfig to the partition that it means on the node at hand. */

import tap from 'tap';
import { nodeConfigSpec } from '#src/api/node-config.ts';
import { desiredOf, type NodeGpus } from '#src/core/partitioning/desired-partition.ts';
import type { Partition } from '#src/core/partitioning/partition.ts';
import { PRODUCT } from '../../reconciler/make.ts';

const NODE: NodeGpus = { product: PRODUCT, memoryMiB: 40_960, gpus: 3 };
const specOf = (spec: object) => nodeConfigSpec.parse({ nodeName: 'a', ...spec });
const desired = (spec: object, node = NODE, profile?: string) => desiredOf(specOf(spec), node, profile);

const SEVEN = { '1g.5gb': 7 };
const OFF = undefined;

tap.test('a GPUNodeConfig says how the GPUs are to be', async (t) => {
  const cases: readonly [says: string, spec: object, partition: Partition][] = [
    ['nothing is wanted: whole GPUs', {}, { layouts: [OFF, OFF, OFF], sharing: undefined }],
    [
      'MPS',
      { mpsEnabled: true, mpsMaxClients: 6 },
      { layouts: [OFF, OFF, OFF], sharing: { mode: 'mps', replicas: 6 } },
    ],
    ['MPS by default', { mpsEnabled: true }, { layouts: [OFF, OFF, OFF], sharing: { mode: 'mps', replicas: 16 } }],
    [
      'time-slicing by default',
      { timeSlicingEnabled: true },
      { layouts: [OFF, OFF, OFF], sharing: { mode: 'timeslicing', replicas: 4 } },
    ],
    [
      'profiles are the layout of each GPU, not of the node',
      { migEnabled: true, migProfiles: ['1g.5gb', '2g.10gb', '1g.5gb'] },
      { layouts: new Array(3).fill({ '1g.5gb': 2, '2g.10gb': 1 }), sharing: undefined },
    ],
    [
      'layouts are those of some, and MIG stays off on the others',
      { migEnabled: true, migLayouts: [{ gpus: [2, 0], profiles: ['3g.20gb', '3g.20gb'] }] },
      { layouts: [{ '3g.20gb': 2 }, OFF, { '3g.20gb': 2 }], sharing: undefined },
    ],
    [
      'a layout may be empty',
      { migEnabled: true, migLayouts: [{ gpus: [0], profiles: [] }] },
      { layouts: [{}, OFF, OFF], sharing: undefined },
    ],
    [
      'an empty list of profiles is none',
      { migEnabled: true, migProfiles: [] },
      { layouts: [SEVEN, SEVEN, SEVEN], sharing: undefined },
    ],
    [
      'what MIG leaves whole may be time-sliced',
      { migEnabled: true, migLayouts: [{ gpus: [1], profiles: ['7g.40gb'] }], timeSlicingEnabled: true },
      { layouts: [OFF, { '7g.40gb': 1 }, OFF], sharing: { mode: 'timeslicing', replicas: 4 } },
    ],
  ];
  for (const [says, spec, partition] of cases) t.strictSame(desired(spec), { ok: true, partition }, says);
});

tap.test('where no layout is told, as many as fit of the profile that is the default', async (t) => {
  const cases: readonly [says: string, profile: string | undefined, layout: object][] = [
    ['none is: the smallest', undefined, SEVEN],
    ['the default', '3g.20gb', { '3g.20gb': 2 }],
    ['of four compute slices there is one', '4g.20gb', { '4g.20gb': 1 }],
    ['with media engines, of which there is one set', '1g.5gb+me', { '1g.5gb+me': 1 }],
    ['one that this GPU does not have: its smallest', '1g.18gb', SEVEN],
  ];
  for (const [says, profile, layout] of cases) {
    const partition = { layouts: [layout, layout, layout], sharing: undefined };
    t.strictSame(desired({ migEnabled: true }, NODE, profile), { ok: true, partition }, says);
  }
  const h200 = { product: 'NVIDIA-H200', memoryMiB: 143_771, gpus: 1 };
  t.match(desired({ migEnabled: true }, h200), { partition: { layouts: [{ '1g.18gb': 7 }] } });
});

tap.test('what this node cannot be is refused, with the rule', async (t) => {
  const T4 = { product: 'Tesla-T4', memoryMiB: 15_360, gpus: 1 };
  const cases: readonly [says: string, spec: object, node: NodeGpus, code: string, message: RegExp][] = [
    [
      'a GPU that is not there',
      { migEnabled: true, migLayouts: [{ gpus: [0, 3], profiles: ['1g.5gb'] }] },
      NODE,
      'NoSuchGpu',
      /^migLayouts name GPU 3, but the node has 3, numbered from 0$/,
    ],
    ['MIG where there is none', { migEnabled: true }, T4, 'NoMig', /Tesla-T4 has no MIG/],
    [
      'a profile of another GPU',
      { migEnabled: true, migProfiles: ['1g.10gb', '1g.18gb'] },
      NODE,
      'UnknownProfile',
      /no MIG profile 1g\.18gb/,
    ],
    [
      'a layout without a placement',
      { migEnabled: true, migProfiles: ['4g.20gb', '1g.10gb', '1g.10gb', '1g.5gb'] },
      NODE,
      'ImpossibleLayout',
      /no placement of 4g\.20gb \+ 2 × 1g\.10gb \+ 1g\.5gb/,
    ],
    [
      'more clients than the GPU takes',
      { mpsEnabled: true, mpsMaxClients: 17 },
      { product: 'Tesla-V100-SXM2-16GB', memoryMiB: 16_384, gpus: 1 },
      'TooManyReplicas',
      /at most 16/,
    ],
    ['nothing left to share', { migEnabled: true, timeSlicingEnabled: true }, NODE, 'NothingToShare', /every GPU/],
  ];
  for (const [says, spec, node, code, message] of cases)
    t.match(desired(spec, node), { ok: false, code, message }, says);
});
