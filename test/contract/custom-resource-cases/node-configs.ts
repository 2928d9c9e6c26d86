/** GPUNodeConfigs that the API server takes, and others that it refuses. */

import type { AcceptedCase, RefusedCase } from './case.ts';

const node = (spec: object) => ({ nodeName: 'gpu-1', ...spec });
const layout = (...migProfiles: string[]) => node({ migEnabled: true, migProfiles });

export const acceptedNodeConfigs: readonly AcceptedCase[] = [
  {
    sentence: 'a node is enough',
    spec: node({}),
    stored: {
      nodeName: 'gpu-1',
      migEnabled: false,
      mpsEnabled: false,
      mpsMaxClients: 16,
      timeSlicingEnabled: false,
      timeSlicingReplicas: 4,
      whenBusy: 'Wait',
      drainTimeoutSeconds: 600,
    },
  },
  { sentence: 'MPS', spec: node({ mpsEnabled: true, mpsMaxClients: 48 }) },
  { sentence: 'time-slicing', spec: node({ timeSlicingEnabled: true, timeSlicingReplicas: 2 }) },
  {
    sentence: 'MIG and time-slicing, which slices the GPUs without MIG',
    spec: node({ migEnabled: true, timeSlicingEnabled: true }),
  },
  { sentence: 'MIG without a layout', spec: node({ migEnabled: true }) },
  { sentence: 'no profiles without MIG', spec: node({ migProfiles: [] }) },
  { sentence: 'seven of the smallest', spec: layout(...new Array<string>(7).fill('1g.5gb')) },
  { sentence: '4g and 3g', spec: layout('4g.20gb', '3g.20gb') },
  {
    sentence: '3g and four of 1g, one with media engines',
    spec: layout('3g.20gb', '1g.5gb', '1g.5gb', '1g.5gb', '1g.5gb+me'),
  },
  { sentence: 'a whole GPU', spec: layout('7g.80gb') },
  {
    sentence: 'layouts for some GPUs each',
    spec: node({
      migEnabled: true,
      migLayouts: [
        { gpus: [0, 2], profiles: ['1g.5gb'] },
        { gpus: [1], profiles: [] },
      ],
    }),
  },
  { sentence: 'no layouts without MIG', spec: node({ migLayouts: [] }) },
  { sentence: 'a drain', spec: node({ whenBusy: 'Drain', drainTimeoutSeconds: 60 }) },
  { sentence: 'the longest name of a node', spec: { nodeName: `${'n'.repeat(63)}.`.repeat(4).slice(0, 253) } },
];

