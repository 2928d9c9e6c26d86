/** A change in words. */

import type { CandidateChange } from './candidate-changes.ts';
import type { CandidateNode } from './candidate-node.ts';
import { changedGpus, describePartition } from './partition.ts';
import type { Change } from './plan-input.ts';

/** @param served pods by the resource that they hold */
export function describeChange(
  site: CandidateNode,
  { to, recommendOnly }: CandidateChange,
  served: readonly { readonly resource: string; readonly pods: readonly string[] }[],
): Change {
  const from = site.node.partition ?? to;
  const gpusChanged = changedGpus(from, to);
  const byResource = new Map<string, number>();
  for (const { resource, pods } of served) byResource.set(resource, (byResource.get(resource) ?? 0) + pods.length);
  const serves = served.flatMap(({ pods }) => pods);
  const rooms = [...byResource].map(([resource, pods]) => `${pods} that ask for ${resource}`);
  const why =
    `makes room for ${serves.length === 1 ? '1 pod' : `${serves.length} pods`} (${rooms.join(', ')}) by changing ` +
    `${gpusChanged.length} of ${site.gpus} ${site.gpus === 1 ? 'GPU' : 'GPUs'} that nobody uses: from ` +
    `${describePartition(from)} to ${describePartition(to)}`;
  return { node: site.name, from, to, serves, gpusChanged, recommendOnly, why };
}
