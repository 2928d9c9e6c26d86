/** A list that is at hand as a whole. */

import type { Feed } from '#src/state/cluster-state.ts';

export function takeList({ listing }: Feed, objects: readonly unknown[]): void {
  const list = listing();
  list.page(objects);
  list.done();
}
