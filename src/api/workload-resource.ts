/** Workload resources of Kubernetes, read for what they run, where, and with which settings. */

import { z } from 'zod';
import type { NodeConstraints } from '../core/admission/slot-index.ts';
import { nodeConstraintsOf, waitingPodSchema } from './admission-pod.ts';

/** A DaemonSet or a Deployment, of whose pods it says where they run and what. */
export interface WorkloadResource {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly containers: readonly Container[];
  /** Nodes that its pods may go to; empty: all. */
  readonly constraints: NodeConstraints;
  /** ConfigMaps that its pods mount. */
  readonly configMaps: readonly string[];
  /** Pods that are available. */
  readonly available: number;
}

export interface Container {
  readonly image: string;
  /** Command and arguments in one line. */
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
}

const strings = z.array(z.string()).nullish();
const metadata = z.object({
  name: z.string(),
  namespace: z.string().nullish(),
  labels: z.record(z.string(), z.string()).nullish(),
});

const container = z.object({
  image: z.string().nullish(),
  command: strings,
  args: strings,
  env: z.array(z.object({ name: z.string(), value: z.string().nullish() })).nullish(),
});

export const workloadResourceSchema = z
  .object({
    metadata,
    spec: z.object({
      template: z.object({
        spec: waitingPodSchema.shape.spec.extend({
          containers: z.array(container),
          volumes: z.array(z.object({ configMap: z.object({ name: z.string().nullish() }).nullish() })).nullish(),
        }),
      }),
    }),
    status: z.object({ availableReplicas: z.number().nullish(), numberAvailable: z.number().nullish() }).nullish(),
  })
  .transform(({ metadata, spec, status }): WorkloadResource => {
    const pod = spec.template.spec;
    return {
      namespace: metadata.namespace ?? 'default',
      name: metadata.name,
      labels: metadata.labels ?? {},
      containers: pod.containers.map(({ image, command, args, env }) => ({
        image: image ?? '',
        command: [...(command ?? []), ...(args ?? [])].join(' '),
        env: Object.fromEntries((env ?? []).map(({ name, value }) => [name, value ?? ''])),
      })),
      constraints: nodeConstraintsOf(pod),
      configMaps: (pod.volumes ?? []).flatMap(({ configMap }) => configMap?.name ?? []),
      available: status?.availableReplicas ?? status?.numberAvailable ?? 0,
    };
  });
