/**
 * The sharing decision: facts in, decision with its reasons out.
 *
 * A list of rules in order of precedence (docs/reference/admission.md). A rule either settles the
 * matter, or adds a reason to the trail and lets the next one speak.
 */

import { WHOLE_GPU } from '../resources.ts';
import type { SharedMode } from '../sharing-mode.ts';
import { SHARING_MODES } from '../sharing-mode.ts';
import { formatMiB } from '../units.ts';
import { type DecisionContext, EXCLUSIVE, EXCLUSIVE_BY_WORD, type Rule, type Verdict } from './decision-context.ts';
import type { AdmissionFacts, Decision, Scheduled, Shared } from './decision-input.ts';
import { constraintsOf, describeSlot, findSlot, isWholeFor, memoryOf, selectorOf } from './find-slot.ts';
import { GATES, migObstacle, unsuited } from './gates.ts';
import { mpsLimits } from './mps-limits.ts';
import { effectivePolicy } from './policies.ts';
import type { SharingPolicy } from './policy.ts';
import { burstiness, optimalReplicas } from './replicas.ts';
import type { SlotOffer } from './slot-offer.ts';
import type { WorkloadType } from './workload-type.ts';

/** "Small" for the MIG rule: the specification's 20 GB, read as GiB. */
const SMALL_MIB = 20 * 1024;

const BEFORE_POLICIES: readonly Rule[] = [...GATES, explicitChoice, training];
/** The specification's decision flow. */
const FLOW: readonly Rule[] = [unsuited, inferredType, busy, smallMemory, inference, batch, development];

export function decide(facts: AdmissionFacts): Decision {
  const reasons: string[] = [];
  const warnings: string[] = [];
  const usual: DecisionContext = { facts, constraints: constraintsOf(facts), reasons, warnings };
  const settled = firstVerdict(BEFORE_POLICIES, usual);
  if (settled) return conclude(settled, usual);

  const policy = effectivePolicy(facts.policies, facts.pod.labels, facts.namespaceLabels);
  if (facts.namespaceLabels === undefined && facts.policies.some((each) => each.namespaceSelector.length > 0)) {
    reasons.push('the labels of the namespace are not known: policies that ask for them are left out');
  }
  if (!policy) return flow(usual);
  const governed: DecisionContext = { ...usual, constraints: constraintsOf(facts, policy) };
  const verdict = byPolicy(policy, governed);
  if (verdict === 'flow') return flow(policy.strategy === 'auto' ? governed : usual);
  return { ...conclude(verdict, governed), policy: policy.name };
}

function flow(context: DecisionContext): Decision {
  const verdict = firstVerdict(FLOW, context) ?? none(context);
  const decision = conclude(verdict.action === 'schedule' ? wholeGpuOn(context) : verdict, context);
  return context.constraints.policy === undefined ? decision : { ...decision, policy: context.constraints.policy };
}

function firstVerdict(rules: readonly Rule[], context: DecisionContext): Verdict | undefined {
  for (const rule of rules) {
    const verdict = rule(context);
    if (verdict) return verdict;
  }
  return undefined;
}

function none({ facts, reasons }: DecisionContext): Verdict {
  if (typeOf(facts) === undefined) reasons.push('its workload type is not known (label workload-type)');
  reasons.push('no rule shares this pod: it keeps a whole GPU');
  return EXCLUSIVE;
}

function conclude(verdict: Verdict, context: DecisionContext): Decision {
  const { facts, reasons, warnings } = context;
  if (verdict.action === 'share' && !facts.settings.rewriteRequests) {
    reasons.push('rewriteRequests is off: it keeps a whole GPU');
    return { ...asItCame(EXCLUSIVE, context), reasons, warnings };
  }
  if (verdict.action === 'schedule' && verdict.decided) return { ...asItCame(verdict, context), reasons, warnings };
  return { ...verdict, reasons, warnings };
}

