/** Nodes that we would change through NVIDIA's components. */

import type { Configuration } from '../../api/configuration.ts';
import { migClassOf } from '../../core/gpu-catalog.ts';
import type { NodeRecord } from '../../state/node-record.ts';

/** Nodes whose partitions we would change, as far as the node itself allows it. */
export function repartitionable(nodes: readonly NodeRecord[], { reconciler }: Configuration): NodeRecord[] {
  return reconciler.enabled ? nodes.filter(({ observed }) => observed.gpus !== undefined) : [];
}

/** Whether MIG would be among the ways in which we share the node's GPUs. */
export function wouldCut({ facts }: NodeRecord, { sharing }: Configuration): boolean {
  return sharing.mig.enabled && !facts.noMig && migClassOf(facts.product) !== undefined;
}
