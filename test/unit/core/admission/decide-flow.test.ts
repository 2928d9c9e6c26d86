/** The decision flow on what pods declare: type, memory, share; and how the configuration bounds it. */

import { equalTo } from '#src/core/label-selector.ts';
import { decides } from './decides.ts';
import { EVERY_KIND, gpus, inPools, instance, looksLike, off, policy, possible, slot, used, wishes } from './make.ts';

const GIB = 1_024;
const nothing = 'no rule shares this pod: it keeps a whole GPU';
const mig = (what: string, why: string) => `considered MIG: ${why} needs ${what}`;
const mps = (what: string, why = 'inference') => `considered MPS: ${why} takes ${what}`;
const time = (what: string, why = 'development') => `considered time-slicing: ${why} takes ${what}`;
const EIGHTH = 'a slot of 1/8 GPU (5Gi), offered by 1 node';
const QUARTER = 'a slot of 1/4 GPU (10Gi), offered by 3 nodes';
const modes = (...enabled: ('mig' | 'mps' | 'timeslicing')[]) => ({ settings: { enabledModes: new Set(enabled) } });

/** Strategies that are switched off, or that nobody offers, let the next one speak. */
decides([
  [
    'inference while MPS is off in the configuration: never another way',
    { workloadType: 'inference' },
    modes('mig', 'timeslicing'),
    'exclusive',
    nothing,
  ],
  [
    'small inference while MPS is off: MIG all the same',
    { workloadType: 'inference', memoryMiB: GIB },
    modes('mig'),
    'mig mig-1g.5gb',
    mig('1g.5gb, offered by 1 node', 'declared 1Gi'),
  ],
  [
    'small inference while MIG is off: MPS',
    { workloadType: 'inference', memoryMiB: GIB },
    modes('mps', 'timeslicing'),
    'mps gpu.shared',
    mps(EIGHTH),
  ],
  [
    'small development while MIG is off: time-slicing',
    { workloadType: 'development', memoryMiB: GIB },
    modes('mps', 'timeslicing'),
    'timeslicing gpu.shared',
    time(QUARTER),
  ],
  ['small memory alone while MIG is off', { memoryMiB: GIB }, modes('mps', 'timeslicing'), 'exclusive', nothing],
  [
    'large batch while MIG is off: time-slicing, if a slot holds it',
    { workloadType: 'batch', memoryMiB: 20 * GIB },
    { ...modes('mps', 'timeslicing'), offers: [slot('timeslicing', 40_960, 250)] },
    'timeslicing gpu.shared',
    time('a slot of 1/4 GPU (40Gi), offered by 1 node', 'batch'),
  ],
  ['development while time-slicing is off', { workloadType: 'development' }, modes('mig', 'mps'), 'exclusive', nothing],
  ['everything off', { workloadType: 'inference', memoryMiB: GIB }, modes(), 'exclusive', nothing],
  [
    'mig-enabled: "false" of small inference',
    { workloadType: 'inference', memoryMiB: GIB, ...off('mig') },
    {},
    'mps gpu.shared',
    mps(EIGHTH),
  ],
  ['mps-enabled: "false" of inference', { workloadType: 'inference', ...off('mps') }, {}, 'exclusive', nothing],
  [
    'time-slicing-enabled: "false" of batch',
    { workloadType: 'batch', ...off('timeslicing') },
    {},
    'exclusive',
    nothing,
  ],
  [
    'time-slicing-enabled: "false" of large batch: MIG all the same',
    { workloadType: 'batch', memoryMiB: 30 * GIB, ...off('timeslicing') },
    {},
    'mig mig-7g.40gb',
    mig('7g.40gb, offered by 1 node', 'batch, declared 30Gi'),
  ],
  ['nobody offers anything', { workloadType: 'inference', memoryMiB: GIB }, { offers: [] }, 'exclusive', nothing],
  [
    'only whole GPUs are there: MIG is no matter of memory alone',
    { memoryMiB: GIB },
    { offers: EVERY_KIND.filter(({ mode }) => mode === 'mps') },
    'exclusive',
    nothing,
  ],
]);

