/** The parts of Kubernetes objects that we read, as schemas. Everything else is dropped at the edge. */

import { z } from 'zod';

const stringMap = z.record(z.string(), z.string()).nullish();

/** The API server always sends strings; hand-written JSON may hold a number. */
const quantities = z.record(z.string(), z.union([z.string(), z.number().transform(String)])).nullish();

/** The user that a container's processes have, by the pod's own word. */
export const securityContextSchema = z.object({ runAsUser: z.number().nullish() }).nullish();

export const containerSchema = z.object({
  name: z.string().optional(),
  restartPolicy: z.string().nullish(),
  resources: z.object({ requests: quantities, limits: quantities }).nullish(),
  securityContext: securityContextSchema,
});

const metadata = z.object({
  name: z.string().optional(),
  generateName: z.string().optional(),
  namespace: z.string().optional(),
  uid: z.string().optional(),
  labels: stringMap,
  annotations: stringMap,
  creationTimestamp: z.string().nullish(),
  deletionTimestamp: z.string().nullish(),
});

/** Whether there is anything in a list is all that matters. */
const entries = z.array(z.unknown()).nullish();
const preferences = z.object({ preferredDuringSchedulingIgnoredDuringExecution: entries }).nullish();

/** What of affinity matters: whether the pod is made for one node, as those of a DaemonSet are, and whether it prefers any. */
const affinity = z.object({
  nodeAffinity: z
    .object({
      requiredDuringSchedulingIgnoredDuringExecution: z
        .object({ nodeSelectorTerms: z.array(z.object({ matchFields: entries })).nullish() })
        .nullish(),
      preferredDuringSchedulingIgnoredDuringExecution: entries,
    })
    .nullish(),
  podAffinity: preferences,
  podAntiAffinity: preferences,
});

export const tolerationSchema = z.object({
  key: z.string().nullish(),
  operator: z.string().nullish(),
  value: z.string().nullish(),
  effect: z.string().nullish(),
});

export const taintSchema = z.object({ key: z.string(), value: z.string().nullish(), effect: z.string() });

export const podSchema = z.object({
  metadata,
  spec: z.object({
    nodeName: z.string().nullish(),
    schedulerName: z.string().nullish(),
    affinity: affinity.nullish(),
    tolerations: z.array(tolerationSchema).nullish(),
    topologySpreadConstraints: z.array(z.object({ whenUnsatisfiable: z.string().nullish() })).nullish(),
    resourceClaims: entries,
    securityContext: securityContextSchema,
    containers: z.array(containerSchema).min(1),
    initContainers: z.array(containerSchema).nullish(),
  }),
  status: z.object({ phase: z.string().nullish() }).nullish(),
});
export type Pod = z.infer<typeof podSchema>;
export type Container = z.infer<typeof containerSchema>;

/** Succeeded or Failed: what it held is free again. A terminating pod is not finished. */
export function hasFinished({
  status,
}: {
  readonly status?: { readonly phase?: string | null | undefined } | null | undefined;
}): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** `containers.0.resources: expected object`: the first faults of a failed parse, for people. */
export function formatIssues(error: z.ZodError): string {
  return error.issues
    .slice(0, 3)
    .map(({ path, message }) => `${path.length > 0 ? path.map(segment).join('.') : 'body'}: ${message}`)
    .join('; ');
}

/** A key may be of any length: it must not fill a log. */
function segment(part: PropertyKey): string {
  const text = String(part);
  return text.length > 100 ? `${text.slice(0, 97)}...` : text;
}
