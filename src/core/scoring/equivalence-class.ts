/**
 * Pods that ask for the same thing are a class. For one class: what every node says to it, and how
 * the node scores, remembered until the node's version moves. A look at a node that did not change
 * costs two reads.
 */

import { type DelegatedResources, type Fit, type FitCode, fit, isDelegated, NONE_DELEGATED } from '../fit.ts';
import type { NodeInventory } from '../inventory.ts';
import type { Ledger, LedgerNode } from '../ledger.ts';
import type { GpuRequest } from '../request.ts';
import { WHOLE_GPU } from '../resources.ts';
import { Best, type Scorer } from '../strategies/strategy.ts';
import { type LiveStrategy, packingDemandOf } from './live-strategy.ts';
import type { PackingDemand } from './packing-node.ts';

/** Why a node will not do. */
export interface NodeRefusal {
  readonly code: FitCode;
  /** `CODE: sentence`, stable for a given pod and node layout. */
  readonly text: string;
  /** True if evicting pods from the node could make room. */
  readonly resolvable: boolean;
}

/** Approximate bytes of a table for each node, for caches that bound the memory of many. */
export const BYTES_PER_NODE = 8 + 8 + 8;

/** Added to the score of a node that is taken only where others have no room: below all that strategies give. */
const LAST = -1e9;

/** Nodes that are taken only where no other has room. */
export interface AvoidedNodes {
  readonly size: number;
  has(node: string): boolean;
}

/** What besides the ledger decides of nodes; nothing where it is missing. */
export interface ClassSurroundings {
  /** As it is now: a change of it takes a new table. */
  readonly delegated?: DelegatedResources;
  readonly avoided?: AvoidedNodes;
}

const NONE_AVOIDED: AvoidedNodes = new Set<string>();

export class EquivalenceClass {
  readonly request: GpuRequest;
  readonly #ledger: Ledger;
  readonly #live: LiveStrategy;
  readonly #delegated: DelegatedResources;
  readonly #avoided: AvoidedNodes;
  /** Whether DRA serves something that the pod asks for. */
  readonly #mayBeDelegated: boolean;
  /** By index of the node: the version that was judged. */
  #judged = new Float64Array(0);
  /** By index of the node: undefined if it will do. */
  readonly #refusals: (NodeRefusal | undefined)[] = [];
  /** The same refusal is the same object. */
  readonly #known = new Map<string, NodeRefusal>();
  /** What a node that is not there says. */
  readonly #unknown: NodeRefusal | undefined;
  /** By index of the node, NaN if not known. */
  #scores = new Float64Array(0);
  #scorer: Scorer | undefined;
  #epoch = -1;
  #demand: PackingDemand | undefined;
  #judgements = 0;

  constructor(
    request: GpuRequest,
    ledger: Ledger,
    live: LiveStrategy,
    { delegated = NONE_DELEGATED, avoided = NONE_AVOIDED }: ClassSurroundings = {},
  ) {
    this.request = request;
    this.#ledger = ledger;
    this.#live = live;
    this.#delegated = delegated;
    this.#avoided = avoided;
    this.#mayBeDelegated = request.resources.some(({ resource }) => delegated.has(resource));
    this.#unknown = this.#refusal(fit(undefined, () => 0, request, { delegated }));
  }

  /** Nodes judged so far: all other looks found what was known. */
  get judgements(): number {
    return this.#judgements;
  }

  /** Undefined if the node has room; a node that is not in the ledger has none. */
  refusalOf(node: LedgerNode | undefined): NodeRefusal | undefined {
    if (!node) return this.#unknown;
    if (this.#judged[node.index] !== node.version) this.#judge(node);
    return this.#refusals[node.index];
  }

  /** Whether the node has room by kube-scheduler's word alone: DRA serves there what the pod asks for. */
  isUnjudged(node: LedgerNode | undefined): boolean {
    return this.#mayBeDelegated && isDelegated(node?.inventory, this.request, this.#delegated);
  }

  /** The best `count` of nodes that have room; a pod that asks for several kinds is placed by the first. */
  best(nodes: Iterable<LedgerNode>, count: number): NodeInventory[] {
    const [part] = this.request.resources;
    if (!part) return [];
    this.#renewScorer(part.resource);
    const best = new Best<NodeInventory>(count);
    const avoided = this.#avoided.size > 0 ? this.#avoided : NONE_AVOIDED;
    for (const node of nodes) {
      if (!node.inventory || this.refusalOf(node) || this.isUnjudged(node)) continue;
      best.offer(node.inventory, this.#scoreOf(node) + (avoided.has(node.name) ? 4 * LAST : 0));
    }
    return best.nodes;
  }

  #judge(node: LedgerNode): void {
    const { name, index, version, inventory } = node;
    this.#makeRoom(index);
    const verdict = fit(inventory, (resource) => this.#ledger.freeSlots(name, resource), this.request, {
      delegated: this.#delegated,
      users: this.#ledger.users(name),
    });
    this.#refusals[index] = this.#refusal(verdict);
    this.#judged[index] = version;
    this.#scores[index] = Number.NaN;
    this.#judgements += 1;
  }

  #scoreOf({ index, name }: LedgerNode): number {
    const known = this.#scores[index] ?? Number.NaN;
    if (!Number.isNaN(known)) return known;
    const score = this.#newScore(name);
    this.#scores[index] = score;
    return score;
  }

  #newScore(name: string): number {
    const [part] = this.request.resources;
    const view = part && this.#ledger.view(name, part.resource);
    if (!view) return Number.NEGATIVE_INFINITY;
    if (view.slotMilli === 0) return 2 * LAST;
    // A pod that asks for a GPU by its name, and was promised none, takes a slot of one where it must.
    const last = part.resource === WHOLE_GPU && !this.request.mode && view.slotMilli < 1000 ? LAST : 0;
    // Most nodes cut their GPUs alike: one demand serves them all.
    if (this.#demand?.milli !== view.slotMilli) this.#demand = packingDemandOf(part, view.slotMilli);
    return last + (this.#scorer?.score(view, this.#demand) ?? 0);
  }

  /** Scores hold for one scorer in one epoch. */
  #renewScorer(resource: string): void {
    const scorer = this.#live.scorer(resource);
    if (scorer === this.#scorer && scorer.epoch === this.#epoch) return;
    this.#scorer = scorer;
    this.#epoch = scorer.epoch;
    this.#scores.fill(Number.NaN);
  }

  #refusal(verdict: Fit): NodeRefusal | undefined {
    if (verdict.fits) return undefined;
    const { code, message, resolvable } = verdict;
    const text = `${code}: ${message}`;
    const key = `${resolvable} ${text}`;
    let refusal = this.#known.get(key);
    if (!refusal) {
      refusal = { code, text, resolvable };
      this.#known.set(key, refusal);
    }
    return refusal;
  }

  #makeRoom(index: number): void {
    if (index < this.#judged.length) return;
    const length = 2 ** Math.ceil(Math.log2(index + 1));
    this.#judged = grown(this.#judged, length);
    this.#scores = grown(this.#scores, length);
  }
}

function grown(from: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const to = new Float64Array(length).fill(Number.NaN);
  to.set(from);
  return to;
}
