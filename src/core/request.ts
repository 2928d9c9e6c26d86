/** What a pod asks for, by Kubernetes's effective-request rule. */

import type { GuardKind } from './namespace-guards.ts';
import { isGpuResource } from './resources.ts';
import type { SharingMode } from './sharing-mode.ts';

/** One container's GPU resources, in whole units. */
export interface ContainerDemand {
  readonly resources: ReadonlyMap<string, number>;
  /** An init container with `restartPolicy: Always`: it keeps running beside the containers. */
  readonly sidecar: boolean;
}

export interface ResourceRequest {
  readonly resource: string;
  /** Slots held while the pod lives. */
  readonly count: number;
  /** The most that one container asks for: the device plugin judges container by container. */
  readonly largestContainer: number;
}

export interface GpuRequest {
  /** Sorted by resource name; empty if the pod asks for no GPU. */
  readonly resources: readonly ResourceRequest[];
  /** The mode the pod was promised at admission; a node of another mode will not do. */
  readonly mode: SharingMode | undefined;
  /** Declared need of each slot in MiB; undefined if nothing was declared. */
  readonly slotMiB: number | undefined;
  /** Declared need of each slot in milli-GPU. */
  readonly slotMilli: number | undefined;
  /** User of its processes where it may hold slots by MPS, whose daemon serves one user at a time; `SEVERAL_USERS` if they differ. */
  readonly user?: number | undefined;
  /** What of its namespace is set for whole GPUs and not for what it asks for: it gets none. */
  readonly guard?: GuardKind | undefined;
}

/** In place of a user: the containers of one pod have several. */
export const SEVERAL_USERS = -1;

/** The same for requests that ask for the same. */
export function classOf({ resources, mode, slotMiB, slotMilli, user, guard }: GpuRequest): string {
  const parts = resources.map(({ resource, count, largestContainer }) => `${resource} ${count} ${largestContainer}`);
  return [mode, slotMiB, slotMilli, user, guard, ...parts].join();
}

/**
 * Effective request of each GPU resource.
 * Source: Kubernetes, "Sidecar Containers", resource sharing within containers.
 */
export function effectiveRequest(
  initContainers: readonly ContainerDemand[],
  containers: readonly ContainerDemand[],
): ResourceRequest[] {
  // Of each resource only containers that name it are looked at: others change nothing, and a pod may have thousands.
  const naming = new Map<string, { readonly init: ContainerDemand[]; readonly main: ContainerDemand[] }>();
  const note = (list: readonly ContainerDemand[], as: 'init' | 'main') => {
    for (const container of list) {
      for (const resource of container.resources.keys()) {
        if (!isGpuResource(resource)) continue;
        const known = naming.get(resource) ?? { init: [], main: [] };
        known[as].push(container);
        naming.set(resource, known);
      }
    }
  };
  note(initContainers, 'init');
  note(containers, 'main');
  return [...naming]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([resource, { init, main }]) => {
      const asked = (container: ContainerDemand) => container.resources.get(resource) ?? 0;
      const largestContainer = [...init, ...main].reduce((most, container) => Math.max(most, asked(container)), 0);
      return { resource, count: effectiveAmount(init, main, asked), largestContainer };
    })
    .filter(({ count }) => count > 0);
}

/**
 * The same rule for any amount: the larger of (containers + sidecars) and, for each init container,
 * its own amount + the sidecars started before it.
 */
export function effectiveAmount<T extends { readonly sidecar: boolean }>(
  initContainers: readonly T[],
  containers: readonly T[],
  asked: (container: T) => number,
): number {
  let sidecars = 0;
  let initPeak = 0;
  for (const container of initContainers) {
    if (container.sidecar) sidecars += asked(container);
    initPeak = Math.max(initPeak, container.sidecar ? sidecars : sidecars + asked(container));
  }
  return Math.max(
    initPeak,
    containers.reduce((sum, container) => sum + asked(container), sidecars),
  );
}
