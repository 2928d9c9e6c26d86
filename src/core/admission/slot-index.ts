/** What nodes offer, by who may go where: kept up to date node by node, and counted only when asked. */

import type { NodeInventory } from '../inventory.ts';
import { type LabelSelector, type Labels, matches } from '../label-selector.ts';
import { type Taint, type Toleration, tolerates } from '../taints.ts';
import { countOffers, type OnDemand, offeredBy, possibleOn, type SlotOffer } from './slot-offer.ts';

/** A node in the eyes of admission. */
export interface OfferingNode {
  readonly inventory: NodeInventory;
  readonly labels: Labels;
  /** Those that keep pods off for longer than a moment. */
  readonly taints: readonly Taint[];
  /** It offers nothing for the moment: the inventory is what is expected of it. */
  readonly isAway?: boolean;
  /** How it is partitioned is not ours to change. */
  readonly isFixed?: boolean;
  /** One GPU of it stays whole. */
  readonly keepsWholeGpu?: boolean;
}

/** Nodes on which a mode is used; a mode that is missing is used on all. */
export type ModeSelectors = Readonly<Partial<Record<SlotOffer['mode'], LabelSelector>>>;

export interface SlotIndexOptions {
  readonly onDemand: OnDemand;
  readonly nodes: ModeSelectors;
}

/** One of these must hold: the terms of a required node affinity, with the pod's nodeSelector in each. */
export type NodeConstraints = readonly LabelSelector[];

/** Questions remembered between two changes; a cluster has few kinds of pods. */
const REMEMBERED = 1_000;
/** Characters of a question that is worth it: an affinity may be of any size. */
const MAX_QUESTION = 4_096;

/** What nodes of one kind offer: the same object for all of them, since a fleet has many nodes and few kinds. */
type Kind = readonly SlotOffer[];

/** Sharing is of all GPUs without MIG; instances need another GPU. */
function besideWholeGpu({ gpus }: NodeInventory, { mig }: OnDemand): OnDemand {
  return mig && gpus > 1 ? { mig } : {};
}

export class SlotIndex {
  readonly #nodes = new Map<string, OfferingNode & { readonly kind: Kind }>();
  readonly #kinds = new Map<string, Kind>();
  readonly #answers = new Map<string, readonly SlotOffer[]>();
  #options: SlotIndexOptions;

  constructor(options: SlotIndexOptions) {
    this.#options = options;
  }

  set(node: OfferingNode): void {
    this.#nodes.set(node.inventory.name, { ...node, kind: this.#kindOf(node) });
    this.#answers.clear();
  }

  delete(name: string): void {
    if (this.#nodes.delete(name)) this.#answers.clear();
  }

  get(name: string): OfferingNode | undefined {
    return this.#nodes.get(name);
  }

  /** Nodes known. */
  get size(): number {
    return this.#nodes.size;
  }

  /** What may be made on demand, and where, has changed. */
  setOptions(options: SlotIndexOptions): void {
    this.#options = options;
    this.#kinds.clear();
    for (const node of [...this.#nodes.values()]) this.set(node);
  }

  /**
   * What the nodes offer that satisfy the placement; smallest first within a mode.
   * @param tolerations of the pod; undefined: taints do not matter
   */
  offers(placement: NodeConstraints, tolerations?: readonly Toleration[]): readonly SlotOffer[] {
    const key = JSON.stringify([placement, tolerations]);
    const known = this.#answers.get(key);
    if (known) return known;
    const fitting = new Map<Kind, number>();
    for (const { labels, kind, taints } of this.#nodes.values()) {
      if (tolerations && taints.length > 0 && !tolerates(tolerations, taints)) continue;
      if (placement.length > 0 && !placement.some((selector) => matches(selector, labels))) continue;
      fitting.set(kind, (fitting.get(kind) ?? 0) + 1);
    }
    const offers = countOffers(
      [...fitting].flatMap(([kind, count]) =>
        kind.map((offer) => ({ ...offer, nodes: offer.nodes * count, possible: offer.possible * count })),
      ),
    );
    if (key.length > MAX_QUESTION) return offers;
    if (this.#answers.size >= REMEMBERED) this.#answers.clear();
    this.#answers.set(key, offers);
    return offers;
  }

  /** Nodes of the placement that offer such slots now, or could be configured to. */
  *nodesWith(
    { mode, resource, slotMiB, slotMilli }: SlotOffer,
    placement: NodeConstraints,
    tolerations: readonly Toleration[],
  ): Iterable<{ readonly name: string; readonly gpus: number; readonly isOffered: boolean }> {
    const isSuch = (offer: SlotOffer) =>
      offer.mode === mode && offer.resource === resource && offer.slotMiB === slotMiB && offer.slotMilli === slotMilli;
    // A fleet has many nodes and few kinds: by kind, whether it offers them now; undefined if it never does.
    const having = new Map<Kind, boolean | undefined>();
    for (const { inventory, labels, kind, taints } of this.#nodes.values()) {
      if (!having.has(kind)) {
        const such = kind.filter(isSuch);
        having.set(kind, such.length > 0 ? such.some(({ nodes }) => nodes > 0) : undefined);
      }
      const isOffered = having.get(kind);
      if (isOffered === undefined) continue;
      if (taints.length > 0 && !tolerates(tolerations, taints)) continue;
      if (placement.length > 0 && !placement.some((selector) => matches(selector, labels))) continue;
      yield { name: inventory.name, gpus: inventory.gpus, isOffered };
    }
  }

  /** Questions whose answers are remembered. */
  get remembered(): number {
    return this.#answers.size;
  }

  #kindOf({ inventory, labels, isAway = false, isFixed = false, keepsWholeGpu = false }: OfferingNode): Kind {
    const { onDemand, nodes } = this.#options;
    const offers = [
      ...offeredBy(inventory),
      ...(isFixed || isAway
        ? []
        : possibleOn(inventory, keepsWholeGpu ? besideWholeGpu(inventory, onDemand) : onDemand)),
    ]
      .filter(({ mode }) => matches(nodes[mode] ?? [], labels))
      .map((offer) => (isAway ? { ...offer, onOneNode: 0 } : offer));
    const key = JSON.stringify(offers);
    const known = this.#kinds.get(key);
    if (known) return known;
    if (this.#kinds.size >= REMEMBERED) this.#kinds.clear();
    this.#kinds.set(key, offers);
    return offers;
  }
}
