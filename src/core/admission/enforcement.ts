/** Whether a policy's word can be kept on this cluster, and what of it cannot. For the policy's status. */

import type { Labels } from '../label-selector.ts';
import type { SharedMode } from '../sharing-mode.ts';
import type { AdmissionSettings } from './decision-input.ts';
import type { SharingPolicy } from './policy.ts';
import type { SlotOffer } from './slot-offer.ts';

export interface Unenforceable {
  /** Stable, CamelCase. */
  readonly reason: string;
  /** A sentence that says what to do about it. */
  readonly message: string;
}

type Offers = (nodeSelector: Labels) => readonly SlotOffer[];

/** What of the policy is not kept; empty if all of it is. The gravest first. */
export function unenforceable(policy: SharingPolicy, settings: AdmissionSettings, offersOn: Offers): Unenforceable[] {
  const { strategy } = policy;
  if (strategy === 'exclusive') return [];
  const found: Unenforceable[] = [];
  if (strategy !== 'auto') found.push(...unavailable(policy, strategy, settings, offersOn));
  if (strategy === 'timeslicing' || strategy === 'auto') found.push(...notEnforceable(policy));
  return found;
}

function unavailable(
  { mig, mps, timeSlicing, nodeSelector }: SharingPolicy,
  mode: SharedMode,
  settings: AdmissionSettings,
  offersOn: Offers,
): Unenforceable[] {
  if (!settings.enabledModes.has(mode)) {
    const message = `${mode} is switched off by the configuration: pods keep whole GPUs`;
    return [{ reason: 'ModeDisabled', message }];
  }
  // As for pods: where another scheduler places them, only slots that a label distinguishes.
  const offers = offersOn({ ...nodeSelector, ...settings.modeSelectors[mode] }).filter(
    (offer) => offer.mode === mode && offer.slotMilli > 0,
  );
  if (offers.length === 0) {
    const where = Object.keys(nodeSelector).length > 0 ? 'no node that its nodeSelector selects' : 'no node';
    return [{ reason: 'NoNodeOffers', message: `${where} offers slots by ${mode}: pods keep whole GPUs` }];
  }
  if (mode === 'mig' && mig?.profile !== undefined && !offers.some(({ profile }) => profile?.name === mig.profile)) {
    const instead = mig.autoSelectProfile ? 'the smallest that holds a pod is taken' : 'pods keep whole GPUs';
    return [{ reason: 'ProfileNotOffered', message: `no node offers MIG profile ${mig.profile}: ${instead}` }];
  }
  const replicas = mode === 'mps' ? mps?.maxClients : mode === 'timeslicing' ? timeSlicing?.replicasPerGpu : undefined;
  const least = replicas === undefined ? 0 : Math.floor(1000 / replicas);
  const large = offers.filter(({ slotMilli }) => slotMilli >= least);
  if (large.length === 0) {
    const message = `every node cuts its GPUs finer than in ${replicas}: pods keep whole GPUs`;
    return [{ reason: 'SlotsTooSmall', message }];
  }
  const limit = mode === 'mps' ? mps?.memoryLimitMiB : undefined;
  if (limit !== undefined && !large.some(({ slotMiB }) => (slotMiB ?? Number.POSITIVE_INFINITY) >= limit)) {
    const message = `memoryLimitMB ${limit} is above the share of a client on every node: pods keep whole GPUs`;
    return [{ reason: 'LimitAboveShare', message }];
  }
  return [];
}

/** The default of the CRD: a policy that has it asks for nothing. */
const DEFAULT_SLICE_MS = 100;

/** CUDA gives each process on a GPU equal turns, of a length that NVIDIA's device plugin does not let us set. */
function notEnforceable({ timeSlicing }: SharingPolicy): Unenforceable[] {
  const found: Unenforceable[] = [];
  if (timeSlicing && timeSlicing.fairnessMode !== 'roundrobin') {
    const acts =
      timeSlicing.fairnessMode === 'priority'
        ? 'pods with a positive priority get the largest slots'
        : 'pods get slots as large as the share that they declare';
    const message = `CUDA gives all processes on a GPU equal turns: fairnessMode ${timeSlicing.fairnessMode} acts on placement only (${acts})`;
    found.push({ reason: 'FairnessNotEnforceable', message });
  }
  if (timeSlicing && timeSlicing.sliceMs !== DEFAULT_SLICE_MS) {
    const message = `NVIDIA's device plugin does not let the length of a turn be set: sliceMs ${timeSlicing.sliceMs} has no effect`;
    found.push({ reason: 'TimeSliceNotEnforceable', message });
  }
  return found;
}
