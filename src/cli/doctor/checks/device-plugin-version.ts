/** Device plugins that do not know the allocation policy `packed`, by which the ledger expects slots on GPUs. */

import { imageOf } from '../../../api/image.ts';
import { devicePluginIn, knowsPacked, PACKED_SINCE, placeOf } from '../../../api/nvidia-components.ts';
import type { WorkloadResource } from '../../../api/workload-resource.ts';
import { defineCheck, type Finding } from '../check.ts';

const CONSEQUENCE = 'on which GPU of its node a slot is may differ from what is written down; its node does not';

export const devicePluginVersion = defineCheck({
  name: 'device-plugin',
  about: `NVIDIA device plugins before ${PACKED_SINCE}, which know no packed allocation`,
  needs: ['daemonSets'],
  uses: ['nodes'],
  run: ({ daemonSets, nodes = [] }) => {
    const plugins = daemonSets.flatMap((set) => {
      const image = devicePluginIn(set)?.image;
      return image === undefined ? [] : [{ set, tag: imageOf(image).tag, packs: knowsPacked(image) }];
    });
    if (plugins.length === 0) return nodes.length > 0 ? [absent()] : [];
    return plugins.flatMap(({ set, tag, packs }) => {
      if (packs === undefined) return [unreadable(set, tag)];
      return packs ? [] : [old(set, tag)];
    });
  },
});

function old(set: WorkloadResource, tag: string): Finding {
  return {
    severity: 'warning',
    message: `the device plugin of DaemonSet ${placeOf(set)} is ${tag}, and packed allocation exists since ${PACKED_SINCE}: ${CONSEQUENCE}`,
    fix: `update the device plugin to ${PACKED_SINCE} or newer (devicePlugin.version in the GPU operator)`,
    objects: [placeOf(set)],
  };
}

function unreadable(set: WorkloadResource, tag: string): Finding {
  return {
    severity: 'warning',
    message: `the image of the device plugin of DaemonSet ${placeOf(set)} does not tell its version (tag ${JSON.stringify(tag)}), and packed allocation exists since ${PACKED_SINCE}: ${CONSEQUENCE}`,
    fix: `name the image by a version, ${PACKED_SINCE} or newer`,
    objects: [placeOf(set)],
  };
}

function absent(): Finding {
  return {
    severity: 'warning',
    message: `no DaemonSet of NVIDIA's device plugin is seen, so another one, or one outside of the cluster's objects, offers the GPUs: ${CONSEQUENCE}`,
    fix: `run NVIDIA's device plugin ${PACKED_SINCE} or newer where the cluster's operator allows it, or count on nodes alone`,
    objects: [],
  };
}
