/** Facts for decisions: a pod that asks for one GPU, and a cluster that offers every kind of slot; and tables of decisions. */

import tap from 'tap';
import { decide } from '#src/core/admission/decide.ts';
import type {
  AdmissionFacts,
  AdmissionSettings,
  Decision,
  PodFacts,
  WorkloadHistory,
} from '#src/core/admission/decision-input.ts';
import type { SharingPolicy } from '#src/core/admission/policy.ts';
import type { SlotOffer } from '#src/core/admission/slot-offer.ts';
import type { InferredWorkloadType, WorkloadType } from '#src/core/admission/workload-type.ts';
import type { Labels } from '#src/core/label-selector.ts';
import { parseMigProfile } from '#src/core/mig/profile.ts';
import { migResource, SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import type { SharedMode } from '#src/core/sharing-mode.ts';

export function slot(mode: SharedMode, slotMiB: number | undefined, slotMilli: number, nodes = 1): SlotOffer {
  return { mode, resource: SHARED_GPU, profile: undefined, slotMiB, slotMilli, nodes, possible: 0, onOneNode: 1 };
}

export function instance(profile: string, slotMiB: number, slotMilli: number, nodes = 1): SlotOffer {
  const resource = migResource(profile);
  return {
    mode: 'mig',
    resource,
    profile: parseMigProfile(profile),
    slotMiB,
    slotMilli,
    nodes,
    possible: 0,
    onOneNode: 1,
  };
}

/** No node offers it, but some could be configured to. */
export function possible(offer: SlotOffer, nodes = 1): SlotOffer {
  return { ...offer, nodes: 0, possible: nodes };
}

/** Smallest first within a mode, as `countOffers` gives them. */
export const EVERY_KIND: readonly SlotOffer[] = [
  instance('1g.5gb', 4_864, 142),
  instance('3g.20gb', 19_968, 428, 2),
  instance('7g.40gb', 40_192, 1_000),
  slot('mps', 5_120, 125),
  slot('mps', 10_240, 250),
  slot('timeslicing', 10_240, 250, 3),
];

/** Halves to sixteenths of a GPU, both ways; smallest first. */
export const EVERY_PART = {
  offers: (['mps', 'timeslicing'] as const).flatMap((mode) =>
    [16, 8, 4, 2].map((replicas) => slot(mode, 40_960 / replicas, Math.floor(1_000 / replicas))),
  ),
};

export const FINE_AND_COARSE = { offers: [slot('timeslicing', 5_120, 125), slot('timeslicing', 20_480, 500)] };

/** Every kind but this. */
export function without(mode: SharedMode): { readonly offers: readonly SlotOffer[] } {
  return { offers: EVERY_KIND.filter((offer) => offer.mode !== mode) };
}

const SETTINGS: AdmissionSettings = {
  whenFull: 'wait',
  schedulerName: 'gpu-autoscaler-scheduler',
  exemptNamespaces: new Set(['kube-system', 'production']),
  namespaceSelector: [],
  enabledModes: new Set(['mig', 'mps', 'timeslicing']),
  rewriteRequests: true,
  autoDetectWorkloadType: true,
  defaultMigProfile: undefined,
  modeSelectors: { mig: {}, mps: {}, timeslicing: {} },
  mps: { maxClients: 16, defaultActiveThreads: 100, memoryLimitMiB: undefined },
  timeSlicing: { replicasPerGpu: 4, sliceMs: 100, fairnessMode: 'roundrobin' },
};

const POD: PodFacts = {
  namespace: 'team',
  labels: {},
  requested: new Map([[WHOLE_GPU, 1]]),
  schedulerName: 'default-scheduler',
  priority: 0,
  workloadType: undefined,
  optimize: true,
  alreadyDecided: false,
  sharingDisabled: false,
  explicitMode: undefined,
  explicitProfile: undefined,
  disabledModes: new Set(),
  memoryMiB: undefined,
  fractionMilli: undefined,
};

export interface Circumstances extends Partial<Omit<AdmissionFacts, 'pod' | 'settings'>> {
  readonly settings?: Partial<AdmissionSettings>;
}

export function admission(
  pod: Partial<PodFacts>,
  offers: readonly SlotOffer[] = EVERY_KIND,
  { settings, ...facts }: Circumstances = {},
): AdmissionFacts {
  return {
    pod: { ...POD, ...pod },
    namespaceLabels: {},
    guards: { limited: new Set(), counted: new Set() },
    policies: [],
    offersOn: () => offers,
    history: undefined,
    inferred: undefined,
    ...facts,
    settings: { ...SETTINGS, ...settings },
  };
}

export function policy(strategy: SharingPolicy['strategy'], more: Partial<SharingPolicy> = {}): SharingPolicy {
  return {
    name: `by-${strategy}`,
    strategy,
    priority: 0,
    podSelector: [],
    namespaceSelector: [],
    nodeSelector: {},
    mig: undefined,
    mps: undefined,
    timeSlicing: undefined,
    ...more,
  };
}

/** The modes that the configuration allows. */
export function modes(...enabled: SharedMode[]): Pick<Circumstances, 'settings'> {
  return { settings: { enabledModes: new Set(enabled) } };
}

export const INFERENCE: Partial<PodFacts> = { workloadType: 'inference' };
export const DEVELOPMENT: Partial<PodFacts> = { workloadType: 'development' };

/** Whole GPUs, as many. */
export function gpus(count: number): Pick<PodFacts, 'requested'> {
  return { requested: new Map([[WHOLE_GPU, count]]) };
}

/** Its annotation mig-profile. */
export function wishes(profile: string): Pick<PodFacts, 'explicitProfile'> {
  return { explicitProfile: parseMigProfile(profile) };
}

/** What the pod has switched off. */
export function off(...modes: SharedMode[]): Pick<PodFacts, 'disabledModes'> {
  return { disabledModes: new Set(modes) };
}

export function used(mean: number, more: Partial<WorkloadHistory> = {}): Pick<AdmissionFacts, 'history'> {
  return { history: { mean, p95: mean, peakMiB: undefined, suitsMps: mean <= 0.5, ...more } };
}

export function inferredAs(type: WorkloadType): { readonly inferred: InferredWorkloadType } {
  return { inferred: { type, confidence: 0.9, evidence: ['image something'] } };
}

export const pool = (name: string): Labels => ({ pool: name });

/** What each pool of nodes offers; all of them together where nobody selects, nothing elsewhere. */
export function inPools(pools: Readonly<Record<string, readonly SlotOffer[]>>): Pick<AdmissionFacts, 'offersOn'> {
  return {
    offersOn: (selector) => {
      const { pool: name, ...others } = selector;
      if (Object.keys(others).length > 0) return [];
      return name === undefined ? Object.values(pools).flat() : (pools[name] ?? []);
    },
  };
}

export const WHOLE: SlotOffer = {
  mode: 'exclusive',
  resource: WHOLE_GPU,
  profile: undefined,
  slotMiB: 40_960,
  slotMilli: 1_000,
  nodes: 1,
  possible: 0,
  onOneNode: 1,
};

/** A decision in short: `leave`, `schedule`, `exclusive`, or the mode and its resource; `by` its policy, `on` its nodes. */
export function short(decision: Decision): string {
  const { action, policy } = decision;
  const words: string[] = [action];
  if (decision.action === 'share') words.splice(0, 1, decision.mode, decision.resource.replace('nvidia.com/', ''));
  if (decision.action === 'schedule' && decision.decided) words.splice(0, 1, 'exclusive');
  if (policy !== undefined) words.push('by', policy);
  const nodes = decision.action === 'leave' ? [] : Object.entries(decision.nodeSelector);
  if (nodes.length > 0) words.push('on', nodes.map((label) => label.join('=')).join());
  return words.join(' ');
}

export const GIB = 1_024;

/** The end of a row: what the pod becomes, as `short` has it; the last word of the trail; what its author is told. */
export type End = readonly [becomes: string, because: string, ...warnings: string[]];
export type Row = readonly [
  says: string,
  pod: Partial<PodFacts>,
  /** `offers`: everywhere; default: every kind. */
  setting: Circumstances & { readonly offers?: readonly SlotOffer[] },
  ...end: End,
];

/** A table of decisions: each row a test of its own. */
export function decides(rows: readonly Row[]): void {
  for (const [says, pod, { offers = EVERY_KIND, ...circumstances }, becomes, because, ...warnings] of rows) {
    tap.test(says, async (t) => {
      const decision = decide(admission(pod, offers, circumstances));
      t.equal(short(decision), becomes);
      t.equal(decision.reasons.at(-1), because, decision.reasons.join('; '));
      t.strictSame(decision.warnings, warnings);
    });
  }
}

export const NOTHING: End = ['exclusive', 'no rule shares this pod: it keeps a whole GPU'];

/** `1g.5gb, offered by 1 node` */
export function offered(slot: string, nodes = 1): string {
  return `${slot}, offered by ${nodes} ${nodes === 1 ? 'node' : 'nodes'}`;
}

/** `a slot of 1/8 GPU (5Gi), offered by 1 node` */
export function part(replicas: number, memory: string, nodes?: number): string {
  return offered(`a slot of 1/${replicas} GPU (${memory})`, nodes);
}

const TITLES = { mig: 'MIG', mps: 'MPS', timeslicing: 'time-slicing' };

/** The end of a row whose pod shares: the slot that it takes, and `of` which pod that is said. */
export function shares(mode: SharedMode, slot: string, of: string, by = ''): End {
  const resource = mode === 'mig' ? `mig-${slot.split(',', 1)}` : 'gpu.shared';
  const verb = mode === 'mig' && /declared|measured/.test(of) ? 'needs' : 'takes';
  return [`${mode} ${resource}${by}`, `considered ${TITLES[mode]}: ${of} ${verb} ${slot}`];
}
