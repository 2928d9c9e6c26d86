/** A node of two A100-40 as the API server shows it, and the situations that the reconciler may find it in. */

import type { Partition } from '#src/core/partitioning/partition.ts';
import { wholeGpus } from '#src/core/partitioning/partition.ts';
import { migConfig, pluginConfig } from '#src/reconciler/named-config.ts';
import type { DesiredState, NodeSituation, Times } from '#src/reconciler/step.ts';
import type { GpuPod } from '#src/state/gpu-pods.ts';
import type { LastApplied, ObservedNode, Transition } from '#src/state/observed-node.ts';
import { A100_40GB, DISCOVERED } from '../../objects/nodes.ts';
import { observe } from '../../objects/records.ts';

export const PRODUCT = A100_40GB.product;
export const GPU = 'nvidia.com/gpu';
export const SHARED = 'nvidia.com/gpu.shared';
export const SEVENTHS = 'nvidia.com/mig-1g.5gb';
export const HALVES = 'nvidia.com/mig-3g.20gb';
export const PLUGIN = 'nvidia.com/device-plugin.config';
export const MIG = 'nvidia.com/mig.config';
export const STATE = 'nvidia.com/mig.config.state';
export const TRANSITION = 'gpu-autoscaler.io/transition';
export const PARTITION = 'gpu-autoscaler.io/partition';
export const PAUSED = 'nvidia.com/gpu.deploy.device-plugin';

export const WHOLE = wholeGpus(2);
export const SLICED: Partition = { ...WHOLE, sharing: { mode: 'timeslicing', replicas: 4 } };
export const MPS: Partition = { ...WHOLE, sharing: { mode: 'mps', replicas: 8 } };
export const SEVEN: Partition = { layouts: [{ '1g.5gb': 7 }, { '1g.5gb': 7 }], sharing: undefined };
/** Of one GPU only the layout differs from `SEVEN`. */
export const MIXED: Partition = { layouts: [{ '1g.5gb': 7 }, { '3g.20gb': 2 }], sharing: undefined };

/** Round numbers. */
export const TIMES: Times = {
  settle: 6_000,
  propagation: 90_000,
  pluginDeadline: 180_000,
  migDeadline: 600_000,
  retry: 900_000,
  evict: 5_000,
};

export interface NodeParts {
  readonly labels?: Readonly<Record<string, string | undefined>>;
  readonly annotations?: Readonly<Record<string, string | undefined>>;
  readonly allocatable?: Readonly<Record<string, string>>;
  readonly cordoned?: boolean;
}

export function nodeObject({ labels, annotations, allocatable = { [GPU]: '2' }, cordoned }: NodeParts = {}): object {
  return {
    metadata: {
      name: 'a',
      resourceVersion: '1',
      labels: defined({ ...DISCOVERED, ...labels }),
      annotations: defined(annotations),
    },
    spec: { ...(cordoned && { unschedulable: true }) },
    status: { allocatable },
  };
}

function defined(texts: Readonly<Record<string, string | undefined>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).flatMap(([key, text]) => (text === undefined ? [] : [[key, text]])));
}

export function observed(parts: NodeParts = {}): ObservedNode {
  const node = observe(nodeObject(parts));
  if (!node) throw new Error('this is no node with GPUs');
  return node;
}

/** What the device plugin and GPU Feature Discovery show of it, once it is there. */
export function shown({ layouts, sharing }: Partition): Required<Pick<NodeParts, 'labels' | 'allocatable'>> {
  const allocatable: Record<string, number> = {};
  const labels: Record<string, string> = {
    'nvidia.com/gpu.replicas': String(sharing?.replicas ?? (layouts.every(Boolean) ? 0 : 1)),
    'nvidia.com/gpu.sharing-strategy': { mps: 'mps', timeslicing: 'time-slicing', none: 'none' }[
      sharing?.mode ?? 'none'
    ],
  };
  const add = (resource: string, count: number) => {
    allocatable[resource] = (allocatable[resource] ?? 0) + count;
  };
  for (const layout of layouts) {
    if (!layout) add(sharing ? SHARED : GPU, sharing?.replicas ?? 1);
    for (const [profile, count] of Object.entries(layout ?? {})) {
      const resource = `nvidia.com/mig-${profile.replace('+', '.')}`;
      add(resource, count);
      labels[`${resource}.count`] = String(allocatable[resource]);
    }
  }
  return { labels, allocatable: Object.fromEntries(Object.entries(allocatable).map(([key, n]) => [key, String(n)])) };
}

