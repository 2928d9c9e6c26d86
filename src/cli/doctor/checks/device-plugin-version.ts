/** Device plugins that do not know the allocation policy `packed`, by which the ledger expects slots on GPUs. */

import { defineCheck, type Finding } from '../check.ts';
import { imageOf, versionOf } from '../image.ts';
import { devicePluginIn, placeOf } from '../nvidia.ts';
import type { Workload } from '../observations.ts';

/** The first with `sharedDevicesAllocationPolicy`; older ones ignore it. Source: k8s-device-plugin, release 0.20. */
const PACKED = [0, 20] as const;
const SINCE = PACKED.join('.');
const CONSEQUENCE = 'on which GPU of its node a slot is may differ from what is written down; its node does not';

export const devicePluginVersion = defineCheck({
  name: 'device-plugin',
  about: `NVIDIA device plugins before ${SINCE}, which know no packed allocation`,
  needs: ['daemonSets'],
  uses: ['nodes'],
  run: ({ daemonSets, nodes = [] }) => {
    const plugins = daemonSets.flatMap((set) => {
      const image = devicePluginIn(set)?.image;
      return image === undefined ? [] : [{ set, tag: imageOf(image).tag, version: versionOf(imageOf(image).tag) }];
    });
    if (plugins.length === 0) return nodes.length > 0 ? [absent()] : [];
    return plugins.flatMap(({ set, tag, version }) => {
      if (!version) return [unreadable(set, tag)];
      const [major, minor] = version;
      const isOld = major < PACKED[0] || (major === PACKED[0] && minor < PACKED[1]);
      return isOld ? [old(set, tag)] : [];
    });
  },
});

function old(set: Workload, tag: string): Finding {
  return {
    severity: 'warning',
    message: `the device plugin of DaemonSet ${placeOf(set)} is ${tag}, and packed allocation exists since ${SINCE}: ${CONSEQUENCE}`,
    fix: `update the device plugin to ${SINCE} or newer (devicePlugin.version in the GPU operator)`,
    objects: [placeOf(set)],
  };
}

function unreadable(set: Workload, tag: string): Finding {
  return {
    severity: 'warning',
    message: `the image of the device plugin of DaemonSet ${placeOf(set)} does not tell its version (tag ${JSON.stringify(tag)}), and packed allocation exists since ${SINCE}: ${CONSEQUENCE}`,
    fix: `name the image by a version, ${SINCE} or newer`,
    objects: [placeOf(set)],
  };
}

function absent(): Finding {
  return {
    severity: 'warning',
    message: `no DaemonSet of NVIDIA's device plugin is seen, so another one, or one outside of the cluster's objects, offers the GPUs: ${CONSEQUENCE}`,
    fix: `run NVIDIA's device plugin ${SINCE} or newer where the cluster's operator allows it, or count on nodes alone`,
    objects: [],
  };
}
