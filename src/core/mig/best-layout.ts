/**
 * Which layouts a number of like GPUs should have to serve a mixed demand of profiles. Greedy, then
 * mended by exchanging one layout, and then two at once, as long as that serves more.
 */

import { maximise } from '../scoring/linear-program.ts';
import type { MigGeometry, Multiset } from './geometry.ts';
import { maximalMultisets } from './layouts.ts';

export interface LayoutPlan {
  /** A multiset for each GPU that is needed, at most as many as there are. */
  readonly layouts: readonly Multiset[];
  /** Of the demand, by kind. */
  readonly served: Multiset;
  /** Compute slices of what is served: the figure that is made as large as it gets. */
  readonly servedSlices: number;
}

export class LayoutPlanner {
  readonly #layouts: readonly Multiset[];
  /** Compute slices of an instance of each kind. */
  readonly #slices: readonly number[];

  constructor(geometry: MigGeometry) {
    this.#layouts = maximalMultisets(geometry);
    this.#slices = geometry.migClass.instances.map(({ compute }) => compute);
  }

  /** @param demand instances wanted of each kind @param gpus how many there are */
  plan(demand: Multiset, gpus: number): LayoutPlan {
    const relaxed = this.#relaxed(demand, gpus);
    const bound = Math.floor(relaxed.worth + 1e-6);
    let best = this.#improved(relaxed.layouts, demand, gpus, bound);
    if (this.#worth(best.supply, demand) < bound) {
      const other = this.#improved([], demand, gpus, bound);
      if (this.#worth(other.supply, demand) > this.#worth(best.supply, demand)) best = other;
    }
    const { chosen, supply } = best;
    const served = demand.map((wanted, kind) => Math.min(wanted, supply[kind] ?? 0));
    const layouts = chosen.map((layout) => this.#layouts[layout] ?? []);
    return { layouts, served, servedSlices: this.#worth(supply, demand) };
  }

  /** The linear relaxation: no plan serves more than its worth, and its whole parts are a good start. */
  #relaxed(demand: Multiset, gpus: number): { worth: number; layouts: number[] } {
    const kinds = demand.length;
    const count = this.#layouts.length;
    // Variables: how many GPUs have each layout, then how many instances of each kind are served.
    const unit = (variable: number) => Array.from({ length: count + kinds }, (_, i) => (i === variable ? 1 : 0));
    const objective = [...this.#layouts.map(() => 0), ...this.#slices];
    const perGpu = Array.from({ length: count + kinds }, (_, i) => (i < count ? 1 : 0));
    const supplied = demand.map((_, kind) => [
      ...this.#layouts.map((layout) => -(layout[kind] ?? 0)),
      ...unit(kind).slice(0, kinds),
    ]);
    const wanted = demand.map((_, kind) => unit(count + kind));
    const solution = maximise(objective, [perGpu, ...supplied, ...wanted], [gpus, ...demand.map(() => 0), ...demand]);
    const worth = this.#slices.reduce((sum, slices, kind) => sum + slices * (solution[count + kind] ?? 0), 0);
    const layouts = this.#layouts.flatMap((_, layout) => {
      return new Array<number>(Math.floor((solution[layout] ?? 0) + 1e-6)).fill(layout);
    });
    return { worth, layouts };
  }

  /** A start, filled up greedily and then mended by exchanges. */
  #improved(start: readonly number[], demand: Multiset, gpus: number, bound: number) {
    const chosen = [...start];
    const supply = demand.map(() => 0);
    for (const layout of chosen) this.#shift(supply, layout, 1);
    while (chosen.length < gpus) {
      const { layout, gain } = this.#bestAddition(supply, demand);
      if (gain === 0) break;
      chosen.push(layout);
      this.#shift(supply, layout, 1);
    }
    while (
      this.#worth(supply, demand) < bound &&
      (this.#exchangeOne(chosen, supply, demand) || this.#exchangeTwo(chosen, supply, demand))
    );
    return { chosen, supply };
  }

  #bestAddition(supply: number[], demand: Multiset): { layout: number; gain: number } {
    const before = this.#worth(supply, demand);
    let best = { layout: 0, gain: 0 };
    for (let layout = 0; layout < this.#layouts.length; layout += 1) {
      const gain = this.#worthWith(supply, demand, layout) - before;
      if (gain > best.gain) best = { layout, gain };
    }
    return best;
  }

  /** Exchanges one layout for a better one; false if there is none. */
  #exchangeOne(chosen: number[], supply: number[], demand: Multiset): boolean {
    const before = this.#worth(supply, demand);
    for (const [place, old] of distinct(chosen)) {
      this.#shift(supply, old, -1);
      const base = this.#worth(supply, demand);
      const { layout, gain } = this.#bestAddition(supply, demand);
      if (base + gain > before) {
        chosen[place] = layout;
        this.#shift(supply, layout, 1);
        return true;
      }
      this.#shift(supply, old, 1);
    }
    return false;
  }

  #exchangeTwo(chosen: number[], supply: number[], demand: Multiset): boolean {
    const before = this.#worth(supply, demand);
    const places = distinct(chosen, 2);
    for (const [i, [first, oldFirst]] of places.entries()) {
      this.#shift(supply, oldFirst, -1);
      for (const [second, oldSecond] of places.slice(i + 1)) {
        this.#shift(supply, oldSecond, -1);
        for (let layout = 0; layout < this.#layouts.length; layout += 1) {
          this.#shift(supply, layout, 1);
          const base = this.#worth(supply, demand);
          const added = this.#bestAddition(supply, demand);
          if (base + added.gain > before) {
            chosen[first] = layout;
            chosen[second] = added.layout;
            this.#shift(supply, added.layout, 1);
            return true;
          }
          this.#shift(supply, layout, -1);
        }
        this.#shift(supply, oldSecond, 1);
      }
      this.#shift(supply, oldFirst, 1);
    }
    return false;
  }

  /** Compute slices of the demand that the supply serves. */
  #worth(supply: Multiset, demand: Multiset): number {
    let worth = 0;
    for (let kind = 0; kind < demand.length; kind += 1) {
      worth += (this.#slices[kind] ?? 0) * Math.min(demand[kind] ?? 0, supply[kind] ?? 0);
    }
    return worth;
  }

  #worthWith(supply: Multiset, demand: Multiset, layout: number): number {
    const more = this.#layouts[layout] ?? [];
    let worth = 0;
    for (let kind = 0; kind < demand.length; kind += 1) {
      const there = (supply[kind] ?? 0) + (more[kind] ?? 0);
      worth += (this.#slices[kind] ?? 0) * Math.min(demand[kind] ?? 0, there);
    }
    return worth;
  }

  #shift(supply: number[], layout: number, sign: 1 | -1): void {
    for (const [kind, count] of (this.#layouts[layout] ?? []).entries())
      supply[kind] = (supply[kind] ?? 0) + sign * count;
  }
}

/** Places of the chosen layouts, each layout at most `most` times: exchanging one of two equals is enough. */
function distinct(chosen: readonly number[], most = 1): [place: number, layout: number][] {
  const seen = new Map<number, number>();
  return [...chosen.entries()].filter(([, layout]) => {
    const count = (seen.get(layout) ?? 0) + 1;
    seen.set(layout, count);
    return count <= most;
  });
}
