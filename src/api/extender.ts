/**
 * The wire format between kube-scheduler and its extenders (`k8s.io/kube-scheduler/extender/v1`).
 * The envelope's keys are Go field names; the objects inside are ordinary Kubernetes JSON.
 */

import { z } from 'zod';

/** Body of filter and prioritize. Only names travel: the configuration sets `nodeCacheCapable: true`. */
export const extenderArgsSchema = z.object({
  Pod: z.unknown().refine((pod) => pod !== undefined && pod !== null, 'a Pod is required'),
  Nodes: z.unknown().optional(),
  NodeNames: z.array(z.string()).nullish(),
});

export type ExtenderArgs = z.infer<typeof extenderArgsSchema>;

export const bindingArgsSchema = z.object({
  PodName: z.string().min(1),
  PodNamespace: z.string().min(1),
  PodUID: z.string().min(1),
  Node: z.string().min(1),
});
export type BindingArgs = z.infer<typeof bindingArgsSchema>;

const metaVictimsSchema = z.object({
  Pods: z.array(z.object({ UID: z.string() })),
  NumPDBViolations: z.int(),
});
/** Pods that would have to go from a node. */
export type MetaVictims = z.infer<typeof metaVictimsSchema>;

/** Body of preempt. Full pods come instead of their uids where the configuration lacks `nodeCacheCapable: true`. */
export const preemptionArgsSchema = extenderArgsSchema.pick({ Pod: true }).extend({
  NodeNameToVictims: z.unknown().optional(),
  NodeNameToMetaVictims: z.record(z.string(), metaVictimsSchema).nullish(),
});

/** Reply of preempt: the nodes where it may go on. */
export interface PreemptionResult {
  readonly NodeNameToMetaVictims: Readonly<Record<string, MetaVictims>>;
}

/** Reply of filter; nodes that are named nowhere are neither taken nor refused. */
export interface FilterResult {
  readonly passed: readonly string[];
  /** Nodes with the reason why they will not do. */
  readonly refused: readonly (readonly [name: string, refusal: RefusalReason])[];
  /** Why nothing can be said now; kube-scheduler tries again after a moment. */
  readonly error?: string;
}

interface RefusalReason {
  readonly text: string;
  /** True if evicting pods from the node could make room. */
  readonly resolvable: boolean;
}

/**
 * The reply's JSON. `NodeNames` is an array even if empty: null would stand for "no node passes" by
 * accident. Written piece by piece, since objects of thousands of keys are slow to build; no name can
 * hit a prototype either.
 */
export function filterReply({ passed, refused, error = '' }: FilterResult): string {
  let failed = '';
  let unresolvable = '';
  for (const [name, { text, resolvable }] of refused) {
    const entry = `,${JSON.stringify(name)}:${JSON.stringify(text)}`;
    if (resolvable) failed += entry;
    else unresolvable += entry;
  }
  return (
    `{"NodeNames":${JSON.stringify(passed)},"FailedNodes":{${failed.slice(1)}},` +
    `"FailedAndUnresolvableNodes":{${unresolvable.slice(1)}},"Error":${JSON.stringify(error)}}`
  );
}

/** One entry of prioritize's reply. kube-scheduler drops a score that is not an integer from 0 to 10; who is not named has 0. */
export interface HostPriority {
  readonly Host: string;
  readonly Score: number;
}

/** Reply of bind; an empty `Error` is success. */
export interface BindingResult {
  readonly Error: string;
}