export const refusedNodeConfigs: readonly RefusedCase[] = [
  {
    sentence: 'layouts without MIG',
    spec: node({ migLayouts: [{ gpus: [0], profiles: ['1g.5gb'] }] }),
    says: 'spec.migLayouts: Forbidden: migLayouts say how MIG cuts the GPUs, but migEnabled is false: set migEnabled to true, or remove them',
  },
  {
    sentence: 'layouts beside profiles for all',
    spec: node({ migEnabled: true, migProfiles: ['1g.5gb'], migLayouts: [{ gpus: [0], profiles: ['1g.5gb'] }] }),
    says: 'spec.migLayouts: Forbidden: migProfiles are the layout of every GPU, migLayouts those of some: leave one of them',
  },
  {
    sentence: 'a GPU in two layouts',
    spec: node({
      migEnabled: true,
      migLayouts: [
        { gpus: [0, 1], profiles: ['1g.5gb'] },
        { gpus: [1], profiles: ['2g.10gb'] },
      ],
    }),
    says: 'spec.migLayouts: Invalid value: a GPU is named in two layouts: leave it in one',
  },
  {
    sentence: 'a layout that no GPU holds',
    spec: node({ migEnabled: true, migLayouts: [{ gpus: [0], profiles: ['7g.40gb', '1g.5gb'] }] }),
    says: 'spec.migLayouts[0].profiles: Invalid value: more than the 7 compute slices of a GPU (the digit before "g"): remove profiles; the list is the layout of each GPU of the node',
  },
  {
    sentence: 'a GPU that no machine has',
    spec: node({ migEnabled: true, migLayouts: [{ gpus: [16], profiles: ['1g.5gb'] }] }),
    says: 'spec.migLayouts[0].gpus[0]: Invalid value: 16: spec.migLayouts[0].gpus[0] in body should be less than or equal to 15',
  },
  {
    sentence: 'a way of waiting that there is not',
    spec: node({ whenBusy: 'Kill' }),
    says: 'spec.whenBusy: Unsupported value: "Kill": supported values: "Wait", "Drain"',
  },
  {
    sentence: 'a drain that is over before it begins',
    spec: node({ drainTimeoutSeconds: 1 }),
    says: 'spec.drainTimeoutSeconds: Invalid value: 1: spec.drainTimeoutSeconds in body should be greater than or equal to 10',
  },
  { sentence: 'no node', spec: { migEnabled: true }, says: 'spec.nodeName: Required value' },
  {
    sentence: 'an empty name',
    spec: { nodeName: '' },
    says: 'spec.nodeName: Invalid value: "": spec.nodeName in body should be at least 1 chars long',
  },
  {
    sentence: 'a name that no node has',
    spec: { nodeName: 'GPU_1' },
    says: 'spec.nodeName: Invalid value: "GPU_1": not the name of a node: lower-case letters, digits, "-" and "."',
  },
  {
    sentence: 'a name that is too long',
    spec: { nodeName: 'n'.repeat(254) },
    says: 'spec.nodeName: Too long: may not be more than 253 bytes',
  },
  {
    sentence: 'MPS with MIG',
    spec: node({ migEnabled: true, mpsEnabled: true }),
    says: "spec.mpsEnabled: Invalid value: NVIDIA's device plugin refuses MPS on a node with MIG: set mpsEnabled or migEnabled to false",
  },
  {
    sentence: 'MPS with time-slicing',
    spec: node({ mpsEnabled: true, timeSlicingEnabled: true }),
    says: "spec.timeSlicingEnabled: Invalid value: NVIDIA's device plugin drops time-slicing silently on a node with MPS: set timeSlicingEnabled or mpsEnabled to false",
  },
  {
    sentence: 'profiles without MIG',
    spec: node({ migProfiles: ['1g.5gb'] }),
    says: 'spec.migProfiles: Forbidden: migProfiles say how MIG cuts the GPUs, but migEnabled is false: set migEnabled to true, or remove them',
  },
  {
    sentence: 'eight instances',
    spec: layout(...new Array<string>(8).fill('1g.5gb')),
    says: 'spec.migProfiles: Too many: 8: must have at most 7 items',
  },
  {
    sentence: 'too many compute slices',
    spec: layout('4g.20gb', '2g.10gb', '2g.10gb'),
    says: 'spec.migProfiles: Invalid value: more than the 7 compute slices of a GPU (the digit before "g"): remove profiles; the list is the layout of each GPU of the node',
  },
  {
    sentence: 'too many memory slices',
    spec: layout('3g.20gb', '3g.20gb', '1g.5gb'),
    says: 'spec.migProfiles: Invalid value: more than the 8 memory slices of a GPU (1g takes 1, 2g 2, 3g and 4g 4, 7g all): remove profiles; the list is the layout of each GPU of the node',
  },
  {
    sentence: 'media engines twice',
    spec: layout('1g.5gb+me', '1g.5gb+me'),
    says: 'spec.migProfiles: Invalid value: a GPU has media engines for one instance: leave one +me profile',
  },
  {
    sentence: 'a profile that is none',
    spec: layout('1g.5gb', 'all-1g.5gb'),
    says: 'spec.migProfiles[1]: Invalid value: "all-1g.5gb": not a MIG profile: write it as NVIDIA does, such as 1g.5gb or 1g.5gb+me',
  },
  { sentence: 'an empty profile', spec: layout(''), says: 'spec.migProfiles[0]: Invalid value: "": not a MIG profile' },
  {
    sentence: 'one client, which would not share',
    spec: node({ mpsMaxClients: 1 }),
    says: 'spec.mpsMaxClients: Invalid value: 1: spec.mpsMaxClients in body should be greater than or equal to 2',
  },
  {
    sentence: 'more clients than MPS takes',
    spec: node({ mpsMaxClients: 49 }),
    says: 'spec.mpsMaxClients: Invalid value: 49: spec.mpsMaxClients in body should be less than or equal to 48',
  },
  {
    sentence: 'one replica, which would not share',
    spec: node({ timeSlicingReplicas: 1 }),
    says: 'spec.timeSlicingReplicas: Invalid value: 1: spec.timeSlicingReplicas in body should be greater than or equal to 2',
  },
  {
    sentence: 'a word for a switch',
    spec: node({ mpsEnabled: 'yes' }),
    says: 'spec.mpsEnabled: Invalid value: "string": spec.mpsEnabled in body must be of type boolean: "string"',
  },
];
