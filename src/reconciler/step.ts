/** The question for one node, and its answers: data only. */

import type { Partition } from '../core/partitioning/partition.ts';
import type { GpuPod } from '../state/gpu-pods.ts';
import type { ObservedNode } from '../state/observed-node.ts';
import type { NamedConfig } from './named-config.ts';

/** What a GPUNodeConfig wants of the node. */
export interface DesiredState {
  readonly config: string;
  readonly generation: number;
  readonly partition: Partition;
  readonly plugin: NamedConfig;
  readonly mig: NamedConfig;
  readonly whenBusy: 'Wait' | 'Drain';
  /** ms after which a drain is given up. */
  readonly drainMs: number;
}

export interface NodeSituation {
  readonly node: ObservedNode;
  /** Undefined if nothing is wanted of the node, or nothing that it can be. */
  readonly desired: DesiredState | undefined;
  readonly gpuPods: readonly GpuPod[];
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
  /** From the transition annotation until nothing that was under way to the node can arrive any more. */
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
export interface PhaseStatus {
  readonly phase: 'Pending' | 'Configuring' | 'Ready' | 'Failed';
  /** In one word for programs. */
  readonly reason: string;
  readonly message: string;
  /** Whether another client has edited labels of ours. */
  readonly isForeignEdit?: boolean;
}

/** A merge patch; null removes. */
export interface NodePatch {
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly annotations?: Readonly<Record<string, string | null>>;
  readonly unschedulable?: true | null;
}

export type Action = 'begin' | 'retarget' | 'apply' | 'repair' | 'finish' | 'abort' | 'fail' | 'adopt';

/** The step that does this. */
export type StepOf<Do extends Step['do']> = Extract<Step, { readonly do: Do }>;

export type Step = { readonly phaseStatus: PhaseStatus | undefined } & (
  | {
      readonly do: 'nothing';
      readonly wakeMs?: number | undefined;
      /** It could begin, if fewer other nodes were in transition. */
      readonly waitsForTurn?: boolean;
    }
  | { readonly do: 'write-configs'; readonly plugin: NamedConfig; readonly mig: NamedConfig | undefined }
  | { readonly do: 'evict'; readonly pods: readonly GpuPod[]; readonly wakeMs: number }
  | {
      readonly do: 'patch';
      readonly action: Action;
      readonly patch: NodePatch;
      /** The drain was not done within its time. */
      readonly gaveUpDrain?: boolean;
    }
);
