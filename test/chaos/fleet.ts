/** Nodes of all kinds, in numbers that chance decides, and pods that ask for what they offer. */

import { randomIndex } from '#src/core/random.ts';
import type { Manifest } from '../fakes/object-store.ts';
import { exclusiveNode, migNode, mpsNode, T4, timeSlicingNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

/** 10 to 40 nodes. */
export function fleet(random: () => number): object[] {
  const some = (least: number, make: (name: string) => object, kind: string) =>
    Array.from({ length: least + randomIndex(random, 3 * least + 1) }, (_, i) => make(`${kind}-${i}`));
  // Slots enough for two pods of two slots on any node, and never many.
  return [
    ...some(2, (name) => exclusiveNode({ name, gpus: 4 }), 'exclusive'),
    ...some(2, (name) => mpsNode({ name, gpus: 1, replicas: 8 }), 'mps'),
    ...some(2, (name) => timeSlicingNode({ name, gpus: 2, replicas: 4, gpu: T4 }), 'timeslicing'),
    ...some(2, (name) => migNode({ name, gpus: 1, layout: { '1g.5gb': 7 } }), 'mig'),
    ...some(
      1,
      (name) => migNode({ name, gpus: 2, layout: { '3g.20gb': 2 }, profileMiB: { '3g.20gb': 20096 } }),
      'half',
    ),
    ...some(1, (name) => exclusiveNode({ name, gpus: 8 }), 'large'),
  ];
}

export interface PodWish {
  readonly resource: string;
  /** A container each; or all slots for one container. */
  readonly containers: readonly number[];
}

const TWO_SLOTS = 0.15;

/** One slot, and now and then two; each resource as often as the fleet has slots of it. */
export function drawWish(slots: ReadonlyMap<string, number>, random: () => number): PodWish {
  let left = random() * [...slots.values()].reduce((sum, count) => sum + count, 0);
  let resource = '';
  for (const [name, count] of slots) {
    resource = name;
    left -= count;
    if (left < 0) break;
  }
  if (random() >= TWO_SLOTS) return { resource, containers: [1] };
  // A container of two slots fits on no node that shares by MPS.
  return { resource, containers: random() < 0.5 ? [2] : [1, 1] };
}

export function podFor(name: string, { resource, containers }: PodWish, schedulerName?: string): Manifest {
  const spec = {
    terminationGracePeriodSeconds: 0,
    containers: containers.map((count, i) => {
      const amounts = { [resource]: String(count) };
      return { name: `c${i}`, image: 'registry.invalid/none', resources: { requests: amounts, limits: amounts } };
    }),
  };
  return gpuPod({ name, spec, ...(schedulerName !== undefined && { schedulerName }) });
}
