/** What a sharing decision is made from, and what comes out. Pure data; parsed and trusted. */

import type { LabelSelector, Labels } from '../label-selector.ts';
import type { MigProfile } from '../mig/profile.ts';
import type { NamespaceGuards } from '../namespace-guards.ts';
import type { SharedMode, SharingMode } from '../sharing-mode.ts';
import type { MpsLimits } from './mps-limits.ts';
import type { MpsConfig, SharingPolicy, TimeSlicingConfig } from './policy.ts';
import type { SlotOffer } from './slot-offer.ts';
import type { InferredWorkloadType, WorkloadType } from './workload-type.ts';

/**
 * Something of a pod that stands in the way of sharing. It bars `all`: the pod is left as it is; `sharing`: it keeps whole
 * GPUs; `flow`: it shares only if its author or a policy says so; `seesAll`: the same, and its author is warned, since no
 * slot confines it; `mig`: it takes no MIG instance by the flow.
 */
export interface SharingObstacle {
  readonly bars: 'all' | 'sharing' | 'flow' | 'seesAll' | 'mig';
  readonly why: string;
}

export interface PodFacts {
  readonly namespace: string;
  readonly labels: Labels;
  /** GPU resources asked for, by name: the effective request. */
  readonly requested: ReadonlyMap<string, number>;
  readonly schedulerName: string;
  /** It is made for one node (by name, or as a pod of a DaemonSet): what others offer is of no use to it. */
  readonly pinned?: boolean;
  /** `spec.priority`, as its PriorityClass has it. */
  readonly priority: number;
  /** Its label. */
  readonly workloadType: WorkloadType | undefined;
  /** Annotation `optimize`. */
  readonly optimize: boolean;
  /** Annotation `optimized` is present: we have been here before. */
  readonly alreadyDecided: boolean;
  /** Annotation `sharing: disabled`. */
  readonly sharingDisabled: boolean;
  readonly explicitMode: SharingMode | undefined;
  readonly explicitProfile: MigProfile | undefined;
  /** Modes switched off by `mig-enabled`, `mps-enabled`, `time-slicing-enabled: "false"`. */
  readonly disabledModes: ReadonlySet<SharedMode>;
  /** Declared GPU memory. */
  readonly memoryMiB: number | undefined;
  /** Declared share of one GPU. */
  readonly fractionMilli: number | undefined;
  /** Share of a GPU's memory that its server takes, by its own flag, where nothing else says what it is; milli-GPU. */
  readonly memoryShareMilli?: number | undefined;
  readonly obstacles?: readonly SharingObstacle[];
  /** GPU resources of which the queue that counts the pod has any; undefined where no queue does. */
  readonly queueGrants?: ReadonlySet<string> | undefined;
}

/** How a workload used its GPUs before, over all of its pods. */
export interface WorkloadHistory {
  /** Mean utilisation of a GPU, 0 to 1. */
  readonly mean: number;
  /** 95th percentile of the same. */
  readonly p95: number;
  /** The most GPU memory that one of its pods used; undefined where it was not measured. */
  readonly peakMiB: number | undefined;
  /** Whether MPS suits it, by its utilisation, with hysteresis: `suitsMps`. */
  readonly suitsMps: boolean;
}

/** What becomes of a pod that would share while all slots for it are taken: it waits for one, or keeps a whole GPU. */
export const WHEN_FULL = ['wait', 'wholeGpu'] as const;
export type WhenFull = (typeof WHEN_FULL)[number];

/** What of an offer is left for a pod, on the nodes that it may go to. */
export interface SlotRoom {
  /** Slots that are free, or that idle nodes could be configured to offer, and that are promised to no other pod. */
  readonly free: number;
  /**
   * By MPS: whether some node has, or could have, a daemon that serves the pod's user; `contested` where pods of other users
   * were promised slots of all daemons that serve nobody yet.
   */
  readonly servesUser: 'yes' | 'no' | 'contested';
}

