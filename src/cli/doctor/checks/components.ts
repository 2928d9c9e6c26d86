/** NVIDIA's components on the nodes that we would repartition: they must be there, and read our ConfigMaps. */

import type { Configuration } from '../../../api/configuration.ts';
import { covers, isDevicePlugin, isMigManager, placeOf } from '../../../api/nvidia-components.ts';
import type { WorkloadResource } from '../../../api/workload-resource.ts';
import type { NodeRecord } from '../../../state/node-record.ts';
import { defineCheck, type Finding } from '../check.ts';
import { countOf, namesBy } from '../phrases.ts';
import { repartitionable, wouldCut } from '../repartitionable.ts';

interface Component {
  readonly title: string;
  readonly is: (workload: WorkloadResource) => boolean;
  /** Setting of the GPU operator that names its ConfigMap. */
  readonly setting: string;
  /** What does not come about without it. */
  readonly loss: string;
}

const DEVICE_PLUGIN: Component = {
  title: "NVIDIA's device plugin",
  is: isDevicePlugin,
  setting: 'devicePlugin.config.name',
  loss: 'no partition is changed there',
};
const MIG_MANAGER: Component = {
  title: 'mig-manager',
  is: isMigManager,
  setting: 'migManager.config.name',
  loss: 'MIG is not changed there',
};

export const components = defineCheck({
  name: 'components',
  about: 'device plugin or mig-manager absent, or without our ConfigMap, where partitions would be changed',
  needs: ['nodes', 'daemonSets'],
  run: ({ nodes, daemonSets }, { configuration }) => {
    const { devicePluginConfigMap, migManagerConfigMap } = configuration.reconciler;
    const changed = repartitionable(nodes, configuration);
    const cut = changed.filter((node) => wouldCut(node, configuration));
    return [
      ...faultsOf(DEVICE_PLUGIN, changed, daemonSets, devicePluginConfigMap, configuration),
      ...faultsOf(MIG_MANAGER, cut, daemonSets, migManagerConfigMap, configuration),
    ];
  },
});

function faultsOf(
  { title, is, setting, loss }: Component,
  nodes: readonly NodeRecord[],
  daemonSets: readonly WorkloadResource[],
  configMap: string,
  { reconciler }: Configuration,
): Finding[] {
  const candidates = daemonSets.filter(is);
  const setOn = (node: NodeRecord) => candidates.find((set) => covers(set, node.labels));
  const without = nodes.filter((node) => !setOn(node)).map(({ name }) => name);
  const deaf = namesBy(nodes, (node) => {
    const set = setOn(node);
    const reads = set?.configMaps.includes(configMap) && set.namespace === reconciler.namespace;
    return set && !reads ? placeOf(set) : undefined;
  });
  const absent: Finding = {
    severity: 'warning',
    message: `${title} does not run on ${countOf('node', without)} by a DaemonSet: ${loss}`,
    fix: 'run it there (the GPU operator does), or set reconciler.enabled: false',
    objects: without,
  };
  return [
    ...(without.length > 0 ? [absent] : []),
    ...deaf.map(
      ([set, names]): Finding => ({
        severity: 'warning',
        message: `${title} on ${countOf('node', names)} (DaemonSet ${set}) does not read the ConfigMap ${reconciler.namespace}/${configMap}: ${loss}`,
        fix: `set ${setting} to ${configMap} in the GPU operator, or reconciler.enabled: false`,
        objects: names,
      }),
    ),
  ];
}
