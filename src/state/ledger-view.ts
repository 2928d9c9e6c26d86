/** The ledger: who holds what, by what the API server says of nodes and pods. */

import { Ledger } from '../core/ledger.ts';
import type { NodeRecord } from './node-record.ts';
import type { PodRecord } from './pod-record.ts';
import type { Listener, Store } from './store.ts';

/** A ledger that follows the stores. The binder makes reservations in it. */
export function ledgerOf(nodes: Store<NodeRecord>, pods: Store<PodRecord>): Ledger {
  const ledger = new Ledger();
  /** Nodes that pods have left without being seen to, until the list that showed it has been taken as a whole. */
  const left = new Set<string>();
  /** Pods that hold slots, by their records. */
  let holding = 0;

  // What a list confirms is set right here too, should it ever have gone wrong.
  const unchanged = true;
  const nodeChanged: Listener<NodeRecord> = ({ key, before, after }) => {
    const inventory = after?.inventory;
    // Heartbeats change nothing that matters here: the node's version must not move for them.
    if (inventory && inventory === before?.inventory && ledger.find(key)?.inventory === inventory) return;
    if (inventory) ledger.setNode(inventory);
    else ledger.removeNode(key);
  };
  const podChanged: Listener<PodRecord> = ({ key: uid, before, after }) => {
    const request = after?.gpu?.request;
    holding += Number(holdsSlots(after)) - Number(holdsSlots(before));
    if (!after || !request || after.finished) {
      const node = before && ledger.allocationOf(uid)?.node;
      if (node !== undefined) left.add(node);
      ledger.release(uid);
    } else if (after.node !== undefined) {
      // Its phase alone: most changes of bound pods are no more.
      if (before && before !== after && holdsAlike(before, after)) return;
      const expected = new Map(expectations(after));
      const pod = `${after.namespace}/${after.name}`;
      const { resources, user } = request;
      ledger.allocate({ uid, pod, node: after.node, state: 'confirmed', resources, user, expected });
    } else if (ledger.allocationOf(uid)?.state === 'confirmed') {
      // A pod never leaves its node but by going: if it was held as bound, that was wrong.
      ledger.release(uid);
    }
  };
  nodes.follow(nodeChanged, { unchanged });
  pods.follow(podChanged, { unchanged });

  pods.onReplaced(() => {
    // All of them are there, each once: nothing is left to be set right.
    if (ledger.confirmed !== holding) releaseAbsent();
    // The pods that took the place of others are expected on their GPUs.
    for (const node of left) ledger.placeAgain(node);
    left.clear();
  });

  function releaseAbsent(): void {
    for (const { uid, state, node } of ledger.allocations()) {
      // A reservation of a pod that was never seen stays: the list may be from before the pod.
      if (state === 'reserved' || pods.get(uid)) continue;
      left.add(node);
      ledger.release(uid);
    }
  }
  return ledger;
}

function holdsAlike(before: PodRecord, after: PodRecord): boolean {
  const [was, is] = [before.gpu, after.gpu];
  return (
    before.node === after.node &&
    before.finished === after.finished &&
    was?.request === is?.request &&
    was?.allocation === is?.allocation
  );
}

function holdsSlots(record: PodRecord | undefined): boolean {
  return record?.node !== undefined && !record.finished && record.gpu?.request !== undefined;
}

/** The GPUs that the allocation record expects, by resource; nothing if it was made for another node. */
function* expectations({ gpu, node }: PodRecord): Iterable<[string, readonly number[]]> {
  const record = gpu?.allocation;
  if (!record || record.node !== node) return;
  for (const { resource, gpus = [] } of [record, ...(record.others ?? [])]) yield [resource, gpus];
}
