/** A GPUSharingPolicy as it is stored, with what is wrong with it, if anything is. */

import { z } from 'zod';
import { parseSharingPolicy, type SharingPolicyStatus, sharingPolicyStatusSchema } from '../api/sharing-policy.ts';
import type { SharingPolicy } from '../core/admission/policy.ts';
import type { Parsed } from '../core/units.ts';
import type { OnInvalidObject, Reading } from './store.ts';

export interface PolicyRecord {
  readonly name: string;
  /** Moves with the spec. */
  readonly generation: number;
  /** The reason of a refusal names the fields. */
  readonly parsed: Parsed<SharingPolicy>;
  /** The status as it is stored; undefined if it cannot be read: then it is written again. */
  readonly status: SharingPolicyStatus | undefined;
}

const storedSchema = z.object({
  metadata: z.object({ name: z.string(), generation: z.number().default(0), resourceVersion: z.string().optional() }),
  status: z.unknown().optional(),
});

export function readPolicy(object: unknown, warn: OnInvalidObject): Reading<PolicyRecord> | undefined {
  const stored = storedSchema.safeParse(object);
  if (!stored.success) return undefined;
  const { name, generation, resourceVersion } = stored.data.metadata;
  const parsed = parseSharingPolicy(object);
  // Its status says so as well, for its author.
  if (!parsed.ok) warn('a GPUSharingPolicy cannot be read and is left out', { name, faults: parsed.reason });
  const status = sharingPolicyStatusSchema.safeParse(stored.data.status).data;
  return { key: name, resourceVersion, record: { name, generation, parsed, status } };
}
