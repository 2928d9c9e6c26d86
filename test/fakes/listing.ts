/** A list that is at hand as a whole. */

import type { ReflectorStore } from '#src/kube/reflector.ts';

export function takeList(store: ReflectorStore, objects: readonly unknown[], resourceVersion = ''): void {
  const list = store.replace();
  list.add(objects);
  list.finish(resourceVersion);
}
