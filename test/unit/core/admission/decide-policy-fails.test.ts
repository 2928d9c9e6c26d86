/** A policy that cannot be carried out still governs; where its nodeSelector lets its pods go. */

import { byPrecedence } from '#src/core/admission/policies.ts';
import type { SharingPolicy } from '#src/core/admission/policy.ts';
import { decides } from './decides.ts';
import { EVERY_KIND, inPools, instance, off, policy, pool, slot, used, WHOLE } from './make.ts';

const sorted = (...policies: SharingPolicy[]) => ({ policies: byPrecedence(policies) });
const without = (mode: string) => ({ offers: EVERY_KIND.filter((offer) => offer.mode !== mode) });

const byMig = 'considered MIG: a pod of unknown GPU memory takes 1g.5gb, offered by 1 node';
const byMps = 'considered MPS: a pod of unknown GPU memory takes a slot of 1/8 GPU (5Gi), offered by 1 node';
const nothing = 'no rule shares this pod: it keeps a whole GPU';
const failed = (name: string) => `policy ${name} cannot be carried out: it keeps a whole GPU`;

decides([
  ['nobody offers MIG', {}, { policies: [policy('mig')], ...without('mig') }, 'exclusive by by-mig', failed('by-mig')],
  ['nobody offers MPS', {}, { policies: [policy('mps')], ...without('mps') }, 'exclusive by by-mps', failed('by-mps')],
  [
    'nobody offers time-slicing',
    {},
    { policies: [policy('timeslicing')], ...without('timeslicing') },
    'exclusive by by-timeslicing',
    failed('by-timeslicing'),
  ],
  [
    'the configuration has switched it off',
    {},
    { policies: [policy('mps')], settings: { enabledModes: new Set(['mig', 'timeslicing']) } },
    'exclusive by by-mps',
    failed('by-mps'),
  ],
  [
    'no slot has the memory',
    { memoryMiB: 30_000 },
    { policies: [policy('mps')] },
    'exclusive by by-mps',
    failed('by-mps'),
  ],
  [
    'no other policy steps in',
    {},
    { ...sorted(policy('mps', { priority: 1 }), policy('mig')), ...without('mps') },
    'exclusive by by-mps',
    failed('by-mps'),
  ],
  [
    'nor does the flow',
    { workloadType: 'development' },
    { policies: [policy('mps')], ...without('mps') },
    'exclusive by by-mps',
    failed('by-mps'),
  ],
  [
    'the pod’s own switch gives the word back to the flow',
    { workloadType: 'development', ...off('mps') },
    { policies: [policy('mps')] },
    'timeslicing gpu.shared',
    'considered time-slicing: development takes a slot of 1/4 GPU (10Gi), offered by 3 nodes',
  ],
  [
    'to the flow, not to the next policy',
    { ...off('mps') },
    sorted(policy('mps', { priority: 1 }), policy('mig')),
    'exclusive',
    nothing,
  ],
  [
    'and on its own terms: the policy’s nodes are out of it',
    { workloadType: 'development', ...off('mps') },
    {
      policies: [policy('mps', { nodeSelector: pool('a') })],
      ...inPools({ a: [slot('timeslicing', 5_120, 500)], b: [slot('timeslicing', 5_120, 125)] }),
    },
    'timeslicing gpu.shared',
    'considered time-slicing: development takes a slot of 1/2 GPU (5Gi), offered by 1 node',
  ],
  [
    'another mode that the pod has switched off does not matter',
    { ...off('mig', 'timeslicing') },
    { policies: [policy('mps')] },
    'mps gpu.shared by by-mps',
    byMps,
  ],
  [
    'under auto, what the pod has switched off is left out of the flow',
    { workloadType: 'inference', ...off('mps') },
    { policies: [policy('auto')] },
    'exclusive by by-auto',
    nothing,
  ],
  [
    'switches of the pod do not touch an exclusive policy',
    { ...off('mig', 'mps', 'timeslicing') },
    { policies: [policy('exclusive')] },
    'exclusive by by-exclusive',
    'policy by-exclusive (priority 0) applied',
  ],
  [
    'a busy past, where the policy does not say how many may share',
    {},
    { policies: [policy('mps')], ...used(0.7) },
    'exclusive by by-mps',
    'history: 70% of a GPU on average, burstiness 0%: too much to share',
  ],
  [
    'a busy past does not keep a pod from an instance of its own',
    {},
    { policies: [policy('mig')], ...used(0.7) },
    'mig mig-1g.5gb by by-mig',
    byMig,
  ],
]);

/** nodeSelector: the nodes that its pods may go to. */
const POOLS = inPools({
  a: [slot('mps', 5_120, 125), instance('1g.5gb', 4_864, 142)],
  b: [WHOLE, slot('mps', 20_480, 500)],
});
const on = (name: string) => ({ nodeSelector: pool(name) });
decides([
  [
    'slots on its nodes count',
    {},
    { policies: [policy('mps', on('a'))], ...POOLS },
    'mps gpu.shared by by-mps on pool=a',
    byMps,
  ],
  [
    'slots elsewhere do not, though they are smaller',
    {},
    { policies: [policy('mps', on('b'))], ...POOLS },
    'mps gpu.shared by by-mps on pool=b',
    'considered MPS: a pod of unknown GPU memory takes a slot of 1/2 GPU (20Gi), offered by 1 node',
  ],
  [
    'nor where its nodes offer no such slot: a whole GPU of theirs',
    {},
    { policies: [policy('mig', on('b'))], ...POOLS },
    'exclusive by by-mig on pool=b',
    failed('by-mig'),
  ],
  [
    'of any node, where its own offer no whole GPU',
    {},
    { policies: [policy('timeslicing', on('a'))], ...POOLS },
    'exclusive by by-timeslicing',
    'no node that its nodeSelector selects offers whole GPUs: any node will do',
  ],
  [
    'an exclusive policy: whole GPUs of its nodes',
    {},
    { policies: [policy('exclusive', on('b'))], ...POOLS },
    'exclusive by by-exclusive on pool=b',
    'policy by-exclusive (priority 0) applied',
  ],
  [
    'an exclusive policy whose nodes have none',
    {},
    { policies: [policy('exclusive', on('a'))], ...POOLS },
    'exclusive by by-exclusive',
    'no node that its nodeSelector selects offers whole GPUs: any node will do',
  ],
  [
    'auto: the flow looks at its nodes alone',
    { workloadType: 'inference' },
    { policies: [policy('auto', on('b'))], ...POOLS },
    'mps gpu.shared by by-auto on pool=b',
    'considered MPS: inference takes a slot of 1/2 GPU (20Gi), offered by 1 node',
  ],
  [
    'auto: a whole GPU of its nodes as well',
    {},
    { policies: [policy('auto', on('b'))], ...POOLS },
    'exclusive by by-auto on pool=b',
    nothing,
  ],
  [
    'no node is selected at all',
    {},
    { policies: [policy('mps', on('nowhere'))], ...POOLS },
    'exclusive by by-mps',
    'no node that its nodeSelector selects offers whole GPUs: any node will do',
  ],
]);
