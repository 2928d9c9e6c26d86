/** Names of the extended resources that NVIDIA's stock device plugin exposes. */

import { type MigProfile, parseMigProfile } from './mig/profile.ts';

export const WHOLE_GPU = 'nvidia.com/gpu';
export const SHARED_GPU = 'nvidia.com/gpu.shared';
const MIG_PREFIX = 'nvidia.com/mig-';

/** `1g.5gb+me` → `nvidia.com/mig-1g.5gb.me` (a resource name cannot hold `+`). */
export function migResource(profile: string): string {
  return MIG_PREFIX + profile.replace('+', '.');
}

/** `nvidia.com/mig-1g.5gb.me` → the profile; undefined for any other resource. */
export function migProfileOf(resource: string): MigProfile | undefined {
  if (!resource.startsWith(MIG_PREFIX) || resource.includes('+')) return undefined;
  return parseMigProfile(resource.slice(MIG_PREFIX.length).replace(/\.me$/, '+me'));
}

/** True for every resource that stands for a GPU or a part of one. */
export function isGpuResource(resource: string): boolean {
  return resource === WHOLE_GPU || resource === SHARED_GPU || migProfileOf(resource) !== undefined;
}
