/** What a sharing decision is made from, and what comes out. Pure data; parsed and trusted. */

import type { NodeInventory, SharingMode } from '../inventory.ts';
import { compareMigProfiles, type MigProfile } from '../mig/profile.ts';
import { migProfileOf } from '../resources.ts';

export type WorkloadType = 'training' | 'inference' | 'development' | 'batch';

/** A shared mode: something the flow can choose besides a whole GPU. */
export type SharedMode = Exclude<SharingMode, 'exclusive'>;

export interface PodFacts {
  readonly namespace: string;
  /** GPU resources asked for, by name: the effective request. */
  readonly requested: ReadonlyMap<string, number>;
  readonly schedulerName: string;
  /** It is made for one node (by name, or as a pod of a DaemonSet): what others offer is of no use to it. */
  readonly pinned?: boolean;
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
  readonly memoryMiB: number | undefined;
  readonly fractionMilli: number | undefined;
}

/** A kind of slot that some node offers now. */
export interface Offer {
  readonly mode: SharedMode;
  readonly resource: string;
  readonly profile: MigProfile | undefined;
  readonly slotMiB: number | undefined;
  readonly slotMilli: number;
  /** Number of nodes that offer it. */
  readonly nodes: number;
}

export interface AdmissionSettings {
  readonly schedulerName: string;
  readonly exemptNamespaces: ReadonlySet<string>;
  readonly enabledModes: ReadonlySet<SharedMode>;
}

export interface AdmissionFacts {
  readonly pod: PodFacts;
  readonly offers: readonly Offer[];
  readonly settings: AdmissionSettings;
}

/** `leave`: not a byte changes. `schedule`: our scheduler places it, the request stays. `share`: the request is rewritten. */
export type Decision =
  | { readonly action: 'leave'; readonly reasons: readonly string[]; readonly warnings: readonly string[] }
  | {
      readonly action: 'schedule';
      /** False for pods that ask for slots by name: they are placed, but nothing was decided for them. */
      readonly decided: boolean;
      readonly reasons: readonly string[];
      readonly warnings: readonly string[];
    }
  | {
      readonly action: 'share';
      readonly mode: SharedMode;
      readonly resource: string;
      readonly reasons: readonly string[];
      readonly warnings: readonly string[];
    };

/** The kinds of slots on offer, smallest first within a mode. */
export function offersOf(nodes: Iterable<NodeInventory>): Offer[] {
  const offers = new Map<string, Offer>();
  for (const node of nodes) {
    for (const { resource, mode, slotMiB, slotMilli } of node.pools) {
      if (mode === 'exclusive') continue;
      const key = `${mode} ${resource} ${slotMiB} ${slotMilli}`;
      const nodesBefore = offers.get(key)?.nodes ?? 0;
      offers.set(key, { mode, resource, profile: migProfileOf(resource), slotMiB, slotMilli, nodes: nodesBefore + 1 });
    }
  }
  return [...offers.values()].sort(compareOffers);
}

/** A total order, so that all replicas of the webhook choose alike; what is unknown comes after what is known to hold a pod. */
function compareOffers(a: Offer, b: Offer): number {
  return (
    compareText(a.mode, b.mode) ||
    (a.profile && b.profile ? compareMigProfiles(a.profile, b.profile) : 0) ||
    // Two unknowns differ by NaN, which lets the next figure speak.
    (a.slotMiB ?? Number.POSITIVE_INFINITY) - (b.slotMiB ?? Number.POSITIVE_INFINITY) ||
    a.slotMilli - b.slotMilli ||
    compareText(a.resource, b.resource)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
