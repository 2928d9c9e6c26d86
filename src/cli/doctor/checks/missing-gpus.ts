/** Nodes that have GPUs by their labels, and offer none. */

import { defineCheck } from '../check.ts';
import { countOf } from '../phrases.ts';
import { isAbandoned } from './mig-state.ts';

export const missingGpus = defineCheck({
  name: 'missing-gpus',
  about: 'nodes that have GPUs by their labels and offer none',
  needs: ['nodes'],
  uses: ['daemonSets'],
  run: ({ nodes, daemonSets }) => {
    const names = nodes
      .filter(({ inventory }) => inventory && inventory.gpus > 0 && inventory.pools.length === 0)
      .filter((node) => !node.inventory?.inTransition || (daemonSets && isAbandoned(node, daemonSets)))
      .map(({ name }) => name);
    if (names.length === 0) return [];
    return [
      {
        severity: 'error',
        message: `${countOf('node', names)} offer${names.length === 1 ? 's' : ''} no GPU, though the labels tell of some`,
        fix: "read the log of the device plugin's pod on the node, and check that the driver works (nvidia-smi)",
        objects: names,
      },
    ];
  },
});
