/** LimitRanges and ResourceQuotas of a namespace: what an administrator has set for whole GPUs is not got around. */

import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { decides } from './decides.ts';
import { policy } from './make.ts';

const LIMITED = { guards: { limited: true, counted: new Set<string>() } };
const counted = (...resources: string[]) => ({ guards: { limited: false, counted: new Set(resources) } });
const inference = { workloadType: 'inference' } as const;
const limited =
  'a LimitRange of the namespace speaks of nvidia.com/gpu, and would apply to a slot as well: it keeps a whole GPU';
const uncounted = 'a ResourceQuota of the namespace counts nvidia.com/gpu, and no slots: it keeps a whole GPU';

decides([
  ['a LimitRange for whole GPUs: no slots', inference, LIMITED, 'exclusive', limited],
  ['whatever a policy says', inference, { ...LIMITED, policies: [policy('mps')] }, 'exclusive', limited],
  [
    'whatever the pod asks for, and its author is told',
    { explicitMode: 'mps' },
    LIMITED,
    'exclusive',
    limited,
    limited,
  ],
  ['a quota for whole GPUs alone: no slots', inference, counted(WHOLE_GPU), 'exclusive', uncounted],
  [
    'a quota for whole GPUs and shared ones: shared ones',
    inference,
    counted(WHOLE_GPU, SHARED_GPU),
    'mps gpu.shared',
    'considered MPS: inference takes a slot of 1/8 GPU (5Gi), offered by 1 node',
  ],
  [
    'and no MIG, which it does not count',
    { ...inference, memoryMiB: 4_096 },
    counted(WHOLE_GPU, SHARED_GPU),
    'mps gpu.shared',
    'considered MPS: inference takes a slot of 1/8 GPU (5Gi), offered by 1 node',
  ],
  [
    'a quota for shared ones alone bounds nobody here: the API server counts',
    inference,
    counted(SHARED_GPU),
    'mps gpu.shared',
    'considered MPS: inference takes a slot of 1/8 GPU (5Gi), offered by 1 node',
  ],
]);
