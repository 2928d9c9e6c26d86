/** An emulated node without an API server: what it writes is kept, and its clock runs a thousand times as fast. */

import { seededRandom } from '../../../../src/core/random.ts';
import { GpuNode, type GpuNodeSpec, type PodOnNode } from '../../../../src/sandbox/gpu-node/node.ts';
import { NVIDIA, scaledClock, type Timing } from '../../../../src/sandbox/gpu-node/timing.ts';

export const A100_NODE: GpuNodeSpec = { name: 'a', gpus: 2, product: 'NVIDIA-A100-SXM4-40GB', memoryMiB: 40_960 };

export interface Emulated {
  readonly node: GpuNode;
  readonly labels: Record<string, string>;
  readonly allocatable: Record<string, string>;
  readonly capacity: Record<string, string>;
  /** By `namespace/name`. */
  readonly pods: Map<string, { phase: string; reason?: string; message?: string }>;
  readonly volumes: { plugin: Record<string, string>; mig: Record<string, string> };
  readonly said: string[];
  /** Whether labels that the node writes are refused. */
  refuseLabels: boolean;
  /** Sets labels as somebody outside does. */
  label(labels: Record<string, string>): void;
}

export function emulate(spec: GpuNodeSpec = A100_NODE, timing: Timing = NVIDIA): Emulated {
  const labels: Record<string, string> = {};
  const allocatable: Record<string, string> = {};
  const capacity: Record<string, string> = {};
  const pods: Emulated['pods'] = new Map();
  const volumes: Emulated['volumes'] = { plugin: {}, mig: {} };
  const said: string[] = [];
  const merge = (into: Record<string, string>, changes: Readonly<Record<string, string | null>>) => {
    for (const [key, value] of Object.entries(changes)) {
      if (value === null) delete into[key];
      else into[key] = value;
    }
  };
  const node = new GpuNode({
    spec,
    clock: scaledClock(1_000),
    timing,
    random: seededRandom(1),
    io: {
      labels: async (changes) => {
        if (emulated.refuseLabels) throw new Error('refused');
        merge(labels, changes);
        node.labelled({ ...labels });
      },
      resources: async (changed, present) => {
        merge(allocatable, changed);
        merge(capacity, present);
      },
      podStatus: async (pod, status) => void pods.set(`${pod.namespace}/${pod.name}`, status as { phase: string }),
      volume: (configMap) => volumes[configMap],
      log: (message) => said.push(message),
    },
  });
  const label = (changes: Record<string, string>) => {
    merge(labels, changes);
    node.labelled({ ...labels });
  };
  const emulated: Emulated = { node, labels, allocatable, capacity, pods, volumes, said, refuseLabels: false, label };
  return emulated;
}

export function pod(name: string, resource: string, count = 1): PodOnNode {
  return { uid: name, namespace: 'team', name, devices: new Map([[resource, count]]), finished: false };
}
