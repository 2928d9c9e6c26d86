/** All layouts of a GPU to which no instance can be added. */

import { add, EMPTY, type MigGeometry, type MigPlacement, type MigUse, type Multiset } from './geometry.ts';

export type MigLayout = readonly MigPlacement[];

/** In order of their places; a GPU of seven slices has 19 of its five plain kinds. */
export function maximalLayouts(geometry: MigGeometry, kinds: ReadonlySet<number> = allKinds(geometry)): MigLayout[] {
  const placements = geometry.placements.filter(({ kind }) => kinds.has(kind));
  const layouts: MigLayout[] = [];
  const extend = (use: MigUse, layout: MigLayout, from: number) => {
    let maximal = true;
    for (const [i, placement] of placements.entries()) {
      if (!geometry.fits(use, placement)) continue;
      maximal = false;
      // Places in rising order only: each layout is found once.
      if (i >= from) extend(add(use, placement), [...layout, placement], i + 1);
    }
    if (maximal) layouts.push(layout);
  };
  extend(EMPTY, [], 0);
  return layouts;
}

/** The distinct multisets of layouts, none of which is part of another. */
export function maximalMultisets(geometry: MigGeometry, kinds?: ReadonlySet<number>): Multiset[] {
  const multisets = new Map<string, Multiset>();
  for (const layout of maximalLayouts(geometry, kinds)) {
    const counts = geometry.migClass.instances.map(
      (_, kind) => layout.filter((placement) => placement.kind === kind).length,
    );
    multisets.set(counts.join(), counts);
  }
  return [...multisets.values()];
}

function allKinds({ migClass }: MigGeometry): Set<number> {
  return new Set(migClass.instances.keys());
}
