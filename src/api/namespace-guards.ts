/** What of a namespace stands in the way of sharing: LimitRanges and ResourceQuotas that speak of GPUs. */

import { z } from 'zod';

const NVIDIA = 'nvidia.com/';
const amounts = z.record(z.string(), z.unknown()).nullish();

const named = z.object({ name: z.string(), namespace: z.string() });

const limitRangeSchema = z.object({
  metadata: named,
  spec: z.object({
    limits: z
      .array(
        z.object({
          max: amounts,
          min: amounts,
          default: amounts,
          defaultRequest: amounts,
          maxLimitRequestRatio: amounts,
        }),
      )
      .nullish(),
  }),
});

const quotaSchema = z.object({ metadata: named, spec: z.object({ hard: amounts }) });

export interface Guard<T> {
  /** `namespace/name` */
  readonly key: string;
  readonly namespace: string;
  readonly value: T;
}

/** NVIDIA's resources of which a LimitRange sets bounds or defaults; undefined for what is none. */
export function parseLimitRange(object: unknown): Guard<readonly string[]> | undefined {
  const parsed = limitRangeSchema.safeParse(object);
  if (!parsed.success) return undefined;
  const { metadata, spec } = parsed.data;
  const names = (spec.limits ?? []).flatMap((limit) => Object.values(limit).flatMap((each) => Object.keys(each ?? {})));
  const value = [...new Set(names)].filter((name) => name.startsWith(NVIDIA));
  return { key: `${metadata.namespace}/${metadata.name}`, namespace: metadata.namespace, value };
}

/** Only requests of extended resources can be counted. Source: Kubernetes, "Resource Quotas". */
const COUNTED = 'requests.';

/** Names of NVIDIA's resources that a ResourceQuota counts; undefined for what is none. */
export function parseQuota(object: unknown): Guard<readonly string[]> | undefined {
  const parsed = quotaSchema.safeParse(object);
  if (!parsed.success) return undefined;
  const { metadata, spec } = parsed.data;
  const value = Object.keys(spec.hard ?? {})
    .filter((key) => key.startsWith(`${COUNTED}${NVIDIA}`))
    .map((key) => key.slice(COUNTED.length));
  return { key: `${metadata.namespace}/${metadata.name}`, namespace: metadata.namespace, value };
}
