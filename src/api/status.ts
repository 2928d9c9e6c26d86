/** What the status of each of our custom resources is made of. */

import { z } from 'zod';

/** RFC 3339. */
export const timestamp = z.iso.datetime({ offset: true });

/** As `metav1.Condition`: at most one of each type. */
export const conditions = z
  .array(
    z.object({
      type: z
        .string()
        .max(316)
        .regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?[/])?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/)
        .describe('What the condition is about, in CamelCase.'),
      status: z.enum(['True', 'False', 'Unknown']),
      observedGeneration: z.int().min(0).optional().describe('metadata.generation that the condition was found for.'),
      lastTransitionTime: timestamp.describe('When the status last changed.'),
      reason: z
        .string()
        .min(1)
        .max(1024)
        .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
        .describe('Why, in one word for programs.'),
      message: z.string().max(32_768).describe('Why, in a sentence for people.'),
    }),
  )
  .max(16)
  .describe('What is known of the object, one condition of each type.')
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });

export type Condition = z.infer<typeof conditions>[number];
/** What was found, before it is known since when. */
export type Finding = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** The time stays while the status does: Kubernetes's convention. */
export function conditionOf(
  finding: Finding,
  generation: number,
  before: readonly Condition[] = [],
  now: Date,
): Condition {
  const same = before.find(({ type, status }) => type === finding.type && status === finding.status);
  return { ...finding, observedGeneration: generation, lastTransitionTime: same?.lastTransitionTime ?? timeOf(now) };
}

/** To the second, as the API server writes its own. */
export function timeOf(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}

/** How many of something there are. */
export const count = z.int32().min(0);
