/** Bounds and rules that policies, the configurations of nodes and the configuration file have in common. */

import { z } from 'zod';
import { LARGEST_GPU_MIB } from '../core/gpu-catalog.ts';
import { celPattern, type Rule, withRules } from './rule.ts';

/**
 * Clients of one GPU under MPS: one alone would not share, and CUDA takes 48 at most (compute capability 7.5 and newer;
 * 16 before). Source: NVIDIA, "Multi-Process Service".
 */
export const mpsClients = z.int().min(2).max(48);

/** Replicas of one time-sliced GPU: the device plugin refuses fewer than 2; at 100 a slot is one percent of a GPU. */
export const timeSlices = z.int().min(2).max(100);

/** Compute slices are 1, 2, 3, 4 or 7 on every GPU that has MIG. Source: MIG user guide. */
const PROFILE = /^[12347]g[.][1-9][0-9]{0,3}gb([+]me)?$/;

/** Longer than any profile's name. */
const MAX_PROFILE = 16;

export const isMigProfile = (text: string) => PROFILE.test(text);
export const celIsMigProfile = (text: string) => `${text}.matches(${celPattern(PROFILE)})`;

/** `1g.5gb`, `1g.5gb+me`: a profile by its form. Whether a GPU has it is not known here. */
export const migProfile = withRules(z.string().max(MAX_PROFILE), [
  {
    cel: celIsMigProfile('self'),
    holds: isMigProfile,
    message: 'not a MIG profile: write it as NVIDIA does, such as 1g.5gb or 1g.5gb+me',
  },
]);

/** Percentage of a GPU's threads; 100 sets no limit of its own. */
export const activeThreads = z.int().min(1).max(100);

/** MiB of one MPS client; CUDA counts as well in MiB what it calls MB. */
export const memoryLimit = z.int().min(1).max(LARGEST_GPU_MIB);

/** ms. */
export const sliceMs = z.int().min(1).max(10_000);

export const fairnessMode = z.enum(['roundrobin', 'priority', 'weighted']);

interface MpsTerms {
  readonly maxClients: number;
  readonly defaultActiveThreads: number;
  readonly memoryLimitMB?: number | undefined;
}

/** A limit above the share that the device plugin gives to each client would say nothing. */
export const MPS_RULES = [
  {
    cel: 'self.defaultActiveThreads == 100 || self.defaultActiveThreads * self.maxClients <= 100',
    holds: ({ defaultActiveThreads, maxClients }) =>
      defaultActiveThreads === 100 || defaultActiveThreads * maxClients <= 100,
    field: 'defaultActiveThreads',
    message:
      'more than the share of each client, which is 100 / maxClients: lower defaultActiveThreads or maxClients, or write 100 for no limit but the share',
  },
  {
    cel: `!has(self.memoryLimitMB) || self.memoryLimitMB * self.maxClients <= ${LARGEST_GPU_MIB}`,
    holds: ({ memoryLimitMB = 0, maxClients }) => memoryLimitMB * maxClients <= LARGEST_GPU_MIB,
    field: 'memoryLimitMB',
    message: `memoryLimitMB times maxClients is more than the ${LARGEST_GPU_MIB} MiB of the largest GPU: lower memoryLimitMB or maxClients`,
  },
] as const satisfies readonly (Rule<MpsTerms> & { readonly holds: unknown })[];
