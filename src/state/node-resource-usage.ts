/** Besides GPUs, what decides whether a pod can go to a node: labels, taints, cpu, memory, number of pods. */

import type { Labels } from '../core/label-selector.ts';
import { hardTaintsOf, type Toleration, tolerates } from '../core/taints.ts';
import type { NodeRecord } from './node-record.ts';
import type { PodRecord } from './pod-record.ts';
import { NO_RESOURCES, type Resources } from './resources.ts';
import type { Store } from './store.ts';

export class NodeResourceUsage {
  readonly #nodes: Store<NodeRecord>;
  /** By name of the node: what its pods ask for. */
  readonly #used = new Map<string, Resources>();

  /** @param pods must keep pods without GPUs as well: their cpu and memory count */
  constructor(nodes: Store<NodeRecord>, pods: Store<PodRecord>) {
    this.#nodes = nodes;
    pods.follow(({ before, after }) => {
      const from = before && homeOf(before);
      const to = after && homeOf(after);
      if (from === to && before?.resources === after?.resources) return;
      if (before && from !== undefined) this.#count(from, before.resources, -1);
      if (after && to !== undefined) this.#count(to, after.resources, 1);
    });
  }

  labelsOf(node: string): Labels {
    return this.#nodes.get(node)?.labels ?? {};
  }

  /** How many more pods of that size it has room for; 0 if their tolerations do not let them there. */
  roomOn(name: string, size: Resources, tolerations: readonly Toleration[]): number {
    const node = this.#nodes.get(name);
    if (!node?.ready || node.observed.cordoned || !tolerates(tolerations, hardTaintsOf(node.taints))) return 0;
    const used = this.#used.get(name) ?? NO_RESOURCES;
    const left = (what: keyof Resources) =>
      size[what] > 0 ? Math.floor((node.allocatable[what] - used[what]) / size[what]) : Number.MAX_SAFE_INTEGER;
    return Math.max(0, Math.min(left('cpu'), left('memory'), left('pods')));
  }

  #count(node: string, resources: Resources, sign: 1 | -1): void {
    const used = this.#used.get(node) ?? NO_RESOURCES;
    const pods = used.pods + sign * resources.pods;
    if (pods === 0) {
      this.#used.delete(node);
      return;
    }
    const [cpu, memory] = [used.cpu + sign * resources.cpu, used.memory + sign * resources.memory];
    this.#used.set(node, { cpu, memory, pods });
  }
}

/** The node whose cpu and memory the pod takes. */
function homeOf({ node, finished }: PodRecord): string | undefined {
  return finished ? undefined : node;
}
