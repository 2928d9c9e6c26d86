/** The wire format between the API server and admission webhooks (`admission.k8s.io/v1`). */

import { z } from 'zod';

export const admissionReviewSchema = z.object({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  request: z.object({
    uid: z.string().min(1),
    operation: z.string(),
    kind: z.object({ group: z.string(), version: z.string(), kind: z.string() }).partial().nullish(),
    subResource: z.string().nullish(),
    /** The object's own metadata may lack it on CREATE. */
    namespace: z.string().nullish(),
    dryRun: z.boolean().nullish(),
    object: z.unknown(),
  }),
});
export type AdmissionRequest = z.infer<typeof admissionReviewSchema>['request'];

/** What we answer: the pod is always allowed. */
export interface AdmissionReviewReply {
  readonly apiVersion: 'admission.k8s.io/v1';
  readonly kind: 'AdmissionReview';
  readonly response: {
    readonly uid: string;
    readonly allowed: true;
    readonly patchType?: 'JSONPatch';
    /** base64 of a JSON Patch; absent if nothing changes. */
    readonly patch?: string;
    /** Messages for the client that creates the pod; kubectl prints them. */
    readonly warnings?: readonly string[];
  };
}
