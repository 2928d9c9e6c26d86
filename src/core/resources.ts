/** Names of the extended resources that NVIDIA's stock device plugin exposes. */

import { type MigProfile, parseMigProfile } from './mig/profile.ts';

export const WHOLE_GPU = 'nvidia.com/gpu';
export const SHARED_GPU = 'nvidia.com/gpu.shared';
const MIG_PREFIX = 'nvidia.com/mig-';
/** What the device plugin adds to the name of what it shares (`renameByDefault`). */
const SHARED_SUFFIX = '.shared';

/** `1g.5gb+me` → `nvidia.com/mig-1g.5gb.me` (a resource name cannot hold `+`). */
export function migResource(profile: string): string {
  return MIG_PREFIX + profile.replace('+', '.');
}

/** `nvidia.com/mig-1g.5gb.me`, `nvidia.com/mig-1g.5gb.shared` → the profile; undefined for any other resource. */
export function migProfileOf(resource: string): MigProfile | undefined {
  if (!resource.startsWith(MIG_PREFIX) || resource.includes('+')) return undefined;
  const name = unsharedName(resource).slice(MIG_PREFIX.length);
  return parseMigProfile(name.replace(/\.(me|me\.all|gfx)$/, '+$1'));
}

/** `nvidia.com/mig-1g.5gb.shared` → `nvidia.com/mig-1g.5gb`: the name before the device plugin shared and renamed it. */
export function unsharedName(resource: string): string {
  return resource.endsWith(SHARED_SUFFIX) ? resource.slice(0, -SHARED_SUFFIX.length) : resource;
}

/** The name under which the device plugin offers what it shares (`renameByDefault`). */
export function sharedName(resource: string): string {
  return resource + SHARED_SUFFIX;
}

/** Network devices, which NVIDIA's operators offer under any prefix, its own included. */
export const RDMA = /rdma|roce|infiniband|sriov|mlnx|hostdev|^mellanox\.com\/|^vpc\.amazonaws\.com\/efa$/i;

/** True for a name of NVIDIA's that is not known to us, but must stand for a GPU or a part of one. */
export function isUnknownGpuResource(resource: string): boolean {
  return resource.startsWith('nvidia.com/') && !isGpuResource(resource) && !RDMA.test(resource);
}

/** True for every resource that stands for a GPU or a part of one, by a name that is known to us. */
export function isGpuResource(resource: string): boolean {
  return resource === WHOLE_GPU || resource === SHARED_GPU || migProfileOf(resource) !== undefined;
}
