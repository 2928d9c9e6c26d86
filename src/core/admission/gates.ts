/** The rules that come first: whom we leave alone, and who keeps whole GPUs whatever there is to share. */

import { type Labels, matches } from '../label-selector.ts';
import { describeGuard, guardAgainst } from '../namespace-guards.ts';
import { SHARED_GPU, WHOLE_GPU } from '../resources.ts';
import {
  type DecisionContext,
  EXCLUSIVE,
  EXCLUSIVE_BY_WORD,
  LEAVE,
  type Rule,
  type Verdict,
} from './decision-context.ts';
import type { AdmissionFacts, AdmissionSettings, PodFacts, SharingObstacle } from './decision-input.ts';

export const GATES: readonly Rule[] = [
  noGpu,
  alreadyDecided,
  exemptNamespace,
  optedOut,
  otherScheduler,
  pinned,
  barredAltogether,
  slotsByName,
  sharingDisabled,
  severalGpus,
  quotaGuard,
  barredFromSharing,
];

function noGpu({ facts: { pod }, reasons }: DecisionContext): Verdict | undefined {
  if (pod.requested.size > 0) return undefined;
  reasons.push('the pod asks for no GPU');
  return LEAVE;
}

function alreadyDecided({ facts: { pod }, reasons }: DecisionContext): Verdict | undefined {
  if (!pod.alreadyDecided) return undefined;
  reasons.push('the pod carries a decision already');
  return LEAVE;
}

/** Why pods of the namespace are left alone; undefined if they are not. */
export function exemption(
  { exemptNamespaces, namespaceSelector }: AdmissionSettings,
  namespace: string,
  labels: Labels | undefined,
): string | undefined {
  if (exemptNamespaces.has(namespace)) return `namespace ${namespace} is exempt`;
  // Whose labels we do not know yet, the API server knows: it would not have asked.
  if (labels === undefined || matches(namespaceSelector, labels)) return undefined;
  return `namespace ${namespace} is not one that the configuration selects`;
}

function exemptNamespace({ facts: { pod, settings, namespaceLabels }, reasons }: DecisionContext): Verdict | undefined {
  const why = exemption(settings, pod.namespace, namespaceLabels);
  if (why === undefined) return undefined;
  reasons.push(why);
  return LEAVE;
}

function optedOut({ facts: { pod }, reasons }: DecisionContext): Verdict | undefined {
  if (pod.optimize) return undefined;
  reasons.push('the pod opted out (optimize: "false")');
  return LEAVE;
}

function otherScheduler({ facts: { pod, settings }, reasons }: DecisionContext): Verdict | undefined {
  if (pod.schedulerName === 'default-scheduler' || pod.schedulerName === settings.schedulerName) return undefined;
  reasons.push(`the pod chose scheduler ${pod.schedulerName}`);
  return LEAVE;
}

function pinned({ facts: { pod }, reasons }: DecisionContext): Verdict | undefined {
  if (!pod.pinned) return undefined;
  reasons.push('the pod is made for one node');
  return LEAVE;
}

function obstacle({ facts: { pod } }: DecisionContext, ...bars: readonly SharingObstacle['bars'][]) {
  return pod.obstacles?.find((each) => bars.includes(each.bars));
}

function barredAltogether(context: DecisionContext): Verdict | undefined {
  const found = obstacle(context, 'all');
  if (!found) return undefined;
  context.reasons.push(found.why);
  return LEAVE;
}

function barredFromSharing(context: DecisionContext): Verdict | undefined {
  const found = obstacle(context, 'sharing');
  if (!found) return undefined;
  const { facts, reasons, warnings } = context;
  const why = `${found.why}: it keeps a whole GPU`;
  reasons.push(why);
  if (asksToShare(facts.pod)) warnings.push(why);
  return EXCLUSIVE;
}

/** Pods that the decision flow does not share: only the word of their author or a policy does. */
export function unsuited(context: DecisionContext): Verdict | undefined {
  const found = obstacle(context, 'flow', 'seesAll');
  if (!found) return undefined;
  const why = `${found.why}: it shares only if its author or a policy says so`;
  context.reasons.push(why);
  if (found.bars === 'seesAll') context.warnings.push(why);
  return EXCLUSIVE;
}

/** Why the flow gives the pod no MIG instance; undefined: it may. */
export function migObstacle({ pod }: AdmissionFacts): string | undefined {
  return pod.obstacles?.find(({ bars }) => bars === 'mig')?.why;
}

function asksToShare({ explicitMode = 'exclusive', explicitProfile }: PodFacts): boolean {
  return explicitProfile !== undefined || explicitMode !== 'exclusive';
}

/** Resources named in a reason: a pod may ask for thousands. */
const NAMED = 5;

function slotsByName({ facts: { pod, guards }, reasons, warnings }: DecisionContext): Verdict | undefined {
  const named = [...pod.requested.keys()].filter((resource) => resource !== WHOLE_GPU);
  if (named.length === 0) return undefined;
  const more = named.length > NAMED ? ` and ${named.length - NAMED} more` : '';
  reasons.push(`the pod asks for ${named.slice(0, NAMED).join(', ')}${more} by name`);
  const slots = pod.requested.get(SHARED_GPU) ?? 0;
  // They give no more of it than one does. Source: k8s-device-plugin, "Shared Access to GPUs".
  if (slots > 1)
    warnings.push(`${slots} slots of ${SHARED_GPU} may be of one GPU, and are then worth no more than one`);
  const guard = guardAgainst(guards, named);
  if (guard) warnings.push(`${describeGuard(guard, named.join(', '))}: it gets none`);
  return { ...EXCLUSIVE, decided: false };
}

function sharingDisabled({ facts: { pod }, reasons }: DecisionContext): Verdict | undefined {
  if (!pod.sharingDisabled) return undefined;
  reasons.push('sharing: disabled');
  return EXCLUSIVE_BY_WORD;
}

function severalGpus({ facts: { pod }, reasons, warnings }: DecisionContext): Verdict | undefined {
  const count = pod.requested.get(WHOLE_GPU) ?? 0;
  if (count === 1) return undefined;
  reasons.push(`the pod asks for ${count} GPUs, and only single-GPU pods share`);
  if (pod.explicitMode === 'exclusive') return EXCLUSIVE_BY_WORD;
  const wish = pod.explicitMode ? 'sharing-mode' : pod.explicitProfile && 'mig-profile';
  if (wish) {
    warnings.push(`${wish} is ignored: the pod asks for ${count} GPUs, and only single-GPU pods share`);
  }
  return EXCLUSIVE;
}

/** Where slots would get around what an administrator has set for whole GPUs, or run into it, there are none. */
function quotaGuard({ facts: { pod, guards }, reasons, warnings }: DecisionContext): Verdict | undefined {
  const { limited, counted } = guards;
  const isLimited = limited.has(WHOLE_GPU);
  const uncounted = counted.has(WHOLE_GPU) && counted.size === 1;
  if (!isLimited && !uncounted) return undefined;
  const why = isLimited
    ? `a LimitRange of the namespace speaks of ${WHOLE_GPU}, and would apply to a slot as well: it keeps a whole GPU`
    : `a ResourceQuota of the namespace counts ${WHOLE_GPU}, and no slots: it keeps a whole GPU`;
  reasons.push(why);
  if (asksToShare(pod)) warnings.push(why);
  return EXCLUSIVE;
}
