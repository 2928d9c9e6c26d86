/** Shared slots under the name of a whole GPU. */

import { GKE } from '../../../api/keys.ts';
import { SHARED_GPU, WHOLE_GPU } from '../../../core/resources.ts';
import type { NodeRecord } from '../../../state/node-record.ts';
import { defineCheck } from '../check.ts';
import { countOf, namesBy } from '../phrases.ts';

/** Google's device plugin knows no other name. */
const GOOGLES =
  'use node pools without GPU time-sharing or MPS for pods that need whole GPUs: GKE has no other name for slots';
const NVIDIAS = `set renameByDefault: true under sharing in the device plugin's configuration: slots are then called ${SHARED_GPU}`;

export const slotNames = defineCheck({
  name: 'slot-names',
  about: `shared slots under the plain name ${WHOLE_GPU} (renameByDefault: false)`,
  needs: ['nodes'],
  run: ({ nodes }) =>
    namesBy(nodes.filter(sharesPlainly), ({ labels }) =>
      labels[GKE.accelerator] === undefined ? NVIDIAS : GOOGLES,
    ).map(([fix, names]) => ({
      severity: 'warning',
      message: `${WHOLE_GPU} is a slot of a shared GPU on ${countOf('node', names)}: pods that ask for a whole GPU may get a part of one there`,
      fix,
      objects: names,
    })),
});

/** Instances of MIG under that name are another matter. */
function sharesPlainly({ inventory, facts }: NodeRecord): boolean {
  if (!inventory || facts.instance) return false;
  return inventory.pools.some(
    ({ resource, mode, slotMilli }) => resource === WHOLE_GPU && mode !== 'exclusive' && slotMilli > 0,
  );
}