/** Where the name of a GPU stands for slots, a pod that keeps it must not wait for more than it would have got without us. */
function asItCame(verdict: Scheduled, { facts, reasons, warnings }: DecisionContext): Scheduled {
  const deviceClass = facts.deviceClassOf?.(WHOLE_GPU);
  if (deviceClass !== undefined) {
    reasons.push(`DRA may serve ${WHOLE_GPU} (DeviceClass ${deviceClass}): such nodes kube-scheduler judges alone`);
  }
  const plain = facts
    .offersOn(verdict.nodeSelector)
    .filter(({ resource, nodes }) => resource === WHOLE_GPU && nodes > 0);
  const slots = plain.filter(({ mode, slotMilli }) => mode !== 'exclusive' || slotMilli === 0);
  if (slots.length === 0) return verdict;
  const hasWhole = plain.some((offer) => isWholeFor(facts, offer));
  if (verdict.wholeGpu === 'preferred') {
    const nodes = slots.reduce((sum, offer) => sum + offer.nodes, 0);
    const where = hasWhole ? 'goes there only where no whole GPU is free' : 'stays as it came';
    const size = slots.some(({ slotMilli }) => slotMilli === 0) ? ', or of unknown size,' : '';
    reasons.push(`${WHOLE_GPU} is a slot of a GPU${size} on ${nodes} ${nodes === 1 ? 'node' : 'nodes'}: it ${where}`);
    return hasWhole ? verdict : { ...verdict, wholeGpu: 'unavailable' };
  }
  if (hasWhole) return verdict;
  const why = `no node that it may go to is known to offer a whole GPU, ${WHOLE_GPU} is a slot there: it stays as it came`;
  reasons.push(why);
  warnings.push(why);
  return { ...verdict, wholeGpu: 'unavailable' };
}

/**
 * A pod that names a mode gets that mode or a whole GPU, never another way of sharing. What its workload has used so
 * far is no reason against it.
 */
function explicitChoice(context: DecisionContext): Verdict | undefined {
  const { facts, reasons, warnings } = context;
  const constraints = { ...context.constraints, usedMilli: 0 };
  const { explicitMode, explicitProfile } = facts.pod;
  const mode = explicitMode ?? (explicitProfile ? 'mig' : undefined);
  if (!mode) return undefined;
  const profile = mode === 'mig' ? explicitProfile : undefined;
  if (explicitProfile && !profile) warnings.push(`mig-profile is ignored: sharing-mode is ${mode}`);
  if (mode === 'exclusive') {
    reasons.push('sharing-mode: exclusive');
    return EXCLUSIVE_BY_WORD;
  }
  const wish = profile ? `MIG profile ${profile.name}` : `sharing-mode: ${mode}`;
  const refused = refusal(facts, mode);
  const offer = refused ? undefined : findSlot(facts, constraints, mode, profile?.name);
  if (offer) {
    reasons.push(`${wish} was asked for: ${describeSlot(offer)}`);
    return share(context, mode, offer);
  }
  const why = `${wish} was asked for, but ${refused ?? noSlot({ ...context, constraints }, mode, profile?.name)}: it keeps a whole GPU`;
  reasons.push(why);
  warnings.push(why);
  return EXCLUSIVE;
}

function training({ facts: { pod }, reasons }: DecisionContext): Verdict | undefined {
  if (pod.workloadType !== 'training') return undefined;
  reasons.push('training keeps a whole GPU');
  return EXCLUSIVE;
}

/**
 * What the policy says, on its terms. It governs: where it cannot be carried out the pod keeps a whole GPU, rather
 * than sharing in a way that was not chosen for it. Only the pod's own switch gives the word back to the flow.
 */
function byPolicy(policy: SharingPolicy, context: DecisionContext): Verdict | 'flow' {
  const { facts, constraints, reasons } = context;
  const { name, strategy, priority } = policy;
  if (strategy !== 'auto' && strategy !== 'exclusive' && facts.pod.disabledModes.has(strategy)) {
    reasons.push(`policy ${name} (priority ${priority}) passed over: ${refusal(facts, strategy)}`);
    return 'flow';
  }
  reasons.push(`policy ${name} (priority ${priority}) applied`);
  if (strategy === 'auto') return 'flow';
  if (strategy === 'exclusive') return { ...wholeGpuOn(context), wholeGpu: 'promised' };
  // Where the policy does not say how many may share, the past does.
  if (strategy !== 'mig' && constraints.usedMilli > 0 && busy(context)) return wholeGpuOn(context);
  const why = memoryOf(facts, constraints, strategy)?.words ?? 'a pod of unknown GPU memory';
  const verdict = tryMode(context, strategy, why);
  if (verdict) return verdict;
  reasons.push(`policy ${name} cannot be carried out: it keeps a whole GPU`);
  return wholeGpuOn(context);
}

