/** Which policy governs a pod, and how each strategy shares it. */

import { byPrecedence } from '#src/core/admission/policies.ts';
import type { SharingPolicy } from '#src/core/admission/policy.ts';
import { equalTo } from '#src/core/label-selector.ts';
import { decides } from './decides.ts';
import { looksLike, policy } from './make.ts';

const app = (name: string) => ({ podSelector: equalTo({ app: name }) });
const staging = { namespaceSelector: equalTo({ environment: 'staging' }) };
const sorted = (...policies: SharingPolicy[]) => ({ policies: byPrecedence(policies) });
const POD = { labels: { app: 'web', tier: 'gpu' } };

const byMig = 'considered MIG: a pod of unknown GPU memory takes 1g.5gb, offered by 1 node';
const byMps = 'considered MPS: a pod of unknown GPU memory takes a slot of 1/8 GPU (5Gi), offered by 1 node';
const byTime =
  'considered time-slicing: a pod of unknown GPU memory takes a slot of 1/4 GPU (10Gi), offered by 3 nodes';
const nothing = 'no rule shares this pod: it keeps a whole GPU';

/** Each strategy. */
decides([
  ['mig', POD, { policies: [policy('mig')] }, 'mig mig-1g.5gb by by-mig', byMig],
  ['mps', POD, { policies: [policy('mps')] }, 'mps gpu.shared by by-mps', byMps],
  ['timeslicing', POD, { policies: [policy('timeslicing')] }, 'timeslicing gpu.shared by by-timeslicing', byTime],
  [
    'exclusive',
    POD,
    { policies: [policy('exclusive')] },
    'exclusive by by-exclusive',
    'policy by-exclusive (priority 0) applied',
  ],
  [
    'auto: the flow',
    { ...POD, workloadType: 'inference' },
    { policies: [policy('auto')] },
    'mps gpu.shared by by-auto',
    'considered MPS: inference takes a slot of 1/8 GPU (5Gi), offered by 1 node',
  ],
  ['auto: the flow, which may find nothing', POD, { policies: [policy('auto')] }, 'exclusive by by-auto', nothing],
  [
    'inference by MIG, where a policy says so',
    { ...POD, workloadType: 'inference' },
    { policies: [policy('mig')] },
    'mig mig-1g.5gb by by-mig',
    byMig,
  ],
  [
    'what the pod looks like has no say under a policy',
    POD,
    { policies: [policy('timeslicing')], ...looksLike('training') },
    'timeslicing gpu.shared by by-timeslicing',
    byTime,
  ],
  [
    'but it has under auto',
    POD,
    { policies: [policy('auto')], ...looksLike('training') },
    'exclusive by by-auto',
    'training keeps a whole GPU',
  ],
  [
    'the memory that makes a pod small has no say under a policy',
    { ...POD, memoryMiB: 4_096 },
    { policies: [policy('mps')] },
    'mps gpu.shared by by-mps',
    'considered MPS: declared 4Gi takes a slot of 1/8 GPU (5Gi), offered by 1 node',
  ],
]);

/** Which one governs. */
decides([
  ['none selects the pod: the flow', POD, { policies: [policy('mps', app('other'))] }, 'exclusive', nothing],
  [
    'a selector that the pod satisfies',
    POD,
    { policies: [policy('mps', app('web'))] },
    'mps gpu.shared by by-mps',
    byMps,
  ],
  ['a pod without labels is not selected by any', {}, { policies: [policy('mps', app('web'))] }, 'exclusive', nothing],
  [
    'the higher priority',
    POD,
    sorted(policy('mps', { priority: 1 }), policy('mig', { priority: 2 })),
    'mig mig-1g.5gb by by-mig',
    byMig,
  ],
  [
    'the higher priority, though the other is more specific',
    POD,
    sorted(policy('mps', { priority: 1, ...app('web') }), policy('mig', { priority: 2 })),
    'mig mig-1g.5gb by by-mig',
    byMig,
  ],
  [
    'no priority is more than a negative one',
    POD,
    sorted(policy('mps', { priority: -1 }), policy('mig')),
    'mig mig-1g.5gb by by-mig',
    byMig,
  ],
  [
    'the highest that selects the pod',
    POD,
    sorted(policy('mps', { priority: 1 }), policy('mig', { priority: 2, ...app('other') })),
    'mps gpu.shared by by-mps',
    byMps,
  ],
  [
    'of equals the more specific',
    POD,
    sorted(policy('mps'), policy('timeslicing', app('web'))),
    'timeslicing gpu.shared by by-timeslicing',
    byTime,
  ],
  [
    'of equals the one with more conditions',
    POD,
    sorted(policy('mps', { podSelector: equalTo({ app: 'web', tier: 'gpu' }) }), policy('mig', app('web'))),
    'mps gpu.shared by by-mps',
    byMps,
  ],
  [
    'conditions on the namespace count as well',
    POD,
    {
      ...sorted(policy('mps', app('web')), policy('mig', { ...app('web'), ...staging })),
      namespaceLabels: { environment: 'staging' },
    },
    'mig mig-1g.5gb by by-mig',
    byMig,
  ],
  [
    'of equals the first by name',
    POD,
    sorted(policy('mps', { name: 'b' }), policy('mig', { name: 'c' }), policy('timeslicing', { name: 'a' })),
    'timeslicing gpu.shared by a',
    byTime,
  ],
  [
    'names are compared by code points, as everywhere in Kubernetes',
    POD,
    sorted(policy('mps', { name: 'a10' }), policy('mig', { name: 'a9' })),
    'mps gpu.shared by a10',
    byMps,
  ],
  [
    'a namespace that is selected',
    POD,
    { policies: [policy('mps', staging)], namespaceLabels: { environment: 'staging' } },
    'mps gpu.shared by by-mps',
    byMps,
  ],
  [
    'a namespace that is not',
    POD,
    { policies: [policy('mps', staging)], namespaceLabels: { environment: 'production' } },
    'exclusive',
    nothing,
  ],
  [
    'a namespace without labels',
    POD,
    { policies: [policy('mps', staging)], namespaceLabels: {} },
    'exclusive',
    nothing,
  ],
  [
    'NotIn selects a namespace that lacks the label',
    POD,
    {
      policies: [
        policy('mps', { namespaceSelector: [{ key: 'environment', operator: 'NotIn', values: ['production'] }] }),
      ],
    },
    'mps gpu.shared by by-mps',
    byMps,
  ],
  [
    'a namespace that is not known yet is selected by nobody',
    POD,
    { policies: [policy('mps', staging)], namespaceLabels: undefined },
    'exclusive',
    nothing,
  ],
  [
    'and by those that do not ask for any',
    POD,
    { ...sorted(policy('mps', staging), policy('mig')), namespaceLabels: undefined },
    'mig mig-1g.5gb by by-mig',
    byMig,
  ],
]);
