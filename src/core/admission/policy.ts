/** A GPUSharingPolicy, parsed and trusted: which pods it governs, and how they may share. */

import type { LabelSelector, Labels } from '../label-selector.ts';
import type { SharingMode } from '../sharing-mode.ts';

export type PolicyStrategy = SharingMode | 'auto';
export type FairnessMode = 'roundrobin' | 'priority' | 'weighted';

export interface MigConfig {
  /** `1g.5gb`: as NVIDIA names it. */
  readonly profile: string | undefined;
  readonly autoSelectProfile: boolean;
}

export interface MpsConfig {
  /** Clients of one GPU at most. */
  readonly maxClients: number;
  /** Percentage of the GPU's threads; 100 sets no limit of its own. */
  readonly defaultActiveThreads: number;
  /** GPU memory of one client. */
  readonly memoryLimitMiB: number | undefined;
}

export interface TimeSlicingConfig {
  readonly replicasPerGpu: number;
  readonly sliceMs: number;
  readonly fairnessMode: FairnessMode;
}

export interface SharingPolicy {
  readonly name: string;
  readonly strategy: PolicyStrategy;
  /** The highest of those that match a pod governs it. */
  readonly priority: number;
  readonly podSelector: LabelSelector;
  readonly namespaceSelector: LabelSelector;
  /** Nodes whose slots count, and on which its pods are placed; empty for all. */
  readonly nodeSelector: Labels;
  readonly mig: MigConfig | undefined;
  readonly mps: MpsConfig | undefined;
  readonly timeSlicing: TimeSlicingConfig | undefined;
}