/** On the policy's nodes, if there are any with whole GPUs: else the pod would wait for nothing. */
function wholeGpuOn({ facts, constraints, reasons }: DecisionContext): Scheduled {
  const { nodeSelector } = constraints;
  const selects = Object.keys(nodeSelector).length > 0;
  if (selects && !facts.offersOn(nodeSelector).some((offer) => isWholeFor(facts, offer))) {
    reasons.push('no node that its nodeSelector selects offers whole GPUs: any node will do');
    return EXCLUSIVE;
  }
  return { ...EXCLUSIVE, nodeSelector };
}

/** A label outweighs what the pod looks like. */
function typeOf({ pod, inferred, settings }: AdmissionFacts): WorkloadType | undefined {
  return pod.workloadType ?? (settings.autoDetectWorkloadType ? inferred?.type : undefined);
}

function inferredType({ facts, reasons }: DecisionContext): Verdict | undefined {
  const { pod, inferred, settings } = facts;
  if (pod.workloadType !== undefined || !inferred || !settings.autoDetectWorkloadType) return undefined;
  const { type, confidence, evidence } = inferred;
  reasons.push(`looks like ${type} (${Math.round(confidence * 100)}%: ${evidence.join(', ')})`);
  if (type !== 'training') return undefined;
  reasons.push('training keeps a whole GPU');
  return EXCLUSIVE;
}

/** Who has kept a GPU busy so far would only slow others down. */
function busy({ facts: { history, noHistory }, reasons }: DecisionContext): Verdict | undefined {
  if (!history) {
    if (noHistory !== undefined) reasons.push(`no history: ${noHistory}`);
    return undefined;
  }
  const replicas = optimalReplicas(history);
  const percent = (share: number) => `${Math.round(share * 100)}%`;
  const used = `history: ${percent(history.mean)} of a GPU on average, burstiness ${percent(burstiness(history))}`;
  if (replicas > 1) {
    reasons.push(`${used}: up to ${replicas} may share one`);
    return undefined;
  }
  reasons.push(`${used}: too much to share`);
  return EXCLUSIVE;
}

function smallMemory(context: DecisionContext): Verdict | undefined {
  const { facts, constraints, reasons } = context;
  const memory = memoryOf(facts, constraints, 'mig');
  if (memory === undefined) {
    reasons.push('skipped MIG: no GPU memory is declared');
    return undefined;
  }
  const barred = migObstacle(facts);
  if (barred !== undefined) {
    reasons.push(`skipped MIG: ${barred}`);
    return undefined;
  }
  if (memory.mib >= SMALL_MIB) {
    reasons.push(`skipped MIG: ${memory.words} is not under ${formatMiB(SMALL_MIB)}`);
    return undefined;
  }
  return tryMode(context, 'mig', memory.words);
}

function inference(context: DecisionContext): Verdict | undefined {
  const { facts, reasons } = context;
  if (typeOf(facts) !== 'inference') return undefined;
  // A server without a declared size takes all the memory that it sees: a guess is not a wish.
  const { workloadType, memoryShareMilli } = facts.pod;
  const isKnown = memoryShareMilli !== undefined || memoryOf(facts, context.constraints, 'mps') !== undefined;
  if (workloadType === undefined && !isKnown) {
    reasons.push('skipped MPS: it only looks like inference, and its GPU memory is not known');
    return undefined;
  }
  if (facts.history?.suitsMps === false) {
    reasons.push('skipped MPS: history says that it keeps a GPU too busy for that');
    return undefined;
  }
  const share = memoryShareMilli === undefined ? '' : ` with ${memoryShareMilli / 10}% of a GPU's memory by its flag`;
  return tryMode(context, 'mps', `inference${share}`);
}

