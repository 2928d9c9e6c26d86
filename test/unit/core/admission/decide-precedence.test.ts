/** What stands above policies outweighs each of them, and everything else that has a say: the whole matrix. */

import tap from 'tap';
import { decide } from '#src/core/admission/decide.ts';
import type { PodFacts } from '#src/core/admission/decision-input.ts';
import { SHARED_GPU } from '#src/core/resources.ts';
import { admission, type Circumstances, EVERY_KIND, gpus, looksLike, policy, short, used, wishes } from './make.ts';

/** In order of precedence, with the last word of each. */
const ABOVE: readonly [says: string, pod: Partial<PodFacts>, becomes: string, because: string][] = [
  ['no GPU', { requested: new Map() }, 'leave', 'the pod asks for no GPU'],
  ['an earlier decision', { alreadyDecided: true }, 'leave', 'the pod carries a decision already'],
  ['an exempt namespace', { namespace: 'kube-system' }, 'leave', 'namespace kube-system is exempt'],
  ['optimize: "false"', { optimize: false }, 'leave', 'the pod opted out (optimize: "false")'],
  ['another scheduler', { schedulerName: 'volcano' }, 'leave', 'the pod chose scheduler volcano'],
  ['a node of its own', { pinned: true }, 'leave', 'the pod is made for one node'],
  [
    'slots by name',
    { requested: new Map([[SHARED_GPU, 1]]) },
    'schedule',
    'the pod asks for nvidia.com/gpu.shared by name',
  ],
  ['sharing: disabled', { sharingDisabled: true }, 'exclusive', 'sharing: disabled'],
  ['several GPUs', gpus(8), 'exclusive', 'the pod asks for 8 GPUs, and only single-GPU pods share'],
  ['sharing-mode: exclusive', { explicitMode: 'exclusive' }, 'exclusive', 'sharing-mode: exclusive'],
  [
    'sharing-mode: timeslicing',
    { explicitMode: 'timeslicing' },
    'timeslicing gpu.shared',
    'sharing-mode: timeslicing was asked for: a slot of 1/4 GPU (10Gi), offered by 3 nodes',
  ],
  [
    'mig-profile',
    wishes('7g.40gb'),
    'mig mig-7g.40gb',
    'MIG profile 7g.40gb was asked for: 7g.40gb, offered by 1 node',
  ],
  ['the label training', { workloadType: 'training' }, 'exclusive', 'training keeps a whole GPU'],
];

const BELOW: readonly [says: string, circumstances: Circumstances][] = [
  ['a policy by MIG', { policies: [policy('mig', { priority: 1_000_000 })] }],
  ['a policy by MPS', { policies: [policy('mps', { priority: 1_000_000 })] }],
  ['a policy by time-slicing', { policies: [policy('timeslicing', { priority: 1_000_000 })] }],
  ['an exclusive policy', { policies: [policy('exclusive', { priority: 1_000_000 })] }],
  ['a policy that leaves it to the flow', { policies: [policy('auto', { priority: 1_000_000 })] }],
  ['an idle past', used(0.01, { p95: 0.9 })],
  ['a busy past', used(0.9)],
  ['looking like inference', looksLike('inference')],
  ['looking like training', looksLike('training')],
];

for (const [above, pod, becomes, because] of ABOVE) {
  for (const [below, circumstances] of BELOW) {
    tap.test(`${above} outweighs ${below}`, async (t) => {
      const decision = decide(admission(pod, EVERY_KIND, circumstances));
      t.equal(short(decision), becomes);
      t.strictSame(decision.reasons, [because]);
    });
  }
}
