/** NVIDIA's components as their DaemonSets show them, and the nodes that we would change through them. */

import type { Configuration } from '../../api/configuration.ts';
import { PAUSED } from '../../api/keys.ts';
import { migClassOf } from '../../core/gpu-catalog.ts';
import { matches } from '../../core/label-selector.ts';
import type { NodeRecord } from '../../state/node-record.ts';
import { imageOf } from './image.ts';
import type { Container, Workload } from './observations.ts';

/** Names of images, whatever the registry. Source: NVIDIA's GPU operator and the chart of the device plugin. */
const DEVICE_PLUGIN = 'k8s-device-plugin';
const MIG_MANAGER = 'k8s-mig-manager';

/** Other programs in the device plugin's image. Source: k8s-device-plugin 0.20, its chart. */
const BESIDES = /gpu-feature-discovery|mps-control-daemon|config-manager/;

/** The container that runs the device plugin; undefined where the workload has none. */
export function devicePluginIn({ containers }: Workload): Container | undefined {
  return containers.find(({ image, command }) => imageOf(image).name === DEVICE_PLUGIN && !BESIDES.test(command));
}

export function isDevicePlugin(workload: Workload): boolean {
  return devicePluginIn(workload) !== undefined;
}

export function isMigManager({ containers }: Workload): boolean {
  return containers.some(({ image }) => imageOf(image).name === MIG_MANAGER);
}

/** Whether pods of the DaemonSet go to the node by its labels; taints are not looked at. */
export function covers({ constraints }: Workload, { labels }: NodeRecord): boolean {
  // mig-manager pauses components for a moment.
  const lasting = Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [key, value === PAUSED.value ? 'true' : value]),
  );
  return constraints.length === 0 || constraints.some((selector) => matches(selector, lasting));
}

/** Nodes whose partitions we would change, as far as the node itself allows it. */
export function repartitionable(nodes: readonly NodeRecord[], { reconciler }: Configuration): NodeRecord[] {
  return reconciler.enabled ? nodes.filter(({ observed }) => observed.gpus !== undefined) : [];
}

/** Whether MIG would be among the ways in which we share the node's GPUs. */
export function wouldCut({ facts }: NodeRecord, { sharing }: Configuration): boolean {
  return sharing.mig.enabled && !facts.noMig && migClassOf(facts.product) !== undefined;
}

/** `namespace/name` of a workload. */
export function placeOf({ namespace, name }: Workload): string {
  return `${namespace}/${name}`;
}
