/** What a record says of GPUs: only what can be known. */

import tap from 'tap';
import { Ledger } from '#src/core/ledger.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { allocationRecord } from '#src/extender/allocation.ts';
import { exclusiveNode, migNode, mpsNode, type NodeManifest, timeSlicingNode } from '../../objects/nodes.ts';
import { inventoryIn } from '../../objects/records.ts';

/** `gpus` of the record of a pod that holds so many slots of the node. */
function gpusOf(manifest: NodeManifest, resource: string, count: number, packs = false) {
  const ledger = new Ledger();
  const inventory = inventoryIn(manifest);
  if (!inventory) throw new Error('a node without GPUs');
  ledger.setNode(inventory);
  const resources = [{ resource, count }];
  const allocation = ledger.allocate({ uid: 'a', pod: 'team/a', node: inventory.name, state: 'reserved', resources });
  return allocationRecord(inventory, allocation, 'bestfit', packs).gpus;
}
const MIG = 'nvidia.com/mig-3g.20gb';
const layout = { '3g.20gb': 2 };

tap.test('one GPU alone can serve the slot', async (t) => {
  t.strictSame(gpusOf(exclusiveNode({ name: 'n', gpus: 1 }), WHOLE_GPU, 1), [0]);
  t.strictSame(gpusOf(mpsNode({ name: 'n', gpus: 1, replicas: 4 }), SHARED_GPU, 1), [0]);
  t.strictSame(gpusOf(migNode({ name: 'n', gpus: 1, layout }), MIG, 1), [0]);
});

tap.test('all that there are', async (t) => {
  t.strictSame(gpusOf(exclusiveNode({ name: 'n', gpus: 4 }), WHOLE_GPU, 4), [0, 1, 2, 3]);
});

tap.test('any of several: the record says the node', async (t) => {
  t.equal(gpusOf(exclusiveNode({ name: 'n', gpus: 4 }), WHOLE_GPU, 1), undefined);
  t.equal(gpusOf(mpsNode({ name: 'n', gpus: 2, replicas: 4 }), SHARED_GPU, 1), undefined);
  t.equal(gpusOf(migNode({ name: 'n', gpus: 2, layout }), MIG, 1), undefined);
});

tap.test('a device plugin that packs: of slots of shared GPUs it is known', async (t) => {
  t.strictSame(gpusOf(mpsNode({ name: 'n', gpus: 2, replicas: 4 }), SHARED_GPU, 1, true), [0]);
  t.strictSame(gpusOf(timeSlicingNode({ name: 'n', gpus: 2, replicas: 4 }), SHARED_GPU, 1, true), [0]);
  t.equal(gpusOf(exclusiveNode({ name: 'n', gpus: 4 }), WHOLE_GPU, 1, true), undefined, 'whole GPUs are not');
  t.equal(gpusOf(migNode({ name: 'n', gpus: 2, layout }), MIG, 1, true), undefined, 'nor are instances');
});