/** A batch pod takes MIG at any size that a profile holds; the small ones were served above. */
function batch(context: DecisionContext): Verdict | undefined {
  const { facts, constraints } = context;
  if (typeOf(facts) !== 'batch') return undefined;
  const memory = memoryOf(facts, constraints, 'mig');
  const isLarge = memory !== undefined && memory.mib >= SMALL_MIB && migObstacle(facts) === undefined;
  const mig = isLarge && tryMode(context, 'mig', `batch, ${memory.words}`);
  return mig || tryMode(context, 'timeslicing', 'batch');
}

function development(context: DecisionContext): Verdict | undefined {
  if (typeOf(context.facts) !== 'development') return undefined;
  return tryMode(context, 'timeslicing', 'development');
}

function tryMode(context: DecisionContext, mode: SharedMode, why: string): Verdict | undefined {
  const { facts, constraints, reasons } = context;
  const refused = refusal(facts, mode);
  if (refused) {
    reasons.push(`considered ${SHARING_MODES[mode].title}: ${refused}`);
    return undefined;
  }
  const offer = findSlot(facts, constraints, mode);
  if (!offer) {
    reasons.push(`considered ${SHARING_MODES[mode].title}: ${why}, but ${noSlot(context, mode)}`);
    return undefined;
  }
  // A profile follows from the memory, where that is known.
  const verb = mode === 'mig' && memoryOf(facts, constraints, mode) ? 'needs' : 'takes';
  reasons.push(`considered ${SHARING_MODES[mode].title}: ${why} ${verb} ${describeSlot(offer)}`);
  return share(context, mode, offer);
}

/** Why there is no slot for the pod: none is left, there is none, or none where it may go. */
function noSlot({ facts, constraints }: DecisionContext, mode: SharedMode, profile?: string): string {
  const { roomFor, ...unlimited } = facts;
  if (roomFor && findSlot(unlimited, constraints, mode, profile)) {
    const patient = { ...facts, settings: { ...facts.settings, whenFull: 'wait' as const } };
    return findSlot(patient, constraints, mode, profile)
      ? 'every slot for it is taken (whenFull: wholeGpu)'
      : 'the MPS daemons of the nodes that offer a slot for it serve other users';
  }
  const { queueGrants, ...unqueued } = facts.pod;
  if (queueGrants && findSlot({ ...unlimited, pod: unqueued }, constraints, mode, profile))
    return 'its ClusterQueue has no quota for such slots';
  const { offersAnywhere } = facts;
  const elsewhere = offersAnywhere && findSlot({ ...unlimited, offersOn: offersAnywhere }, constraints, mode, profile);
  return elsewhere
    ? 'the nodes that offer a slot for it are ruled out by its nodeSelector, affinity or tolerations'
    : 'no node offers a slot that holds the pod';
}

function share({ facts, constraints, reasons }: DecisionContext, mode: SharedMode, offer: SlotOffer): Shared {
  const memory = memoryOf(facts, constraints, mode);
  const limit = mode === 'mps' ? constraints.mps.memoryLimitMiB : undefined;
  if (limit !== undefined && memory !== undefined && limit < memory.mib) {
    reasons.push(`no memory limit is set: ${formatMiB(limit)} would be less than it needs`);
  }
  return {
    action: 'share',
    mode,
    resource: offer.resource,
    nodeSelector: selectorOf(facts, constraints, mode),
    mpsLimits: mode === 'mps' ? mpsLimits(constraints.mps, offer, memory?.mib) : {},
    assumedMiB: memory && !memory.declared ? memory.mib : undefined,
    ...(mode !== 'mig' && facts.pod.fractionMilli === undefined && { assumedMilli: facts.pod.memoryShareMilli }),
  };
}

function refusal({ pod, settings }: AdmissionFacts, mode: SharedMode): string | undefined {
  if (!settings.enabledModes.has(mode)) return `${SHARING_MODES[mode].title} is switched off by the configuration`;
  if (pod.disabledModes.has(mode)) return `the pod switched it off (${SHARING_MODES[mode].switch}: "false")`;
  return undefined;
}
