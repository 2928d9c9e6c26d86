/** What administrators have set for the GPUs of a namespace: slots of GPUs must not get around it. */

import { WHOLE_GPU } from './resources.ts';

/** Both name resources of NVIDIA's. */
export interface NamespaceGuards {
  /**
   * LimitRanges set bounds or defaults for them. Where whole GPUs are among them, the API server would put back what we have
   * taken away from a pod, or refuse it.
   */
  readonly limited: ReadonlySet<string>;
  /** ResourceQuotas count them: where whole GPUs are counted, a slot that is not would get around it. */
  readonly counted: ReadonlySet<string>;
}

/** The kind of object that speaks of whole GPUs and not of a slot that is asked for. */
export type GuardKind = 'ResourceQuota' | 'LimitRange';

export const NO_GUARDS: NamespaceGuards = { limited: new Set(), counted: new Set() };

/** What is set for whole GPUs and not for one of these resources, so that it gets around it; undefined: nothing is. */
export function guardAgainst(
  { limited, counted }: NamespaceGuards,
  resources: Iterable<string>,
): GuardKind | undefined {
  if (!limited.has(WHOLE_GPU) && !counted.has(WHOLE_GPU)) return undefined;
  for (const resource of resources) {
    if (resource === WHOLE_GPU) continue;
    if (counted.has(WHOLE_GPU) && !counted.has(resource)) return 'ResourceQuota';
    if (limited.has(WHOLE_GPU) && !limited.has(resource)) return 'LimitRange';
  }
  return undefined;
}

/** For people: why the resource is not given. */
export function describeGuard(guard: GuardKind, resource: string): string {
  const speaks = guard === 'ResourceQuota' ? 'counts' : 'speaks of';
  return `a ${guard} of the namespace ${speaks} ${WHOLE_GPU}, and not ${guard === 'ResourceQuota' ? '' : 'of '}${resource}`;
}
