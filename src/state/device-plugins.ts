/** NVIDIA's device plugins, as far as they tell which GPU of a node serves a slot. */

import { covers, devicePluginIn, knowsPacked } from '../api/nvidia-components.ts';
import { namespacedNameOf } from '../api/stored-objects.ts';
import { type WorkloadResource, workloadResourceSchema } from '../api/workload-resource.ts';
import type { NodeRecord } from './node-record.ts';
import { type Reading, resourceVersionOf, Store } from './store.ts';

/** A DaemonSet of the device plugin. */
interface DevicePluginRecord extends Pick<WorkloadResource, 'constraints'> {
  readonly knowsPacked: boolean;
}

export class DevicePlugins {
  readonly daemonSets = new Store<DevicePluginRecord>({ read, keyOf: namespacedNameOf });

  /**
   * Whether the device plugin of the node gives away the slots of one GPU before those of the next: it is known to be one that
   * can, and has the configuration that we have written, which says so.
   */
  packsOn({ labels, observed: { plugin, lastApplied } }: Pick<NodeRecord, 'labels' | 'observed'>): boolean {
    if (plugin === undefined || plugin !== lastApplied?.plugin) return false;
    const here = [...this.daemonSets.values()].filter((set) => covers(set, labels));
    return here.length > 0 && here.every((set) => set.knowsPacked);
  }
}

/** A DaemonSet that runs no device plugin, or cannot be read, has no record. */
function read(object: unknown): Reading<DevicePluginRecord> | undefined {
  const key = namespacedNameOf(object);
  if (key === undefined) return undefined;
  const set = workloadResourceSchema.safeParse(object).data;
  const image = set && devicePluginIn(set)?.image;
  const record =
    !set || image === undefined
      ? undefined
      : { constraints: set.constraints, knowsPacked: knowsPacked(image) ?? false };
  return { key, resourceVersion: resourceVersionOf(object), record };
}
