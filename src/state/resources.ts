/** Amounts of cpu, memory and pods: what a node has, and what pods ask for. */

import { effectiveAmount } from '../core/request.ts';
import { parseAmount } from '../core/units.ts';
import type { SizedPod } from './gpu-request.ts';

/** cpu in milli-cores, memory in MiB. */
export interface Resources {
  readonly cpu: number;
  readonly memory: number;
  readonly pods: number;
}

export const NO_RESOURCES: Resources = { cpu: 0, memory: 0, pods: 0 };

type Quantities = Readonly<Record<string, string>>;

/** What a node has; rounded down, and 0 for what is not there or no quantity. */
export function allocatableResources({ cpu, memory, pods }: Quantities): Resources {
  return {
    cpu: parseAmount(cpu, 'milli', 'down'),
    memory: parseAmount(memory, 'MiB', 'down'),
    pods: parseAmount(pods, 'one', 'down'),
  };
}

/** What a pod asks for, by the effective request; rounded up. Source: Kubernetes, "Resource Management for Pods and Containers". */
export function requestedResources({ spec }: SizedPod): Resources {
  const init = (spec.initContainers ?? []).map(sized);
  const main = spec.containers.map(sized);
  return {
    cpu: effectiveAmount(init, main, ({ cpu }) => cpu),
    memory: effectiveAmount(init, main, ({ memory }) => memory),
    pods: 1,
  };
}

function sized({ resources, restartPolicy }: SizedPod['spec']['containers'][number]) {
  const { requests, limits } = resources ?? {};
  return {
    cpu: parseAmount(requests?.cpu ?? limits?.cpu, 'milli', 'up'),
    memory: parseAmount(requests?.memory ?? limits?.memory, 'MiB', 'up'),
    sidecar: restartPolicy === 'Always',
  };
}
