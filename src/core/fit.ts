/**
 * Does a request fit on a node, and if not, why. Codes are stable; the sentences hold no figure
 * that changes with load, since a changed message makes kube-scheduler try the pod again.
 */

import type { NodeInventory, Pool } from './inventory.ts';
import { describeGuard } from './namespace-guards.ts';
import { type GpuRequest, type ResourceRequest, SEVERAL_USERS } from './request.ts';
import { migProfileOf, WHOLE_GPU } from './resources.ts';
import { SHARING_MODES } from './sharing-mode.ts';

/** Stable codes; kube-scheduler shows them in a pod's condition, each before its sentence. */
export const FIT_CODES = [
  'UncountedByQuota',
  'UnknownNode',
  'NodeInTransition',
  'WrongMode',
  'NoMigPlacement',
  'SlotTooSmall',
  'SharedCountTooLarge',
  'WrongUser',
  'InsufficientSlots',
] as const;
export type FitCode = (typeof FIT_CODES)[number];

export interface Misfit {
  readonly fits: false;
  readonly code: FitCode;
  /** A sentence for the pod's event; stable for a given pod and node layout. */
  readonly message: string;
  /** Figures behind the code, kept apart from it. */
  readonly numbers: Readonly<Record<string, number>>;
  /** True if evicting pods from the node could make room. */
  readonly resolvable: boolean;
}
export type Fit = { readonly fits: true } | Misfit;

const FITS: Fit = { fits: true };

/** Free slots of a resource on the node in question. */
export type FreeSlots = (resource: string) => number;

/** Resources that DRA serves where a node lists nothing of them: kube-scheduler counts those, and has judged before it asks. */
export interface DelegatedResources {
  has(resource: string): boolean;
  /** Moves whenever others are delegated than before. */
  readonly changes: number;
}
export const NONE_DELEGATED: DelegatedResources = { has: () => false, changes: 0 };

/** What besides slots decides on a node. */
export interface FitContext {
  readonly delegated?: DelegatedResources;
  /** Users of the pods that hold shared slots there. */
  readonly users?: Iterable<number>;
}

const NO_USERS: readonly number[] = [];

export function fit(
  node: NodeInventory | undefined,
  free: FreeSlots,
  request: GpuRequest,
  { delegated = NONE_DELEGATED, users = NO_USERS }: FitContext = {},
): Fit {
  if (request.guard) {
    const named = request.resources.map(({ resource }) => resource).filter((resource) => resource !== WHOLE_GPU);
    return misfit('UncountedByQuota', describeGuard(request.guard, named.join(', ')), {}, false);
  }
  // What DRA serves, no change of partitions of ours touches.
  if (isDelegated(node, request, delegated)) return FITS;
  if (!node) {
    return misfit('UnknownNode', 'the node is unknown or offers no GPU', {}, false);
  }
  if (node.inTransition) return misfit('NodeInTransition', 'the partitions of the GPUs are being changed', {}, false);
  let first: Misfit | undefined;
  for (const part of request.resources) {
    const pool = node.pools.find(({ resource }) => resource === part.resource);
    if (!pool && delegated.has(part.resource)) continue;
    const refused = pool ? refuse(pool, free(part.resource), part, request, users) : notOffered(node, part.resource);
    // One part that no eviction helps is enough: no pod must be evicted for the others.
    if (refused && !refused.resolvable) return refused;
    first ??= refused;
  }
  return first ?? FITS;
}

/** Whether the node lists nothing of what the pod asks for, and DRA serves all of it. */
export function isDelegated(
  node: NodeInventory | undefined,
  { resources }: GpuRequest,
  delegated: DelegatedResources,
): boolean {
  const isServed = ({ resource }: ResourceRequest) =>
    delegated.has(resource) && !node?.pools.some((pool) => pool.resource === resource);
  return resources.length > 0 && resources.every(isServed);
}

function refuse(
  pool: Pool,
  free: number,
  part: ResourceRequest,
  request: GpuRequest,
  users: Iterable<number>,
): Misfit | undefined {
  if (request.mode && pool.mode !== request.mode) {
    const message = `the pod was admitted for ${SHARING_MODES[request.mode].title}, the node shares by ${SHARING_MODES[pool.mode].title}`;
    return misfit('WrongMode', message, {}, false);
  }
  // The device plugin refuses this for MPS (failRequestsGreaterThanOne), after the pod is bound: too late.
  if (pool.mode === 'mps' && part.largestContainer > 1) {
    const message = 'a container may hold only one slot of a GPU shared by MPS';
    return misfit('SharedCountTooLarge', message, { asked: part.largestContainer }, false);
  }
  const declares = request.slotMiB !== undefined || request.slotMilli !== undefined;
  if (declares && (pool.slotMilli === 0 || (request.slotMiB !== undefined && pool.slotMiB === undefined))) {
    const message = `the size of a slot of ${part.resource} is not known, and the pod declares what it needs`;
    return misfit('SlotTooSmall', message, {}, false);
  }
  if (request.slotMiB !== undefined && (pool.slotMiB ?? 0) < request.slotMiB) {
    const message = `a slot of ${part.resource} has less GPU memory than the pod declares`;
    return misfit('SlotTooSmall', message, { slotMiB: pool.slotMiB ?? 0, askedMiB: request.slotMiB }, false);
  }
  if (request.slotMilli !== undefined && pool.slotMilli < request.slotMilli) {
    const message = `a slot of ${part.resource} is a smaller share of a GPU than the pod declares`;
    return misfit('SlotTooSmall', message, { slotMilli: pool.slotMilli, askedMilli: request.slotMilli }, false);
  }
  if (pool.mode === 'mps' && request.user !== undefined) {
    const refused = refuseUser(request.user, users);
    if (refused) return refused;
  }
  if (free < part.count) {
    const message = `not enough free slots of ${part.resource}`;
    // More than the node has in all: no eviction can help.
    return misfit('InsufficientSlots', message, { free, asked: part.count }, pool.slots >= part.count);
  }
  return undefined;
}

/**
 * The first call of CUDA of another user hangs until the last client of the one before has gone. No eviction is worth it:
 * kube-scheduler chooses victims by their number, not by their user.
 */
function refuseUser(user: number, users: Iterable<number>): Misfit | undefined {
  if (user === SEVERAL_USERS) {
    const message = 'the containers of the pod run as several users, and an MPS daemon serves one at a time';
    return misfit('WrongUser', message, {}, false);
  }
  for (const other of users) {
    if (other === user) continue;
    const message = 'the MPS daemon of the node serves another user than that of the pod';
    return misfit('WrongUser', message, { user: other, asked: user }, false);
  }
  return undefined;
}

function notOffered({ pools }: NodeInventory, resource: string): Misfit {
  const profile = migProfileOf(resource);
  // A node that is cut otherwise: another layout would help, another way of sharing would not.
  if (profile && pools.some(({ mode }) => mode === 'mig')) {
    return misfit('NoMigPlacement', `no GPU of the node has a MIG instance of ${profile.name}`, {}, false);
  }
  return misfit('WrongMode', `the node does not offer ${resource}`, {}, false);
}

function misfit(code: FitCode, message: string, numbers: Record<string, number>, resolvable: boolean): Misfit {
  return { fits: false, code, message, numbers, resolvable };
}
