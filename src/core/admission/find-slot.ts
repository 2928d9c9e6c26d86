/** Choosing a slot for a pod: what it needs, and the smallest offer that holds it. */

import type { Labels } from '../label-selector.ts';
import { WHOLE_GPU } from '../resources.ts';
import type { SharedMode } from '../sharing-mode.ts';
import { formatMiB } from '../units.ts';
import type { AdmissionFacts } from './decision-input.ts';
import type { FairnessMode, MigConfig, MpsConfig, SharingPolicy } from './policy.ts';
import { optimalReplicas } from './replicas.ts';
import type { SlotOffer } from './slot-offer.ts';

/** What a decision is bound to, besides the pod: a policy's constraints, or the configuration's. */
export interface SharingConstraints {
  readonly policy: string | undefined;
  /** Nodes whose slots count. */
  readonly nodeSelector: Labels;
  /** The policy shares no GPU finer; milli-GPU, 0 where it does not say. */
  readonly leastMilli: Readonly<Record<SharedMode, number>>;
  /** The share that the workload has used so far, for pods that declare none; milli-GPU, 0 if unknown. */
  readonly usedMilli: number;
  /** The profile to be preferred, and whether another will do. */
  readonly mig: MigConfig | undefined;
  readonly mps: MpsConfig;
  /** Memory of an MPS client, declared by the policy. */
  readonly mpsMiB: number | undefined;
  readonly fairness: FairnessMode;
}

export function constraintsOf({ settings, history }: AdmissionFacts, policy?: SharingPolicy): SharingConstraints {
  return {
    policy: policy?.name,
    nodeSelector: policy?.nodeSelector ?? {},
    leastMilli: {
      mig: 0,
      mps: policy?.mps ? shareOf(policy.mps.maxClients) : 0,
      timeslicing: policy?.timeSlicing ? shareOf(policy.timeSlicing.replicasPerGpu) : 0,
    },
    // A policy's word outweighs the past.
    usedMilli: history && !policy?.mps && !policy?.timeSlicing ? shareOf(optimalReplicas(history)) : 0,
    mig: policy?.mig,
    mps: policy?.mps ?? settings.mps,
    mpsMiB: policy?.mps?.memoryLimitMiB,
    fairness: policy?.timeSlicing?.fairnessMode ?? settings.timeSlicing.fairnessMode,
  };
}

function shareOf(replicas: number): number {
  return Math.floor(1000 / replicas);
}

export interface Memory {
  readonly mib: number;
  /** `declared 8Gi` */
  readonly words: string;
  readonly declared: boolean;
}

/** Measured peaks are of the past: a pod is given a fifth more. */
export const HEADROOM = 1.2;

/** GPU memory that the pod needs, by its own word, the policy's, or the past; undefined if unknown. */
export function memoryOf(
  { pod, history }: AdmissionFacts,
  constraints: SharingConstraints,
  mode: SharedMode,
): Memory | undefined {
  if (pod.memoryMiB !== undefined) {
    return { mib: pod.memoryMiB, words: `declared ${formatMiB(pod.memoryMiB)}`, declared: true };
  }
  if (mode === 'mps' && constraints.mpsMiB !== undefined) {
    const words = `${formatMiB(constraints.mpsMiB)} by policy ${constraints.policy}`;
    return { mib: constraints.mpsMiB, words, declared: false };
  }
  if (history?.peakMiB === undefined) return undefined;
  const mib = Math.ceil(history.peakMiB * HEADROOM);
  return { mib, words: `measured ${formatMiB(Math.ceil(history.peakMiB))} and a fifth more`, declared: false };
}

/**
 * The smallest offer that holds the pod; of a pod of high priority under `fairnessMode: priority`, the largest.
 * @param profile named by the pod: no other will do
 */
