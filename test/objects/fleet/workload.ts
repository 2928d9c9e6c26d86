/** What a workload of the fleet is: nodes, pods, and what has to become of each. Of what a controller makes pods of, the pods. */

import type { Manifest } from '../../fakes/object-store.ts';
import type { NodeManifest } from '../nodes.ts';

export interface FleetWorkload {
  /** Also the name of its nodes' pool. */
  readonly id: string;
  readonly says: string;
  readonly nodes: readonly NodeManifest[];
  /** What else there is: policies, device classes, what `decide` can make nothing of. */
  readonly others?: readonly Manifest[];
  readonly pods: readonly FleetPod[];
}

export interface FleetPod {
  readonly pod: Manifest;
  /** Default 1. */
  readonly replicas?: number;
  readonly becomes: Becomes;
  /** On a cluster where the pods before it run, if that makes a difference. */
  readonly amongOthers?: Becomes;
  /** Node that it runs on; undefined if it waits. */
  readonly node?: RegExp;
  /** How many of the replicas run; default all, or none without a node. */
  readonly running?: number;
  /** What kube-scheduler says of those that wait. */
  readonly waits?: RegExp;
  /** Of the allocation record. */
  readonly record?: object;
}

export interface Becomes {
  /** Of the resource that it asks for in the end. */
  readonly resource: string;
  /** Annotation `optimization-strategy`; none where it stays as it came. */
  readonly strategy?: string;
  readonly trail?: RegExp;
  /** To its author. */
  readonly warning?: RegExp;
  /** Environment of its container that speaks of MPS, where that matters. */
  readonly env?: Readonly<Record<string, string>>;
}

export const GPU = 'nvidia.com/gpu';
export const SHARED = 'nvidia.com/gpu.shared';
export const KEY = 'gpu-autoscaler.io/';
/** Of a Triton server. */
export const TRITON = 'nvcr.io/nvidia/tritonserver:24.05-py3';
export const inference = { [`${KEY}workload-type`]: 'inference' };
export const TOLERATIONS = [{ key: GPU, operator: 'Exists', effect: 'NoSchedule' }];

export const whole = (trail: RegExp, more: Partial<Becomes> = {}): Becomes => ({
  resource: GPU,
  strategy: 'exclusive',
  trail,
  ...more,
});
export const asItCame = (trail: RegExp): Becomes => ({ resource: GPU, trail });
export const byMps: Becomes = {
  resource: SHARED,
  strategy: 'mps',
  trail: /considered MPS: .* takes a slot of 1\/8 GPU/,
};

interface PodParts {
  readonly image?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Kind of its controller. */
  readonly owner?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Further fields of its container. */
  readonly container?: object;
  readonly limits?: Readonly<Record<string, number>>;
  readonly spec?: object;
}

/** A pod as its author or its controller writes it: limits alone, and no scheduler. */
export function pod(name: string, parts: PodParts = {}): Manifest {
  const { image = 'team/app:1', labels = {}, annotations = {}, owner, env = {}, container, limits, spec } = parts;
  const controller = { apiVersion: 'x/v1', kind: owner, name: 'owner', uid: '1', controller: true };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels, annotations, ...(owner && { ownerReferences: [controller] }) },
    spec: {
      containers: [
        {
          name: 'main',
          image,
          env: Object.entries(env).map(([name, value]) => ({ name, value })),
          resources: { limits: limits ?? { [GPU]: 1 } },
          ...container,
        },
      ],
      ...spec,
    },
  };
}
