/** Bounds that a policy and a node's configuration have in common. */

import { z } from 'zod';
import { celPattern, withRules } from './rule.ts';

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
