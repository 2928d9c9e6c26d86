/**
 * Strategies at work on a live ledger. Each resource is a fleet of its own: slots of one kind never
 * serve pods that ask for another.
 */

import type { NodeInventory } from '../inventory.ts';
import type { Ledger } from '../ledger.ts';
import type { Demand, NodeView } from '../packing/node.ts';
import { ObservedDemand } from '../packing/task-classes.ts';
import type { GpuRequest, ResourceRequest } from '../request.ts';
import { best, type Scored, type Scorer, type Strategy } from './strategy.ts';

/** After so many further pods, one counts half: some hours in a busy cluster, some weeks in a quiet one. */
const HALF_LIFE = 2_000;
/** Classes are looked at anew after so many pods. */
const PODS_PER_SCORER = 200;

interface Fleet {
  readonly demand: ObservedDemand;
  scorer: Scorer;
  observations: number;
}

export class LiveStrategy {
  readonly #strategy: Strategy;
  readonly #ledger: Ledger;
  readonly #fleets = new Map<string, Fleet>();

  constructor(strategy: Strategy, ledger: Ledger) {
    this.#strategy = strategy;
    this.#ledger = ledger;
  }

  /** Takes note of what is asked for; once for each pod. */
  observe({ resources }: GpuRequest): void {
    for (const part of resources) {
      const fleet = this.#fleet(part.resource);
      fleet.demand.observe(demandOf(part, largestSlot(this.#ledger.nodes(), part.resource)));
      fleet.observations += 1;
      if (fleet.observations % PODS_PER_SCORER === 0) fleet.scorer = this.#scorer(part.resource, fleet.demand);
    }
  }

  /** The best `count` of the nodes, which all have room; a pod that asks for several kinds is placed by the first. */
  best({ resources }: GpuRequest, names: Iterable<string>, count: number): Scored[] {
    const [part] = resources;
    return part ? best(this.#fleet(part.resource).scorer, this.#candidates(part, names), count) : [];
  }

  /** Takes note that a pod has been placed. */
  placed({ resources }: GpuRequest): void {
    for (const { resource } of resources) this.#fleet(resource).scorer.placed();
  }

  *#candidates(part: ResourceRequest, names: Iterable<string>): Iterable<{ node: NodeView; demand: Demand }> {
    // Most nodes cut their GPUs alike: one demand serves them all.
    let demand: Demand | undefined;
    for (const name of names) {
      const node = this.#ledger.view(name, part.resource);
      if (!node) continue;
      if (demand?.milli !== node.slotMilli) demand = demandOf(part, node.slotMilli);
      yield { node, demand };
    }
  }

  #fleet(resource: string): Fleet {
    let fleet = this.#fleets.get(resource);
    if (!fleet) {
      const demand = new ObservedDemand(HALF_LIFE);
      fleet = { demand, scorer: this.#scorer(resource, demand), observations: 0 };
      this.#fleets.set(resource, fleet);
    }
    return fleet;
  }

  #scorer(resource: string, demand: ObservedDemand): Scorer {
    const ledger = this.#ledger;
    const nodes = function* () {
      for (const { name } of ledger.nodes()) {
        const view = ledger.view(name, resource);
        if (view) yield view;
      }
    };
    return this.#strategy.scorer({ nodes, classes: demand.classes() });
  }
}

function demandOf({ count }: ResourceRequest, milli: number): Demand {
  return { cpuMilli: 0, memoryMiB: 0, gpus: count, milli, products: undefined };
}

function largestSlot(nodes: Iterable<NodeInventory>, resource: string): number {
  let largest = 0;
  for (const { pools } of nodes) {
    for (const pool of pools) if (pool.resource === resource) largest = Math.max(largest, pool.slotMilli);
  }
  return largest || 1000;
}
