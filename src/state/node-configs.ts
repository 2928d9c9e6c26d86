/** GPUNodeConfigs by the node that they are for. */

import { NODE_CONFIG } from '../api/keys.ts';
import type { NodeConfig } from '../api/node-config.ts';
import type { Store } from './store.ts';

export class NodeConfigs {
  readonly #byNode = new Map<string, Map<string, NodeConfig>>();

  /** @param changed called with the name of the node whose GPUNodeConfigs have changed */
  constructor(configs: Store<NodeConfig>, changed: (node: string) => void) {
    configs.follow(({ key, before, after }) => {
      const [from, to] = [before?.nodeName, after?.nodeName];
      if (from !== undefined && from !== to) {
        this.#byNode.get(from)?.delete(key);
        changed(from);
      }
      if (after && to !== undefined) {
        this.#byNode.set(to, (this.#byNode.get(to) ?? new Map()).set(key, after));
        changed(to);
      }
    });
  }

  /** Whether any is for the node. */
  has(node: string): boolean {
    return (this.#byNode.get(node)?.size ?? 0) > 0;
  }

  /** All that are for the node, the one that counts first: people's before the planner's, the oldest, the first by name. */
  of(node: string): NodeConfig[] {
    return [...(this.#byNode.get(node)?.values() ?? [])].sort(
      (a, b) => Number(isPlanned(a)) - Number(isPlanned(b)) || a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1),
    );
  }
}

/** Whether the planner has made it, and keeps it. */
export function isPlanned({ labels }: NodeConfig): boolean {
  return labels[NODE_CONFIG.managedBy] === NODE_CONFIG.planner;
}
