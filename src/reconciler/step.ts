/** The question for one node, and its answers: data only. */

import type { Partition } from '../core/partition.ts';
import type { Key } from './keys.ts';
import type { ObservedNode } from './observed.ts';

/** What a GPUNodeConfig wants of the node. */
export interface Target {
  readonly config: string;
  readonly generation: number;
  readonly partition: Partition;
  readonly plugin: Key;
  readonly mig: Key;
  readonly whenBusy: 'Wait' | 'Drain';
  /** ms after which a drain is given up. */
  readonly drainMs: number;
}

/** In place of a resource's name: nobody can tell what the pod holds. */
export const ANYTHING = '*';

/** A pod that holds GPUs of the node. */
export interface Holder {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly resources: Readonly<Record<string, number>>;
  /** Why it must not be evicted; undefined if it may. */
  readonly stays: string | undefined;
  /** It is on its way out. */
  readonly terminating: boolean;
}

export interface Situation {
  readonly node: ObservedNode;
  /** Undefined if nothing is wanted of the node, or nothing that it can be. */
  readonly target: Target | undefined;
  readonly holders: readonly Holder[];
  /** ms for which the node has been in this phase: `phaseOf`. */
  readonly elapsed: number;
  /** ms for which a name has been in the ConfigMap; undefined if it is not there. */
  readonly age: (component: 'plugin' | 'mig', name: string) => number | undefined;
  /** Whether one more node may be in transition. */
  readonly mayBegin: boolean;
  /** A drain of this node was given up not long ago. */
  readonly drainGivenUp: boolean;
  readonly times: Times;
}

/** ms. */
export interface Times {
  /** From the mark until nothing that was under way to the node can arrive any more. */
  readonly settle: number;
  readonly propagation: number;
  readonly pluginDeadline: number;
  readonly migDeadline: number;
  /** After a change was given up. */
  readonly retry: number;
  /** Between two rounds of evictions. */
  readonly evict: number;
}

/** For the object's status. */
export interface Standing {
  readonly phase: 'Pending' | 'Configuring' | 'Ready' | 'Failed';
  /** In one word for programs. */
  readonly reason: string;
  readonly message: string;
}

/** A merge patch; null removes. */
export interface NodePatch {
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly annotations?: Readonly<Record<string, string | null>>;
  readonly unschedulable?: true | null;
}

export type Doing = 'begin' | 'retarget' | 'tell' | 'repair' | 'finish' | 'abort' | 'fail' | 'adopt';

export type Step = { readonly standing: Standing | undefined } & (
  | { readonly do: 'nothing'; readonly wakeMs?: number | undefined }
  | { readonly do: 'write-keys'; readonly plugin: Key; readonly mig: Key | undefined }
  | { readonly do: 'evict'; readonly pods: readonly Holder[]; readonly wakeMs: number }
  | { readonly do: 'patch'; readonly doing: Doing; readonly patch: NodePatch }
);
