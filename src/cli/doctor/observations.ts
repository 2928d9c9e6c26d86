/** What `doctor` reads of each kind of object: parsed once, here, and nothing more than checks ask. */

import { z } from 'zod';
import type { ClusterQueue } from '../../api/queues.ts';
import type { WorkloadResource } from '../../api/workload-resource.ts';
import type { NodeRecord } from '../../state/node-record.ts';

/** All that may be seen, by kind. */
export interface Observations {
  /** Nodes with GPUs. */
  readonly nodes: readonly NodeRecord[];
  readonly daemonSets: readonly WorkloadResource[];
  readonly deployments: readonly WorkloadResource[];
  readonly clusterQueues: readonly ClusterQueue[];
  /** ConfigMaps of Kueue. */
  readonly kueueConfiguration: readonly ConfigMap[];
  /** ConfigMaps in which cluster-autoscaler says how it is, also where its pods cannot be seen. */
  readonly autoscalerStatus: readonly ConfigMap[];
  readonly webhooks: readonly Webhook[];
  readonly services: readonly Named[];
  readonly endpointSlices: readonly EndpointSlice[];
  readonly definitions: readonly Definition[];
  readonly leases: readonly Lease[];
  /** ms by which this machine's clock is ahead of the API server's. */
  readonly clock: { readonly aheadMs: number; readonly uncertaintyMs: number };
}
export type Kind = keyof Observations;

export interface Named {
  readonly namespace: string;
  readonly name: string;
}

export interface ConfigMap extends Named {
  readonly data: Readonly<Record<string, string>>;
}

/** One webhook of a MutatingWebhookConfiguration. */
export interface Webhook {
  /** Of the MutatingWebhookConfiguration. */
  readonly configuration: string;
  readonly name: string;
  /** Undefined where it is called at a URL. */
  readonly service: Named | undefined;
  readonly hasCaBundle: boolean;
  readonly failurePolicy: string;
  /** Whether it is asked when a pod is created. */
  readonly seesNewPods: boolean;
}

export interface EndpointSlice {
  readonly service: Named;
  readonly ready: number;
}

/** A CustomResourceDefinition. */
export interface Definition {
  readonly name: string;
  readonly established: boolean;
  readonly versions: readonly { readonly name: string; readonly served: boolean; readonly schema: unknown }[];
}

export interface Lease extends Named {
  readonly holder: string;
  /** ms since the epoch; NaN if it was never renewed. */
  readonly renewedAt: number;
  readonly durationMs: number;
}

const strings = z.array(z.string()).nullish();
const stringMap = z.record(z.string(), z.string()).nullish();
const metadata = z.object({ name: z.string(), namespace: z.string().nullish(), labels: stringMap });

export const configMapSchema = z
  .object({ metadata, data: stringMap })
  .transform(({ metadata, data }): ConfigMap => ({ ...named(metadata), data: data ?? {} }));

const rule = z.object({ operations: strings, apiGroups: strings, resources: strings });
const webhook = z.object({
  name: z.string(),
  clientConfig: z.object({
    caBundle: z.string().nullish(),
    service: z.object({ namespace: z.string(), name: z.string() }).nullish(),
  }),
  failurePolicy: z.string().nullish(),
  rules: z.array(rule).nullish(),
});

export const webhookConfigurationSchema = z
  .object({ metadata, webhooks: z.array(webhook).nullish() })
  .transform(({ metadata, webhooks }): Webhook[] =>
    (webhooks ?? []).map(({ name, clientConfig: { caBundle, service }, failurePolicy, rules }) => ({
      configuration: metadata.name,
      name,
      service: service ?? undefined,
      hasCaBundle: Boolean(caBundle),
      failurePolicy: failurePolicy ?? 'Fail',
      seesNewPods: (rules ?? []).some(isOfNewPods),
    })),
  );

function isOfNewPods({ operations, apiGroups, resources }: z.infer<typeof rule>): boolean {
  const has = (list: readonly string[] | null | undefined, ...wanted: readonly string[]) =>
    (list ?? []).some((entry) => wanted.includes(entry));
  return has(operations, 'CREATE', '*') && has(apiGroups, '', '*') && has(resources, 'pods', '*', '*/*');
}

export const serviceSchema = z.object({ metadata }).transform(({ metadata }) => named(metadata));

/** Label of an EndpointSlice: the Service that it belongs to. */
export const SERVICE_LABEL = 'kubernetes.io/service-name';

export const endpointSliceSchema = z
  .object({
    metadata,
    endpoints: z.array(z.object({ conditions: z.object({ ready: z.boolean().nullish() }).nullish() })).nullish(),
  })
  .transform(
    ({ metadata, endpoints }): EndpointSlice => ({
      service: { namespace: named(metadata).namespace, name: metadata.labels?.[SERVICE_LABEL] ?? '' },
      // Not known counts as ready. Source: Kubernetes, `EndpointConditions`.
      ready: (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false).length,
    }),
  );

export const definitionSchema = z
  .object({
    metadata,
    spec: z.object({
      versions: z.array(
        z.object({
          name: z.string(),
          served: z.boolean(),
          schema: z.object({ openAPIV3Schema: z.unknown() }).nullish(),
        }),
      ),
    }),
    status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).nullish() }).nullish(),
  })
  .transform(
    ({ metadata, spec, status }): Definition => ({
      name: metadata.name,
      // Manifests have no status.
      established:
        !status?.conditions ||
        status.conditions.some(({ type, status }) => type === 'Established' && status === 'True'),
      versions: spec.versions.map(({ name, served, schema }) => ({ name, served, schema: schema?.openAPIV3Schema })),
    }),
  );

export const leaseSchema = z
  .object({
    metadata,
    spec: z.object({
      holderIdentity: z.string().nullish(),
      renewTime: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
    }),
  })
  .transform(
    ({ metadata, spec }): Lease => ({
      ...named(metadata),
      holder: spec.holderIdentity ?? '',
      renewedAt: Date.parse(spec.renewTime ?? ''),
      durationMs: (spec.leaseDurationSeconds ?? 0) * 1_000,
    }),
  );

function named({ name, namespace }: z.infer<typeof metadata>): Named {
  return { name, namespace: namespace ?? 'default' };
}
