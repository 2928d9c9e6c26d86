/** The JSON Patch from the pod as it came to the pod as decided: in time that grows with the pod, and not with its square. */

import { createPatch, type Operation, type Pointer } from 'rfc6902';

/** Operations that make `after` of `before`, both JSON. */
export function patchOf(before: unknown, after: unknown): Operation[] {
  return before === after ? [] : createPatch(before, after, listsInPlace);
}

/**
 * The library looks for the shortest way from one list to the other, which for 1,000 variables of environment takes
 * gigabytes. What is the same object has not changed; what we change in a list stays where it is, and what we add stands at its end.
 */
function listsInPlace(before: unknown, after: unknown, at: Pointer): Operation[] | undefined {
  if (before === after) return [];
  if (!Array.isArray(before) || !Array.isArray(after)) return undefined;
  const path = at.toString();
  if (after.length < before.length) return [{ op: 'replace', path, value: after }];
  return [
    ...before.flatMap((each, i) =>
      patchOf(each, after[i]).map((operation) => ({ ...operation, path: `${path}/${i}${operation.path}` })),
    ),
    ...after.slice(before.length).map((value) => ({ op: 'add' as const, path: `${path}/-`, value })),
  ];
}