export const pluginName = (partition: Partition) => pluginConfig(partition, PRODUCT).name;
export const migName = (partition: Partition) => migConfig(partition).name;

export function target(partition: Partition, more: Partial<DesiredState> = {}): DesiredState {
  return {
    config: 'c',
    generation: 1,
    partition,
    plugin: pluginConfig(partition, PRODUCT),
    mig: migConfig(partition),
    whenBusy: 'Wait',
    drainMs: 600_000,
    ...more,
  };
}

/** What the components were told for it; mig-manager only where MIG is in it. */
export function told(partition: Partition, more: Partial<LastApplied> = {}): LastApplied {
  const mig = partition.layouts.some(Boolean) ? { mig: migName(partition) } : {};
  const { layouts, sharing } = partition;
  const same = { layouts: [...layouts], sharing };
  return { config: 'c', generation: 1, plugin: pluginName(partition), ...mig, partition: same, ...more };
}

export function mark(partition: Partition, more: Partial<Transition> = {}): Transition {
  return { ...told(partition), attempt: 0, repairs: [], cordoned: false, ...more };
}

/** The labels by which the components were told so. */
export function triggers({ plugin, mig }: Pick<LastApplied, 'plugin' | 'mig'>): Record<string, string> {
  return { [PLUGIN]: plugin, ...(mig !== undefined && { [MIG]: mig }) };
}

/** At rest, once it was told so and has done so. */
export function settled(partition: Partition, more: Partial<LastApplied> = {}, parts: NodeParts = {}): ObservedNode {
  const record = told(partition, more);
  const { labels, allocatable } = shown(partition);
  return observed({
    allocatable,
    ...parts,
    labels: {
      ...labels,
      ...triggers(record),
      ...(record.mig !== undefined && { [STATE]: 'success' }),
      ...parts.labels,
    },
    annotations: { [PARTITION]: JSON.stringify(record), ...parts.annotations },
  });
}

/** Marked for `to`, of which nobody has been told. */
export function marked(to: Partition, more: Partial<Transition> = {}, parts: NodeParts = {}): ObservedNode {
  return observed({ ...parts, annotations: { [TRANSITION]: JSON.stringify(mark(to, more)), ...parts.annotations } });
}

/** Marked for `to`, and told so; it shows `as`. */
export function underWay(
  to: Partition,
  as: Partition,
  more: Partial<Transition> = {},
  parts: NodeParts = {},
): ObservedNode {
  const is = mark(to, more);
  const { labels, allocatable } = shown(as);
  const { attempt: _, cordoned: __, ...record } = is;
  return observed({
    allocatable,
    ...parts,
    labels: { ...labels, ...triggers(is), ...parts.labels },
    annotations: { [TRANSITION]: JSON.stringify(is), [PARTITION]: JSON.stringify(record), ...parts.annotations },
  });
}

/** The names have been there for long, there is room for one more, and time enough has passed for everything but deadlines. */
export function situation(
  node: ObservedNode,
  wanted: DesiredState | undefined,
  more: Partial<NodeSituation> = {},
): NodeSituation {
  return {
    node,
    desired: wanted,
    gpuPods: [],
    elapsed: 10_000,
    age: () => 3_600_000,
    mayBegin: true,
    drainGivenUp: false,
    times: TIMES,
    ...more,
  };
}

export function holder(name: string, resource: string, more: Partial<GpuPod> = {}): GpuPod {
  const resources = { [resource]: 1 };
  return { uid: name, namespace: 'team', name, resources, nonEvictableReason: undefined, terminating: false, ...more };
}
