/** What MIG can make of the GPUs of one product, for a demand of several priorities. */

import { gpuModelOf, migProfiles, mostMpsClients } from '../gpu-catalog.ts';
import type { NodeInventory } from '../inventory.ts';
import { LayoutPlanner } from '../mig/best-layout.ts';
import { EMPTY, MigGeometry, type Multiset } from '../mig/geometry.ts';
import { instanceMilli, namedMiB, parseMigProfile } from '../mig/profile.ts';
import { migResource } from '../resources.ts';
import type { GpuLayout } from './partition.ts';

/** One kind of MIG instance. */
export interface MigKind {
  /** Index of the kind in its MIG class. */
  readonly kind: number;
  /** The most instances of it on one GPU. */
  readonly maxInstances: number;
  /** Share of the GPU's compute that one instance has, in milli-GPU. */
  readonly milli: number;
  /** Memory that one instance has at least, by its name, in MiB. */
  readonly miB: number;
}

/** What GPUs of one product can be made into. */
export interface GpuType {
  readonly product: string;
  /** Memory of one GPU in MiB; undefined if it is not known. */
  readonly gpuMiB: number | undefined;
  /** A time-slice may use the memory of the whole GPU. */
  readonly oversubscribe: boolean;
  /** Clients of MPS that one GPU takes at most. */
  readonly mpsClients: number;
  /** What MIG can make of it; undefined: it has none. */
  readonly mig: MigType | undefined;
}

export function kindOf(type: GpuType, resource: string): MigKind | undefined {
  return type.mig?.kinds.get(resource);
}

/** Kinds of instances of one GPU, and layouts for a demand of them. */
export class MigType {
  readonly computeSlices: number;
  /** Kinds of instances, by resource. */
  readonly kinds: ReadonlyMap<string, MigKind>;
  readonly #names: readonly string[];
  readonly #planner: LayoutPlanner;
  /** Layouts worked out already; the same question comes up for many nodes. */
  readonly #plans = new Map<string, readonly Multiset[]>();

  constructor(geometry: MigGeometry, gpuMiB: number) {
    const { migClass } = geometry;
    this.computeSlices = migClass.computeSlices;
    this.#planner = new LayoutPlanner(geometry);
    this.#names = migProfiles(migClass, Math.ceil(gpuMiB / 1024));
    const kinds = new Map<string, MigKind>();
    for (const [kind, name] of this.#names.entries()) {
      const profile = parseMigProfile(name);
      if (!profile) continue;
      const maxInstances = geometry.room(EMPTY, kind);
      const milli = instanceMilli(profile, migClass.computeSlices);
      kinds.set(migResource(name), { kind, maxInstances, milli, miB: namedMiB(profile) });
    }
    this.kinds = kinds;
  }

  /** A demand of nothing. */
  nothing(): number[] {
    return this.#names.map(() => 0);
  }

  /**
   * Layouts for at most that many GPUs, and for no more than it takes; a lower priority never costs a higher one.
   * @param tiers instances wanted of each kind, by rank of priority
   */
  layouts(tiers: readonly Multiset[], gpus: number): readonly GpuLayout[] {
    let layouts: readonly Multiset[] = [];
    let served: Multiset = this.nothing();
    for (const tier of tiers) {
      if (tier.every((count) => count === 0)) continue;
      const wanted = tier.map((count, kind) => count + (served[kind] ?? 0));
      const together = this.#fewest(wanted, gpus);
      const supply = sum(together, this.nothing());
      if (served.every((count, kind) => (supply[kind] ?? 0) >= count)) {
        layouts = together;
      } else {
        const there = sum(layouts, this.nothing());
        const missing = wanted.map((count, kind) => Math.max(0, count - (there[kind] ?? 0)));
        layouts = [...layouts, ...this.#fewest(missing, gpus - layouts.length)];
      }
      const now = sum(layouts, this.nothing());
      served = wanted.map((count, kind) => Math.min(count, now[kind] ?? 0));
    }
    return layouts.map((layout) => this.#named(layout));
  }

  /** Layouts that serve as much as can be served, on as few GPUs as that takes. */
  #fewest(demand: Multiset, gpus: number): readonly Multiset[] {
    const key = `${gpus} ${demand.join()}`;
    const known = this.#plans.get(key);
    if (known) return known;
    let best = this.#planner.plan(demand, gpus);
    while (best.layouts.length > 1) {
      const fewer = this.#planner.plan(demand, best.layouts.length - 1);
      if (fewer.servedSlices < best.servedSlices) break;
      best = fewer;
    }
    this.#plans.set(key, best.layouts);
    return best.layouts;
  }

  #named(layout: Multiset): GpuLayout {
    return Object.fromEntries(
      layout.flatMap((count, kind) => (count > 0 ? [[this.#names[kind] ?? '', count] as const] : [])),
    );
  }
}

function sum(layouts: readonly Multiset[], zero: Multiset): Multiset {
  return layouts.reduce((total, layout) => total.map((count, kind) => count + (layout[kind] ?? 0)), zero);
}

/** The types of GPUs of nodes, each made once. */
export class GpuTypes {
  readonly #types = new Map<string, GpuType>();

  of({ product, gpuMiB: labelled, oversubscribe = false }: NodeInventory): GpuType {
    const key = `${product} ${labelled} ${oversubscribe}`;
    let type = this.#types.get(key);
    if (!type) {
      const model = gpuModelOf(product);
      const gpuMiB = labelled ?? model?.memoryMiB;
      const migClass = gpuMiB === undefined ? undefined : model?.migClass;
      const mig = migClass && gpuMiB !== undefined ? new MigType(new MigGeometry(migClass), gpuMiB) : undefined;
      type = { product, gpuMiB, oversubscribe, mpsClients: mostMpsClients(product), mig };
      this.#types.set(key, type);
    }
    return type;
  }

  all(): GpuType[] {
    return [...this.#types.values()];
  }
}
