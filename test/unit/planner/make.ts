/** What the planner works on: nodes and pods as the API server stores them, and a client that remembers what it is told. */

import { z } from 'zod';
import { type Configuration, configurationSchema } from '#src/api/configuration.ts';
import { SHARED_GPU } from '#src/core/resources.ts';
import { type CallOptions, KubeError } from '#src/kube/kube-client.ts';
import type { PendingPod } from '#src/state/pending-pods.ts';
import { exclusiveNode, type GpuNodeOptions } from '../../objects/nodes.ts';

export const NODE_CONFIGS = '/apis/gpuautoscaler.io/v1alpha1/gpunodeconfigs';

/** Everything may be changed without asking anybody, unless said otherwise; `sharing` as the file has it. */
export function configurationOf({ sharing = {}, reconciler = {} } = {}): Configuration {
  const auto = { autoConfig: true };
  return configurationSchema.parse({ sharing: { mig: auto, mps: auto, timeSlicing: auto, ...sharing }, reconciler });
}

/** A node of whole A100-40 whose kubelet is ready. */
export function readyNode(options: GpuNodeOptions): object {
  const node = exclusiveNode(options);
  return { ...node, status: { ...node.status, conditions: [{ type: 'Ready', status: 'True' }] } };
}

/** The record of a pod that waits for one slot of a shared GPU. */
export function pendingPod(name: string, options: Partial<PendingPod> = {}): PendingPod {
  return {
    uid: name,
    namespace: 'team',
    name,
    priority: 0,
    createdAt: 0,
    nodeConstraints: [],
    tolerations: [],
    unjudged: undefined,
    workload: { kind: 'Pod', namespace: 'team', name },
    request: {
      resources: [{ resource: SHARED_GPU, count: 1, largestContainer: 1 }],
      mode: undefined,
      slotMiB: undefined,
      slotMilli: undefined,
    },
    size: { cpu: 0, memory: 0, pods: 1 },
    policy: undefined,
    ...options,
  };
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

const storedSchema = z.looseObject({ metadata: z.looseObject({}) });
const eventSchema = z.object({
  reason: z.string(),
  involvedObject: z.object({ kind: z.string(), name: z.string() }),
});

/** Stores whatever it is sent, and sends it back. */
export class RecordingClient {
  readonly calls: Call[] = [];
  /** HTTP statuses that the next writes of GPUNodeConfigs meet; 0: no reply comes. */
  readonly faults: number[] = [];

  readonly json = async (method: string, path: string, { body, maySend }: CallOptions = {}): Promise<unknown> => {
    if (maySend && !maySend()) throw new KubeError('not sent', 403);
    this.calls.push({ method, path, body });
    const fault = path.startsWith(NODE_CONFIGS) ? this.faults.shift() : undefined;
    if (fault !== undefined) throw new KubeError('as the test wants it', fault || undefined);
    if (path.includes('/events/')) return {};
    const { metadata, ...rest } = storedSchema.parse(body);
    return { ...rest, metadata: { resourceVersion: '1', generation: 1, uid: 'u', ...metadata } };
  };

  get methods(): string[] {
    return this.calls.map(({ method }) => method);
  }

  /** Writes of GPUNodeConfigs. */
  get writes(): Call[] {
    return this.calls.filter(({ path }) => path.startsWith(NODE_CONFIGS));
  }

  /** `Planned GPUNodeConfig a`: events, in their order. */
  get events(): string[] {
    return this.calls.flatMap(({ path, body }) => {
      if (!path.endsWith('/events')) return [];
      const { reason, involvedObject } = eventSchema.parse(body);
      return [`${reason} ${involvedObject.kind} ${involvedObject.name}`];
    });
  }
}