/** The smallest slot that holds the pod, of those that are there and those that could be. */
decides([
  [
    'one that could be made, where it is smaller',
    { memoryMiB: 6 * GIB },
    { offers: [possible(instance('2g.10gb', 9_728, 285), 4), instance('3g.20gb', 19_968, 428)] },
    'mig mig-2g.10gb',
    mig('2g.10gb, which 4 nodes could be configured to offer', 'declared 6Gi'),
  ],
  [
    'one that is there, where that is smaller',
    { memoryMiB: GIB },
    { offers: [instance('1g.5gb', 4_864, 142), possible(instance('1g.10gb', 9_728, 142))] },
    'mig mig-1g.5gb',
    mig('1g.5gb, offered by 1 node', 'declared 1Gi'),
  ],
  [
    'one that could be made, where nobody has any',
    { workloadType: 'inference' },
    { offers: [possible(slot('mps', 2_560, 62), 2)] },
    'mps gpu.shared',
    mps('a slot of 1/16 GPU (2560Mi), which 2 nodes could be configured to offer'),
  ],
  [
    'of one kind that some have and others could have, those that have it are told',
    { workloadType: 'inference' },
    { offers: [{ ...slot('mps', 5_120, 125, 3), possible: 7 }] },
    'mps gpu.shared',
    mps('a slot of 1/8 GPU (5Gi), offered by 3 nodes'),
  ],
  [
    'batch of declared memory: an instance that could be made',
    { workloadType: 'batch', memoryMiB: 30 * GIB },
    { offers: [possible(instance('7g.40gb', 40_192, 1_000))] },
    'mig mig-7g.40gb',
    mig('7g.40gb, which 1 node could be configured to offer', 'batch, declared 30Gi'),
  ],
  [
    'a declared share rules out smaller instances',
    { memoryMiB: GIB, fractionMilli: 143 },
    {},
    'mig mig-3g.20gb',
    mig('3g.20gb, offered by 2 nodes', 'declared 1Gi'),
  ],
  [
    'a declared share of a whole GPU leaves a whole instance',
    { memoryMiB: GIB, fractionMilli: 1_000 },
    {},
    'mig mig-7g.40gb',
    mig('7g.40gb, offered by 1 node', 'declared 1Gi'),
  ],
  ['a declared share alone makes no pod small', { fractionMilli: 100 }, {}, 'exclusive', nothing],
  [
    'priority without fairnessMode: priority changes nothing',
    { workloadType: 'development', priority: 1_000 },
    { offers: [slot('timeslicing', 5_120, 125), slot('timeslicing', 20_480, 500)] },
    'timeslicing gpu.shared',
    time('a slot of 1/8 GPU (5Gi), offered by 1 node'),
  ],
  [
    'fairnessMode: priority of the configuration: the largest slot',
    { workloadType: 'development', priority: 1_000 },
    {
      offers: [slot('timeslicing', 5_120, 125), slot('timeslicing', 20_480, 500)],
      settings: { timeSlicing: { replicasPerGpu: 4, sliceMs: 100, fairnessMode: 'priority' } },
    },
    'timeslicing gpu.shared',
    time('a slot of 1/2 GPU (20Gi), offered by 1 node'),
  ],
]);

/** Several GPUs, and none. */
decides([
  [
    'two GPUs of inference',
    { ...gpus(2), workloadType: 'inference' },
    {},
    'exclusive',
    'the pod asks for 2 GPUs, and only single-GPU pods share',
  ],
  [
    'eight small GPUs',
    { ...gpus(8), memoryMiB: GIB },
    {},
    'exclusive',
    'the pod asks for 8 GPUs, and only single-GPU pods share',
  ],
  [
    'two GPUs of a policy',
    gpus(2),
    { policies: [policy('mps')] },
    'exclusive',
    'the pod asks for 2 GPUs, and only single-GPU pods share',
  ],
  ['two GPUs and sharing: disabled', { ...gpus(2), sharingDisabled: true }, {}, 'exclusive', 'sharing: disabled'],
  ['a count of none', { requested: new Map() }, {}, 'leave', 'the pod asks for no GPU'],
]);

