/** The share of an MPS client, as environment variables of CUDA. */

import type { MpsConfig } from './policy.ts';
import type { SlotOffer } from './slot-offer.ts';

/** By the name of the variable; empty where the share of the slot is the only limit. */
export type MpsLimits = Readonly<Record<string, string>>;

/**
 * The device plugin limits each client of a GPU that R share to 1/R of its memory and ⌊100/R⌋% of its threads. A limit
 * of ours can only lower that: at the share or above it says nothing.
 * @param needMiB memory that the pod needs: no limit may be below it
 */
export function mpsLimits(config: MpsConfig, slot: SlotOffer, needMiB: number | undefined): MpsLimits {
  const { memoryLimitMiB, defaultActiveThreads } = config;
  const limits: Record<string, string> = {};
  if (
    memoryLimitMiB !== undefined &&
    memoryLimitMiB < (slot.slotMiB ?? Number.POSITIVE_INFINITY) &&
    memoryLimitMiB >= (needMiB ?? 0)
  ) {
    // Of the first GPU that the container sees: it has one.
    limits.CUDA_MPS_PINNED_DEVICE_MEM_LIMIT = `0=${memoryLimitMiB}M`;
  }
  if (defaultActiveThreads < Math.floor(slot.slotMilli / 10)) {
    limits.CUDA_MPS_ACTIVE_THREAD_PERCENTAGE = String(defaultActiveThreads);
  }
  return limits;
}
