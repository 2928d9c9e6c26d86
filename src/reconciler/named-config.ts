/**
 * What NVIDIA's components read of a partition: a text for the device plugin and an entry for mig-parted, each under
 * a name that follows from it. Neither component looks at an edited text again, so a name's text never changes, and
 * nodes that are to be the same share it.
 */

import { createHash } from 'node:crypto';
import { CONFIG_PREFIX } from '../api/config-name.ts';
import { migClassOf } from '../core/gpu-catalog.ts';
import { type GpuLayout, layoutGroups, type Partition } from '../core/partitioning/partition.ts';
import { WHOLE_GPU } from '../core/resources.ts';
import { SHARING_MODES } from '../core/sharing-mode.ts';

/** A text or an entry under its name, which is a label's value too: at most 63 characters. */
export interface NamedConfig {
  readonly name: string;
  readonly text: string;
}

/** For the device plugin's ConfigMap. Source of the form: k8s-device-plugin 0.20, `api/config/v1`. */
export function pluginConfig({ layouts, sharing }: Partition, product: string): NamedConfig {
  // MPS is refused under `mixed`; without MIG in the hardware there is nothing to mix.
  const mixed = layouts.some(Boolean) || (sharing?.mode !== 'mps' && migClassOf(product) !== undefined);
  const config = {
    version: 'v1',
    flags: { migStrategy: mixed ? 'mixed' : 'none', plugin: { sharedDevicesAllocationPolicy: 'packed' } },
    ...(sharing && {
      sharing: {
        [SHARING_MODES[sharing.mode].pluginKey]: {
          renameByDefault: true,
          resources: [{ name: WHOLE_GPU, replicas: sharing.replicas }],
        },
      },
    }),
  };
  // JSON is YAML.
  return named(JSON.stringify(config));
}

/**
 * For mig-parted's configuration: every GPU is named, or each run would be taken for a change. Source: mig-parted 0.15,
 * `api/spec/v1`.
 */
export function migConfig(partition: Partition): NamedConfig {
  const groups = layoutGroups(partition);
  const entries = groups.map(({ layout, gpus }) => ({
    devices: groups.length === 1 ? 'all' : gpus,
    'mig-enabled': layout !== undefined,
    ...(layout && { 'mig-devices': sorted(layout) }),
  }));
  return named(JSON.stringify(entries));
}

function sorted(layout: GpuLayout): GpuLayout {
  return Object.fromEntries(Object.entries(layout).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function named(text: string): NamedConfig {
  return { name: `${CONFIG_PREFIX}${createHash('sha256').update(text).digest('hex').slice(0, 12)}`, text };
}
