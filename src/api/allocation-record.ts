/** The allocation record: what a bound pod holds, as the annotation `gpu-autoscaler.io/allocation`. */

import { z } from 'zod';
import { SHARING_MODE_NAMES } from '../core/sharing-mode.ts';

/** More slots than a pod holds: any pod may bring a record, and a long one is not kept. */
const MAX_SLOTS = 256;
/** The same of kinds of resources. */
const MAX_KINDS = 16;

const holding = z.object({
  /** `dra`: devices that kube-scheduler has chosen, whose size we do not know. */
  mode: z.enum([...SHARING_MODE_NAMES, 'dra']),
  resource: z.string(),
  /** Slots held. */
  count: z.int().positive(),
  /** milli-GPU of all slots together. */
  milliGpu: z.int().nonnegative(),
  /** MiB of GPU memory of all slots together; absent where the node does not report it. */
  memoryMiB: z.int().nonnegative().optional(),
  /** GPU index of each slot; absent where it is known of the node alone, since the device plugin chooses. */
  gpus: z
    .array(z.int().nonnegative())
    .transform((gpus) => gpus.slice(0, MAX_SLOTS))
    .optional(),
});

export const allocationRecordSchema = holding.extend({
  v: z.literal(1),
  node: z.string(),
  strategy: z.string(),
  /** Further resources of a pod that asks for more than one kind. */
  others: z
    .array(holding)
    .transform((others) => others.slice(0, MAX_KINDS))
    .optional(),
});
export type AllocationRecord = z.infer<typeof allocationRecordSchema>;
export type HoldingRecord = z.infer<typeof holding>;

/** The record in an annotation; undefined if it is absent, broken or of a version we do not know. */
export function parseAllocationRecord(text: string | undefined): AllocationRecord | undefined {
  if (text === undefined) return undefined;
  try {
    return allocationRecordSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
