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

/** How many of something there are. */
export const count = z.int32().min(0);
