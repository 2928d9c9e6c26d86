/** How Kueue counts slots: every kind of GPU and of slot as milli-GPU, one integer for all of them. */

import { QUOTA } from '../../api/keys.ts';
import { WHOLE_GPU } from '../../core/resources.ts';
import type { NodeRecord } from '../../state/node-record.ts';
import { countOf } from '../doctor/phrases.ts';
import type { Generated } from './documents.ts';
import { type NodeGroup, reasonsOf } from './node-groups.ts';

const NAME = 'gpu-autoscaler';

/** @param nodes all that have GPUs: the quota is of all of them */
export function kueue(groups: readonly NodeGroup[], nodes: readonly NodeRecord[]): Generated {
  const prices = new Map<string, number>([[WHOLE_GPU, 1000]]);
  const notes = new Set<string>();
  const offered = nodes.flatMap(({ inventory }) => inventory?.pools ?? []);
  const slots = offered.filter(({ resource, slotMilli }) => resource !== WHOLE_GPU && slotMilli > 0);
  // What nodes of no group offer is asked for as well.
  for (const milli of [
    ...groups.map((group) => group.milli),
    slots.map((pool) => [pool.resource, pool.slotMilli] as const),
  ]) {
    for (const [resource, share] of milli) {
      const before = prices.get(resource) ?? share;
      if (before !== share) notes.add(uneven(resource, before, share));
      // The dearer: no queue is then promised more than there is.
      prices.set(resource, Math.max(before, share));
    }
  }
  const transformations = [...prices].map(([input, share]) => ({
    input,
    strategy: 'Replace',
    outputs: { [QUOTA.milliGpu]: share },
  }));
  const quotas = quotasOf(nodes);
  const resources = Object.entries(quotas).map(([name, nominalQuota]) => ({ name, nominalQuota }));
  return {
    notes: [...notes, ...plainSlots(nodes), ...unsized(nodes)],
    documents: [
      {
        comments: [
          "Part of Kueue's Configuration (ConfigMap kueue-manager-config); restart its controller afterwards",
          ...groups.flatMap(reasonsOf),
        ],
        value: { resources: { transformations } },
      },
      {
        comments: ['One flavor for all: what a node is partitioned into changes, and a flavor does not'],
        value: { apiVersion: 'kueue.x-k8s.io/v1beta2', kind: 'ResourceFlavor', metadata: { name: NAME } },
      },
      {
        comments: [
          `All that ${nodes.length === 1 ? '1 node' : `${nodes.length} nodes`} with GPUs have: share it between your queues`,
        ],
        value: {
          apiVersion: 'kueue.x-k8s.io/v1beta2',
          kind: 'ClusterQueue',
          metadata: { name: NAME, annotations: { [QUOTA.countedResources]: [...prices.keys()].join() } },
          spec: {
            namespaceSelector: {},
            resourceGroups: [{ coveredResources: Object.keys(quotas), flavors: [{ name: NAME, resources }] }],
          },
        },
      },
    ],
  };
}

function quotasOf(nodes: readonly NodeRecord[]): Record<string, string | number> {
  const sum = (amount: (node: NodeRecord) => number) => nodes.reduce((total, node) => total + amount(node), 0);
  return {
    cpu: `${sum(({ allocatable }) => allocatable.cpu)}m`,
    memory: `${sum(({ allocatable }) => allocatable.memory)}Mi`,
    // The same however they are partitioned.
    [QUOTA.milliGpu]: 1000 * sum(({ observed, facts }) => observed.gpus?.gpus ?? facts.gpus ?? 0),
  };
}

/** Under the name of a whole GPU. */
function plainSlots(nodes: readonly NodeRecord[]): string[] {
  const found = nodes.filter(({ inventory }) =>
    inventory?.pools.some(({ resource, slotMilli }) => resource === WHOLE_GPU && slotMilli > 0 && slotMilli < 1000),
  );
  if (found.length === 0) return [];
  const names = found.map(({ name }) => name);
  return [
    `${WHOLE_GPU} is a slot of a GPU on ${countOf('node', names)}, and counts as a whole one: set a larger quota for their pods`,
  ];
}

function unsized(nodes: readonly NodeRecord[]): string[] {
  const names = nodes.filter(({ inventory }) => inventory?.unsized !== undefined).map(({ name }) => name);
  return names.length > 0
    ? [`how large the GPUs of ${countOf('node', names)} are is not known: the quota is without them`]
    : [];
}

function uneven(resource: string, a: number, b: number): string {
  return `${resource} is ${Math.min(a, b)} milli-GPU on some nodes and ${Math.max(a, b)} on others: it counts as ${Math.max(a, b)}, and some of the smaller slots stay without quota`;
}
