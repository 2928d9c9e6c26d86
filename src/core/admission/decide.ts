/**
 * The sharing decision: facts in, decision with its reasons out.
 *
 * A list of rules in order of precedence (docs/reference/admission.md). A rule either settles the
 * matter, or adds a reason to the trail and lets the next one speak.
 */

import { WHOLE_GPU } from '../resources.ts';
import type { AdmissionFacts, Decision, Offer, SharedMode } from './facts.ts';

/** "Small" for the MIG rule: the specification's 20 GB, read as GiB. */
const SMALL_MIB = 20 * 1024;

interface Trail {
  readonly reasons: string[];
  readonly warnings: string[];
}
type Verdict =
  | { readonly action: 'leave' }
  | { readonly action: 'schedule'; readonly decided: boolean }
  | { readonly action: 'share'; readonly offer: Offer };
type Rule = (facts: AdmissionFacts, trail: Trail) => Verdict | undefined;

const LEAVE: Verdict = { action: 'leave' };
const EXCLUSIVE: Verdict = { action: 'schedule', decided: true };

const RULES: readonly Rule[] = [
  noGpu,
  alreadyDecided,
  exemptNamespace,
  optedOut,
  otherScheduler,
  pinned,
  slotsByName,
  sharingDisabled,
  severalGpus,
  explicitChoice,
  training,
  // GPUSharingPolicy objects speak here, between the training rule and the flow.
  smallMemory,
  inference,
  batch,
  development,
];

export function decide(facts: AdmissionFacts): Decision {
  const trail: Trail = { reasons: [], warnings: [] };
  for (const rule of RULES) {
    const verdict = rule(facts, trail);
    if (verdict) return conclude(verdict, trail);
  }
  trail.reasons.push('no rule shares this pod: it keeps a whole GPU');
  return conclude(EXCLUSIVE, trail);
}

function conclude(verdict: Verdict, { reasons, warnings }: Trail): Decision {
  if (verdict.action !== 'share') return { ...verdict, reasons, warnings };
  const { mode, resource } = verdict.offer;
  return { action: 'share', mode, resource, reasons, warnings };
}

function noGpu({ pod }: AdmissionFacts, { reasons }: Trail): Verdict | undefined {
  if (pod.requested.size > 0) return undefined;
  reasons.push('the pod asks for no GPU');
  return LEAVE;
}

function alreadyDecided({ pod }: AdmissionFacts, { reasons }: Trail): Verdict | undefined {
  if (!pod.alreadyDecided) return undefined;
  reasons.push('the pod carries a decision already');
  return LEAVE;
}

function exemptNamespace({ pod, settings }: AdmissionFacts, { reasons }: Trail): Verdict | undefined {
  if (!settings.exemptNamespaces.has(pod.namespace)) return undefined;
  reasons.push(`namespace ${pod.namespace} is exempt`);
  return LEAVE;
}

function optedOut({ pod }: AdmissionFacts, { reasons }: Trail): Verdict | undefined {
  if (pod.optimize) return undefined;
  reasons.push('the pod opted out (optimize: "false")');
  return LEAVE;
}

function otherScheduler({ pod, settings }: AdmissionFacts, { reasons }: Trail): Verdict | undefined {
  if (pod.schedulerName === 'default-scheduler' || pod.schedulerName === settings.schedulerName) return undefined;
  reasons.push(`the pod chose scheduler ${pod.schedulerName}`);
  return LEAVE;
}

function pinned({ pod }: AdmissionFacts, { reasons }: Trail): Verdict | undefined {
  if (!pod.pinned) return undefined;
  reasons.push('the pod is made for one node');
  return LEAVE;
}

function slotsByName({ pod }: AdmissionFacts, { reasons }: Trail): Verdict | undefined {
  const named = [...pod.requested.keys()].filter((resource) => resource !== WHOLE_GPU);
  if (named.length === 0) return undefined;
  reasons.push(`the pod asks for ${named.join(', ')} by name`);
  return { action: 'schedule', decided: false };
}

function sharingDisabled({ pod }: AdmissionFacts, { reasons }: Trail): Verdict | undefined {
  if (!pod.sharingDisabled) return undefined;
  reasons.push('sharing: disabled');
  return EXCLUSIVE;
}

function severalGpus({ pod }: AdmissionFacts, { reasons, warnings }: Trail): Verdict | undefined {
  const count = pod.requested.get(WHOLE_GPU) ?? 0;
  if (count === 1) return undefined;
  reasons.push(`the pod asks for ${count} GPUs, and only single-GPU pods share`);
  const wish = pod.explicitMode ? 'sharing-mode' : pod.explicitProfile && 'mig-profile';
  if (wish && pod.explicitMode !== 'exclusive') {
    warnings.push(`${wish} is ignored: the pod asks for ${count} GPUs, and only single-GPU pods share`);
  }
  return EXCLUSIVE;
}