export interface AdmissionSettings {
  readonly schedulerName: string;
  readonly whenFull: WhenFull;
  readonly exemptNamespaces: ReadonlySet<string>;
  /** Namespaces whose pods are looked at; empty for all. */
  readonly namespaceSelector: LabelSelector;
  readonly enabledModes: ReadonlySet<SharedMode>;
  /** False: pods keep their request, and the reason says what they would have got. */
  readonly rewriteRequests: boolean;
  /** Whether a pod without a label is judged by what it looks like. */
  readonly autoDetectWorkloadType: boolean;
  /** Taken where a pod does not say how much memory it needs. */
  readonly defaultMigProfile: string | undefined;
  /** Labels that distinguish nodes of one mode from those of another; empty where our scheduler does that. */
  readonly modeSelectors: Readonly<Record<SharedMode, Labels>>;
  readonly mps: MpsConfig;
  readonly timeSlicing: TimeSlicingConfig;
}

export interface AdmissionFacts {
  readonly pod: PodFacts;
  /** Labels of its namespace; undefined if they are not known (yet). */
  readonly namespaceLabels: Labels | undefined;
  readonly guards: NamespaceGuards;
  /** In order of precedence: `byPrecedence`. */
  readonly policies: readonly SharingPolicy[];
  /** What the nodes that the pod may go to, and that have these labels, offer or could offer; smallest first within a mode. */
  readonly offersOn: (nodeSelector: Labels) => readonly SlotOffer[];
  /** The same of all nodes, wherever the pod may go. */
  readonly offersAnywhere?: (nodeSelector: Labels) => readonly SlotOffer[];
  /** What of an offer is left for the pod; undefined where it is not known which pods hold what. */
  readonly roomFor?: (offer: SlotOffer, nodeSelector: Labels) => SlotRoom | undefined;
  /** The DeviceClass by which DRA serves a resource; undefined: none does. */
  readonly deviceClassOf?: (resource: string) => string | undefined;
  readonly history: WorkloadHistory | undefined;
  /** Why there is none, where there should be one. */
  readonly noHistory?: string;
  /** What the pod looks like, where it has no label. */
  readonly inferred: InferredWorkloadType | undefined;
  readonly settings: AdmissionSettings;
}

interface Said {
  /** The trail: what was considered, in order. */
  readonly reasons: readonly string[];
  /** For the pod's author. */
  readonly warnings: readonly string[];
  /** The GPUSharingPolicy that governs the pod. */
  readonly policy?: string;
}

/**
 * How far a pod may count on a whole GPU where `nvidia.com/gpu` can be a slot of one: `promised`, by the word of its author or
 * a policy, so that it waits for one; `preferred`, so that it takes a slot rather than wait; `unavailable`: the nodes that
 * it may go to have such slots alone, so that it stays as it came.
 */
export type WholeGpu = 'promised' | 'preferred' | 'unavailable';

/** A whole GPU: our scheduler places the pod, and the request stays. */
export interface Scheduled {
  readonly action: 'schedule';
  /** False for pods that ask for slots by name: they are placed, but nothing was decided for them. */
  readonly decided: boolean;
  readonly wholeGpu: WholeGpu;
  /** To be added to the pod's own. */
  readonly nodeSelector: Labels;
}

/** A slot: the request is rewritten. */
export interface Shared {
  readonly action: 'share';
  readonly mode: SharedMode;
  readonly resource: string;
  readonly nodeSelector: Labels;
  readonly mpsLimits: MpsLimits;
  /** GPU memory that the decision counted on though the pod does not declare it. */
  readonly assumedMiB: number | undefined;
  /** The same of the share of a GPU, in milli-GPU. */
  readonly assumedMilli?: number | undefined;
}

/** `leave`: not a byte changes. */
export type Decision = Said & ({ readonly action: 'leave' } | Scheduled | Shared);
