/** A cluster state fed by hand. */

import { WHOLE_GPU } from '#src/core/resources.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { takeList } from '../../fakes/listing.ts';
import { exclusiveNode } from '../../objects/nodes.ts';
import { storedPod } from '../../objects/pods.ts';

export const NODE = 'gpu-node-01';

export interface PodOptions {
  readonly node?: string;
  readonly phase?: string;
  readonly count?: number;
  /** Expected GPU of its one slot, by its allocation record. */
  readonly gpu?: number;
  readonly recordedNode?: string;
  readonly terminating?: boolean;
}

/** A pod of that name and uid. */
export function pod(uid: string, options: PodOptions = {}): object {
  const { node, phase = node ? 'Running' : 'Pending', count = 1, gpu, recordedNode = node, terminating } = options;
  const record = { v: 1, node: recordedNode, strategy: 'bestfit', mode: 'exclusive', resource: WHOLE_GPU, count: 1 };
  const text = gpu === undefined ? undefined : JSON.stringify({ ...record, milliGpu: 1000, gpus: [gpu] });
  const metadata = {
    ...(text && { annotations: { 'gpu-autoscaler.io/allocation': text } }),
    ...(terminating && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
  };
  return storedPod({ name: uid, resources: { [WHOLE_GPU]: count }, nodeName: node, phase, metadata });
}

/** A state of one node with four whole GPUs. */
export function setUp() {
  const complaints: string[] = [];
  const state = new ClusterState((message, details) => complaints.push(`${message}: ${JSON.stringify(details)}`));
  const { ledger } = state;
  const reserve = (uid: string, node = NODE) =>
    ledger.allocate({
      uid,
      pod: `team/${uid}`,
      node,
      state: 'reserved',
      resources: [{ resource: WHOLE_GPU, count: 1 }],
    });
  const list = (...pods: object[]) => takeList(state.pods, pods);
  const free = (node = NODE) => ledger.freeSlots(node, WHOLE_GPU);
  const gpusOf = (uid: string) => ledger.allocationOf(uid)?.holdings.flatMap(({ gpus }) => gpus);
  takeList(state.nodes, [exclusiveNode({ name: NODE, gpus: 4 })]);
  return { state, ledger, complaints, reserve, list, free, gpusOf };
}