export function findSlot(
  facts: AdmissionFacts,
  constraints: SharingConstraints,
  mode: SharedMode,
  profile?: string,
): SlotOffer | undefined {
  const { pod, guards } = facts;
  const memory = memoryOf(facts, constraints, mode);
  const share = pod.fractionMilli ?? (mode === 'mig' ? 0 : Math.max(constraints.usedMilli, pod.memoryShareMilli ?? 0));
  const leastMilli = Math.max(share, constraints.leastMilli[mode]);
  const selector = selectorOf(facts, constraints, mode);
  const all = facts
    .offersOn(selector)
    .filter(
      (offer) =>
        offer.mode === mode &&
        (!guards.counted.has(WHOLE_GPU) || guards.counted.has(offer.resource)) &&
        (pod.queueGrants?.has(offer.resource) ?? true) &&
        (memory === undefined || (offer.slotMiB ?? 0) >= memory.mib) &&
        offer.slotMilli > 0 &&
        offer.slotMilli >= leastMilli &&
        isOpen(facts, offer, selector),
    );
  const present = all.filter(({ onOneNode, possible }) => onOneNode > 0 || possible > 0);
  // A node that is away may never return: rather than wait for it, a pod takes what is there under the name of a GPU.
  const holding = present.length > 0 || facts.offersOn({}).some((offer) => takesAsItCame(facts, offer)) ? present : all;
  if (mode === 'mig') return findInstance(facts, constraints, holding, profile, memory !== undefined);
  return mode === 'timeslicing' && constraints.fairness === 'priority' && pod.priority > 0
    ? holding.at(-1)
    : holding[0];
}

/** Whether the pod could come to hold such a slot: an MPS daemon serves its user, and one is free where it is not to wait. */
function isOpen(facts: AdmissionFacts, offer: SlotOffer, selector: Labels): boolean {
  const mayWait = facts.settings.whenFull === 'wait';
  if (mayWait && offer.mode !== 'mps') return true;
  const room = facts.roomFor?.(offer, selector);
  if (!room) return true;
  // A pod of another user may come first to that daemon: what would run as it came must not wait for that.
  const servesUser =
    room.servesUser === 'yes' ||
    (room.servesUser === 'contested' && !facts.offersOn({}).some((other) => takesAsItCame(facts, other)));
  return servesUser && (mayWait || room.free > 0);
}

/** Whether a node would take the pod now, were it left as it came. */
function takesAsItCame({ pod }: AdmissionFacts, { resource, onOneNode }: SlotOffer): boolean {
  return resource === WHOLE_GPU && onOneNode >= (pod.requested.get(WHOLE_GPU) ?? 0);
}

/** Whether a node offers such whole GPUs now, as many as the pod asks for and as large as it declares. */
export function isWholeFor({ pod }: AdmissionFacts, { mode, onOneNode, slotMilli, slotMiB = 0 }: SlotOffer): boolean {
  if (mode !== 'exclusive' || slotMilli === 0 || slotMiB < (pod.memoryMiB ?? 0)) return false;
  return onOneNode >= (pod.requested.get(WHOLE_GPU) ?? 0);
}

/** The nodes on which a slot counts, and the pod is placed. */
export function selectorOf(
  { settings }: AdmissionFacts,
  { nodeSelector }: SharingConstraints,
  mode: SharedMode,
): Labels {
  return { ...nodeSelector, ...settings.modeSelectors[mode] };
}

function findInstance(
  { settings }: AdmissionFacts,
  { mig }: SharingConstraints,
  holding: readonly SlotOffer[],
  named: string | undefined,
  knowsMemory: boolean,
): SlotOffer | undefined {
  const find = (name: string | undefined) =>
    holding.find(({ profile }) => name !== undefined && profile?.name === name);
  if (named !== undefined) return find(named);
  if (mig?.autoSelectProfile === false) return find(mig.profile);
  return find(mig?.profile) ?? (knowsMemory ? undefined : find(settings.defaultMigProfile)) ?? holding[0];
}

/** `1g.10gb, offered by 3 nodes`; `a slot of 1/8 GPU (5Gi), which 2 nodes could offer` */
export function describeSlot({ mode, profile, slotMilli, slotMiB, nodes, possible, onOneNode }: SlotOffer): string {
  const memory = slotMiB === undefined ? '' : ` (${formatMiB(slotMiB)})`;
  const whole = mode === 'mig' ? profile?.name : profile && `a time-slice of ${profile.name}${memory}`;
  const slot = whole ?? `a slot of ${describeShare(slotMilli)} GPU${memory}`;
  const count = nodes || possible;
  const people = `${count} ${count === 1 ? 'node' : 'nodes'}`;
  if (nodes === 0) return `${slot}, which ${people} could be configured to offer`;
  return onOneNode > 0 ? `${slot}, offered by ${people}` : `${slot}, which ${people} offered until a moment ago`;
}

/** `1/8`, where the share is that of one number of slots alone; of so many that it is not, `20m`. */
function describeShare(milli: number): string {
  const slots = Math.floor(1000 / milli);
  return shareOf(slots - 1) === milli ? `${milli}m` : `1/${slots}`;
}
