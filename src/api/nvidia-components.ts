/** NVIDIA's components as their DaemonSets show them. */

import { type Labels, matches } from '../core/label-selector.ts';
import { imageOf, versionOf } from './image.ts';
import { PAUSED } from './keys.ts';
import type { Container, WorkloadResource } from './workload-resource.ts';

/** Names of images, whatever the registry. Source: NVIDIA's GPU operator and the chart of the device plugin. */
const DEVICE_PLUGIN = 'k8s-device-plugin';
const MIG_MANAGER = /(^|-)mig-manager$/;

/** Other programs in the device plugin's image. Source: k8s-device-plugin 0.20, its chart. */
const BESIDES = /gpu-feature-discovery|mps-control-daemon|config-manager/;

/** The container that runs the device plugin; undefined where the workload has none. */
export function devicePluginIn({ containers }: WorkloadResource): Container | undefined {
  return containers.find(({ image, command }) => imageOf(image).name === DEVICE_PLUGIN && !BESIDES.test(command));
}

export function isDevicePlugin(workload: WorkloadResource): boolean {
  return devicePluginIn(workload) !== undefined;
}

export function isMigManager({ containers }: WorkloadResource): boolean {
  return containers.some(({ image }) => MIG_MANAGER.test(imageOf(image).name));
}

/** Whether pods of the DaemonSet go to a node with these labels; taints are not looked at. */
export function covers({ constraints }: Pick<WorkloadResource, 'constraints'>, labels: Labels): boolean {
  // mig-manager pauses components for a moment.
  const lasting = Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [key, value === PAUSED.value ? 'true' : value]),
  );
  return constraints.length === 0 || constraints.some((selector) => matches(selector, lasting));
}

/** The first device plugin with `sharedDevicesAllocationPolicy`; older ones ignore it. Source: k8s-device-plugin, release 0.20. */
const PACKED = [0, 20] as const;
export const PACKED_SINCE = PACKED.join('.');

/** Whether the device plugin of that image knows the allocation policy `packed`; undefined if its tag does not tell. */
export function knowsPacked(image: string): boolean | undefined {
  const version = versionOf(imageOf(image).tag);
  if (!version) return undefined;
  const [major, minor] = version;
  return major > PACKED[0] || (major === PACKED[0] && minor >= PACKED[1]);
}

/** `namespace/name` of a workload. */
export function placeOf({ namespace, name }: Pick<WorkloadResource, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}
