/** NodeOverlays: what Karpenter has to expect of a new node besides what its instance type has. */

import { INSTANCE_TYPE, KARPENTER_NODE_POOL } from '../../api/keys.ts';
import type { Generated } from './documents.ts';
import { type NodeGroup, reasonsOf, titleOf } from './node-groups.ts';

/** Wins over NodeOverlays without a weight; two of one weight for one resource are a conflict. Source: Karpenter 1.15, `nodeoverlay/store.go`. */
const WEIGHT = 10;

export function karpenter(groups: readonly NodeGroup[]): Generated {
  const notes: string[] = [];
  const documents = groups.flatMap((group) => {
    const { pool, instanceType } = group;
    if (pool?.label !== KARPENTER_NODE_POOL) {
      notes.push(`${titleOf(group)} is passed over: its nodes are not of Karpenter (no label ${KARPENTER_NODE_POOL})`);
      return [];
    }
    const requirements = [
      { key: KARPENTER_NODE_POOL, operator: 'In', values: [pool.name] },
      ...(instanceType === undefined ? [] : [{ key: INSTANCE_TYPE, operator: 'In', values: [instanceType] }]),
    ];
    const value = {
      apiVersion: 'karpenter.sh/v1alpha1',
      kind: 'NodeOverlay',
      metadata: { name: nameOf(group) },
      // nvidia.com/gpu as well: an overlay replaces what the instance type has. Source: Karpenter 1.15, `ApplyCapacityOverlay`.
      spec: { weight: WEIGHT, requirements, capacity: capacityOf(group) },
    };
    return [{ comments: reasonsOf(group), value }];
  });
  return { documents, notes };
}

/** Quantities are strings: YAML's numbers would do, but kubectl diff shows strings. */
function capacityOf({ offers }: NodeGroup): Record<string, string> {
  return Object.fromEntries([...offers].map(([resource, count]) => [resource, String(count)]));
}

/** A DNS subdomain. */
function nameOf({ pool, instanceType, product }: NodeGroup): string {
  const words = ['gpu-autoscaler', pool?.name, instanceType ?? product].filter((word) => word !== undefined);
  return words
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9.-]/g, '-')
    .slice(0, 253)
    .replace(/[^a-z0-9]+$/, '');
}
