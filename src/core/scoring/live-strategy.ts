/**
 * Strategies at work on a live ledger. Each resource is a fleet of its own: slots of one kind never
 * serve pods that ask for another.
 */

import type { Ledger } from '../ledger.ts';
import type { GpuRequest, ResourceRequest } from '../request.ts';
import type { Scorer, Strategy } from '../strategies/strategy.ts';
import type { PackingDemand } from './packing-node.ts';
import { ObservedDemand } from './task-classes.ts';

/** After so many further pods, one counts half: some hours in a busy cluster, some weeks in a quiet one. */
const HALF_LIFE = 2_000;
/** Classes are looked at again after so many pods. */
const PODS_PER_SCORER = 200;

interface Fleet {
  readonly demand: ObservedDemand;
  scorer: Scorer;
  observations: number;
  /** milli-GPU of the largest slot on offer, as of that version of the ledger. */
  largestSlot: { readonly version: number; readonly milli: number };
}

export class LiveStrategy {
  readonly #ledger: Ledger;
  readonly #fleets = new Map<string, Fleet>();
  #strategy: Strategy;

  constructor(strategy: Strategy, ledger: Ledger) {
    this.#strategy = strategy;
    this.#ledger = ledger;
  }

  get strategy(): Strategy {
    return this.#strategy;
  }

  /** Nodes are scored by another strategy from now on; what is known of the demand stays. */
  use(strategy: Strategy): void {
    if (strategy === this.#strategy) return;
    this.#strategy = strategy;
    for (const [resource, fleet] of this.#fleets) fleet.scorer = this.#newScorer(resource, fleet.demand);
  }

  /** Takes note of what is asked for; once for each pod. */
  observe({ resources }: GpuRequest): void {
    for (const part of resources) {
      const fleet = this.#fleet(part.resource);
      fleet.demand.observe(packingDemandOf(part, this.#largestSlot(part.resource, fleet)));
      fleet.observations += 1;
      if (fleet.observations % PODS_PER_SCORER === 0) fleet.scorer = this.#newScorer(part.resource, fleet.demand);
    }
  }

  /** Who scores nodes for that resource now; another one once enough has been learnt of what is asked for. */
  scorer(resource: string): Scorer {
    return this.#fleet(resource).scorer;
  }

  /** Takes note that a pod has been placed. */
  placed({ resources }: GpuRequest): void {
    for (const { resource } of resources) this.#fleet(resource).scorer.placed();
  }

  #fleet(resource: string): Fleet {
    let fleet = this.#fleets.get(resource);
    if (!fleet) {
      const demand = new ObservedDemand(HALF_LIFE);
      const largestSlot = { version: -1, milli: 1000 };
      fleet = { demand, scorer: this.#newScorer(resource, demand), observations: 0, largestSlot };
      this.#fleets.set(resource, fleet);
    }
    return fleet;
  }

  #newScorer(resource: string, demand: ObservedDemand): Scorer {
    const ledger = this.#ledger;
    const nodes = function* () {
      for (const { name } of ledger.nodes()) {
        const view = ledger.view(name, resource);
        if (view) yield view;
      }
    };
    return this.#strategy.scorer({ nodes, classes: demand.classes() });
  }

  #largestSlot(resource: string, fleet: Fleet): number {
    const { offersVersion: version } = this.#ledger;
    if (fleet.largestSlot.version !== version) {
      let milli = 0;
      for (const { pools } of this.#ledger.nodes()) {
        for (const pool of pools) if (pool.resource === resource) milli = Math.max(milli, pool.slotMilli);
      }
      fleet.largestSlot = { version, milli: milli || 1000 };
    }
    return fleet.largestSlot.milli;
  }
}

export function packingDemandOf({ count }: ResourceRequest, milli: number): PackingDemand {
  return { cpuMilli: 0, memoryMiB: 0, gpus: count, milli, products: undefined };
}
