/** The kinds of slots that nodes offer, or could be configured to offer. */

import { migClassOf, migProfiles, mostMpsClients } from '../gpu-catalog.ts';
import { type NodeInventory, replicaMiB } from '../inventory.ts';
import { compareMigProfiles, instanceMilli, type MigProfile, namedMiB, parseMigProfile } from '../mig/profile.ts';
import { migProfileOf, migResource, SHARED_GPU } from '../resources.ts';
import type { ReplicaMode, SharingMode } from '../sharing-mode.ts';
import { usualReplicas } from './replicas.ts';

export interface SlotOffer {
  readonly mode: SharingMode;
  readonly resource: string;
  readonly profile: MigProfile | undefined;
  readonly slotMiB: number | undefined;
  readonly slotMilli: number;
  /** Number of nodes that offer it now. */
  readonly nodes: number;
  /** Number of nodes that could be configured to offer it. */
  readonly possible: number;
  /** The most of it that one node offers now. */
  readonly onOneNode: number;
}

/** What may be made of a node on demand; nothing where a mode is missing. */
export interface OnDemand {
  readonly mig?: true;
  /** Slots of each GPU at most. */
  readonly mps?: number;
  readonly timeslicing?: number;
}

/** What a node offers now; `slotMilli` is 0 where the size of a slot is not known: it is promised to no pod. */
export function offeredBy({ pools }: NodeInventory): SlotOffer[] {
  return pools.map(({ resource, mode, slots, slotMiB, slotMilli }) => {
    const profile = migProfileOf(resource);
    return { mode, resource, profile, slotMiB, slotMilli, nodes: 1, possible: 0, onOneNode: slots };
  });
}

/**
 * What a node could offer. One mode for all of its unpartitioned GPUs, and MPS never beside MIG
 * (docs/reference/admission.md): what it offers now decides what it may become.
 */
export function possibleOn(node: NodeInventory, onDemand: OnDemand): SlotOffer[] {
  const modes = new Set(node.pools.map(({ mode }) => mode));
  const only = (mode: SharingMode) => [...modes].every((other) => other === mode || other === 'exclusive');
  const offers: SlotOffer[] = [];
  if (onDemand.mig && only('mig')) offers.push(...possibleInstances(node));
  if (onDemand.mps && only('mps')) {
    offers.push(...possibleSlots(node, 'mps', Math.min(onDemand.mps, mostMpsClients(node.product))));
  }
  if (onDemand.timeslicing && only('timeslicing')) {
    offers.push(...possibleSlots(node, 'timeslicing', onDemand.timeslicing));
  }
  return offers;
}

/** The profile with media engines exists once on a GPU: nobody is given it unasked. */
function possibleInstances({ product, gpuMiB, noMig }: NodeInventory): SlotOffer[] {
  const migClass = migClassOf(product);
  if (!migClass || gpuMiB === undefined || noMig) return [];
  return migProfiles(migClass, Math.ceil(gpuMiB / 1024)).flatMap((name) => {
    const profile = parseMigProfile(name);
    if (!profile || name.endsWith('+me')) return [];
    const slotMilli = instanceMilli(profile, migClass.computeSlices);
    return [
      {
        mode: 'mig' as const,
        resource: migResource(name),
        profile,
        slotMiB: namedMiB(profile),
        slotMilli,
        nodes: 0,
        possible: 1,
        onOneNode: 0,
      },
    ];
  });
}

function possibleSlots(node: NodeInventory, mode: ReplicaMode, most: number): SlotOffer[] {
  return usualReplicas(most).map((replicas) => ({
    mode,
    resource: SHARED_GPU,
    profile: undefined,
    slotMiB: replicaMiB(mode, replicas, node),
    slotMilli: Math.floor(1000 / replicas),
    nodes: 0,
    possible: 1,
    onOneNode: 0,
  }));
}

/** Equal kinds as one, counted; smallest first within a mode. */
export function countOffers(offers: Iterable<SlotOffer>): SlotOffer[] {
  const kinds = new Map<string, SlotOffer>();
  for (const offer of offers) {
    const key = `${offer.mode} ${offer.resource} ${offer.slotMiB} ${offer.slotMilli}`;
    const known = kinds.get(key);
    kinds.set(
      key,
      known
        ? {
            ...known,
            nodes: known.nodes + offer.nodes,
            possible: known.possible + offer.possible,
            onOneNode: Math.max(known.onOneNode, offer.onOneNode),
          }
        : offer,
    );
  }
  return [...kinds.values()].sort(compareOffers);
}

/** A total order, so that all replicas of the webhook choose alike; what is unknown comes after what is known to hold a pod. */
function compareOffers(a: SlotOffer, b: SlotOffer): number {
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