/** rewriteRequests: false: whole GPUs for all, and the trail says what there would have been. */
const asked = { settings: { rewriteRequests: false } };
const kept = 'rewriteRequests is off: it keeps a whole GPU';
decides([
  ['inference', { workloadType: 'inference' }, asked, 'exclusive', kept],
  ['a wish', { explicitMode: 'mps' }, asked, 'exclusive', kept],
  ['a named profile', wishes('1g.5gb'), asked, 'exclusive', kept],
  ['a policy is named all the same', {}, { ...asked, policies: [policy('mps')] }, 'exclusive by by-mps', kept],
  [
    'a policy’s nodes have whole GPUs only by chance',
    {},
    {
      ...asked,
      policies: [policy('mps', { nodeSelector: { pool: 'a' } })],
      ...inPools({ a: [slot('mps', 5_120, 125)] }),
    },
    'exclusive by by-mps',
    kept,
  ],
  ['training would not share anyway', { workloadType: 'training' }, asked, 'exclusive', 'training keeps a whole GPU'],
  ['nobody knows the type', {}, asked, 'exclusive', nothing],
]);

/** binPacking off: another scheduler places, and what is decided must do without ours. */
const elsewhere = {
  settings: {
    schedulerName: 'default-scheduler',
    modeSelectors: { mig: {}, mps: { sharing: 'mps' }, timeslicing: { sharing: 'time-slicing' } },
  },
  offersOn: (selector: object) =>
    EVERY_KIND.filter(({ mode }) => {
      const nodes = { sharing: mode === 'timeslicing' ? 'time-slicing' : mode === 'mps' ? 'mps' : 'none' };
      return Object.entries(selector).every(([key, value]) => key === 'sharing' && value === nodes.sharing);
    }),
};
decides([
  [
    'MPS: on nodes that share so, as slots of both kinds bear one name',
    { workloadType: 'inference' },
    elsewhere,
    'mps gpu.shared on sharing=mps',
    mps(EIGHTH),
  ],
  [
    'time-slicing: likewise',
    { workloadType: 'development' },
    elsewhere,
    'timeslicing gpu.shared on sharing=time-slicing',
    time(QUARTER),
  ],
  [
    'MIG: its resources tell it already',
    { memoryMiB: GIB },
    elsewhere,
    'mig mig-1g.5gb',
    mig('1g.5gb, offered by 1 node', 'declared 1Gi'),
  ],
  ['a whole GPU', { workloadType: 'training' }, elsewhere, 'exclusive', 'training keeps a whole GPU'],
  [
    'our scheduler, which is not there, is another one',
    { schedulerName: 'gpu-autoscaler-scheduler', workloadType: 'inference' },
    elsewhere,
    'leave',
    'the pod chose scheduler gpu-autoscaler-scheduler',
  ],
]);

/** What a pod looks like speaks where it has no label, and last. */
decides([
  ['inference', {}, looksLike('inference'), 'mps gpu.shared', mps(EIGHTH)],
  ['development', {}, looksLike('development'), 'timeslicing gpu.shared', time(QUARTER)],
  ['batch', {}, looksLike('batch'), 'timeslicing gpu.shared', time(QUARTER, 'batch')],
  ['training', {}, looksLike('training'), 'exclusive', 'training keeps a whole GPU'],
  ['training, however small', { memoryMiB: GIB }, looksLike('training'), 'exclusive', 'training keeps a whole GPU'],
  [
    'the label outweighs it',
    { workloadType: 'development' },
    looksLike('training'),
    'timeslicing gpu.shared',
    time(QUARTER),
  ],
  [
    'autoDetectWorkloadType: false: it is not looked at',
    {},
    { ...looksLike('inference'), settings: { autoDetectWorkloadType: false } },
    'exclusive',
    nothing,
  ],
  [
    'a busy past outweighs looking like inference',
    {},
    { ...looksLike('inference'), ...used(0.8) },
    'exclusive',
    'history: 80% of a GPU on average, burstiness 0%: too much to share',
  ],
  [
    'a policy outweighs it',
    { labels: { app: 'web' } },
    { ...looksLike('training'), policies: [policy('mps', { podSelector: equalTo({ app: 'web' }) })] },
    'mps gpu.shared by by-mps',
    mps(EIGHTH, 'a pod of unknown GPU memory'),
  ],
]);