/** Whoever names a mode gets that mode or a whole GPU, never another way of sharing. */
function explicitChoice(facts: AdmissionFacts, { reasons, warnings }: Trail): Verdict | undefined {
  const { explicitMode, explicitProfile } = facts.pod;
  const mode = explicitMode ?? (explicitProfile ? 'mig' : undefined);
  if (!mode) return undefined;
  const profile = mode === 'mig' ? explicitProfile : undefined;
  if (explicitProfile && !profile) warnings.push(`mig-profile is ignored: sharing-mode is ${mode}`);
  if (mode === 'exclusive') {
    reasons.push('sharing-mode: exclusive');
    return EXCLUSIVE;
  }
  const wish = profile ? `MIG profile ${profile.name}` : `sharing-mode: ${mode}`;
  const refused = refusal(facts, mode);
  const offer = refused ? undefined : smallestOffer(facts, mode, profile?.name);
  if (offer) {
    reasons.push(`${wish} was asked for: ${describe(offer)}`);
    return { action: 'share', offer };
  }
  const why = `${wish} was asked for, but ${refused ?? 'no node offers a slot that holds the pod'}: it keeps a whole GPU`;
  reasons.push(why);
  warnings.push(why);
  return EXCLUSIVE;
}

function training({ pod }: AdmissionFacts, { reasons }: Trail): Verdict | undefined {
  if (pod.workloadType !== 'training') return undefined;
  reasons.push('training keeps a whole GPU');
  return EXCLUSIVE;
}

function smallMemory(facts: AdmissionFacts, { reasons }: Trail): Verdict | undefined {
  const { memoryMiB } = facts.pod;
  if (memoryMiB === undefined) {
    reasons.push('skipped MIG: no GPU memory is declared');
    return undefined;
  }
  if (memoryMiB >= SMALL_MIB) {
    reasons.push(`skipped MIG: declared ${memoryMiB} MiB is not under ${SMALL_MIB} MiB`);
    return undefined;
  }
  return tryMode(facts, 'mig', `declared ${memoryMiB} MiB is small`, reasons);
}

function inference(facts: AdmissionFacts, { reasons }: Trail): Verdict | undefined {
  if (facts.pod.workloadType !== 'inference') return undefined;
  return tryMode(facts, 'mps', 'inference', reasons);
}

/** A batch pod takes MIG at any declared size that a profile holds; the small ones were served above. */
function batch(facts: AdmissionFacts, { reasons }: Trail): Verdict | undefined {
  const { workloadType, memoryMiB } = facts.pod;
  if (workloadType !== 'batch') return undefined;
  const mig = memoryMiB !== undefined && memoryMiB >= SMALL_MIB && tryMode(facts, 'mig', 'batch', reasons);
  return mig || tryMode(facts, 'timeslicing', 'batch', reasons);
}

function development(facts: AdmissionFacts, { reasons }: Trail): Verdict | undefined {
  if (facts.pod.workloadType !== 'development') return undefined;
  return tryMode(facts, 'timeslicing', 'development', reasons);
}

function tryMode(facts: AdmissionFacts, mode: SharedMode, why: string, reasons: string[]): Verdict | undefined {
  const refused = refusal(facts, mode);
  const offer = refused ? undefined : smallestOffer(facts, mode, undefined);
  if (!offer) {
    reasons.push(`${why}, but not by ${mode}: ${refused ?? 'no node offers a slot that holds the pod'}`);
    return undefined;
  }
  reasons.push(`${why}: ${describe(offer)}`);
  return { action: 'share', offer };
}

function refusal({ pod, settings }: AdmissionFacts, mode: SharedMode): string | undefined {
  if (!settings.enabledModes.has(mode)) return `${mode} is switched off`;
  if (pod.disabledModes.has(mode)) return `the pod switched ${mode} off`;
  return undefined;
}

function smallestOffer(
  { pod, offers }: AdmissionFacts,
  mode: SharedMode,
  profile: string | undefined,
): Offer | undefined {
  return offers.find(
    (offer) =>
      offer.mode === mode &&
      (profile === undefined || offer.profile?.name === profile) &&
      // A node that does not tell its memory is given the benefit of the doubt by `fit` as well.
      (offer.slotMiB ?? Number.POSITIVE_INFINITY) >= (pod.memoryMiB ?? 0) &&
      offer.slotMilli >= (pod.fractionMilli ?? 0),
  );
}

function describe({ mode, profile, resource, nodes }: Offer): string {
  const what = profile ? `MIG ${profile.name}` : mode === 'mps' ? 'MPS' : 'time-slicing';
  return `${what} (${resource}), offered by ${nodes} ${nodes === 1 ? 'node' : 'nodes'}`;
}
