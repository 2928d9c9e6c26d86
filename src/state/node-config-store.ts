/** Nodes and GPUNodeConfigs as they stand, by node: what the reconciler looks at. */

import { z } from 'zod';
import { NODE_CONFIG } from '../api/keys.ts';
import { type NodeConfig, parseNodeConfig } from '../api/node-config.ts';
import type { Feed } from './cluster-state.ts';
import { type ObservedNode, observe } from './observed-node.ts';
import { recordFeed } from './record-feed.ts';

const named = z.object({ metadata: z.object({ name: z.string(), resourceVersion: z.string().default('') }) });

export class NodeStore {
  readonly feed: Feed;
  readonly #nodes = new Map<string, ObservedNode>();
  /** Of the newest object that was told of, whatever has changed in it. */
  readonly #versions = new Map<string, string>();
  readonly #marked = new Set<string>();

  /** @param changed told of the node */
  constructor(changed: (node: string) => void) {
    this.feed = recordFeed<ObservedNode>({
      read: (object) => {
        const identity = named.safeParse(object);
        if (!identity.success) return undefined;
        const { name, resourceVersion } = identity.data.metadata;
        const record = observe(object);
        if (record) this.#versions.set(name, resourceVersion);
        return { key: name, record };
      },
      set: (name, node) => {
        this.#nodes.set(name, node);
        if (node.transition) this.#marked.add(name);
        else this.#marked.delete(name);
        changed(name);
      },
      delete: (name) => {
        this.#nodes.delete(name);
        this.#versions.delete(name);
        this.#marked.delete(name);
        changed(name);
      },
    });
  }

  get(name: string): ObservedNode | undefined {
    return this.#nodes.get(name);
  }

  versionOf(name: string): string | undefined {
    return this.#versions.get(name);
  }

  all(): Iterable<ObservedNode> {
    return this.#nodes.values();
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** Names of nodes in transition. */
  get inTransition(): ReadonlySet<string> {
    return this.#marked;
  }
}

export class NodeConfigStore {
  readonly feed: Feed;
  readonly #byName = new Map<string, NodeConfig>();
  readonly #byNode = new Map<string, Set<string>>();

  /** @param changed told of the node that it is for */
  constructor(changed: (node: string) => void) {
    const forget = (name: string) => {
      const node = this.#byName.get(name)?.nodeName;
      this.#byName.delete(name);
      if (node === undefined) return;
      this.#byNode.get(node)?.delete(name);
      changed(node);
    };
    this.feed = recordFeed<NodeConfig>({
      read: (object) => {
        const config = parseNodeConfig(object);
        return config && { key: config.name, record: config };
      },
      set: (name, config) => {
        const { nodeName } = config;
        if (this.#byName.get(name)?.nodeName !== nodeName) forget(name);
        this.#byName.set(name, config);
        if (nodeName === undefined) return;
        this.#byNode.set(nodeName, (this.#byNode.get(nodeName) ?? new Set()).add(name));
        changed(nodeName);
      },
      delete: forget,
    });
  }

  /** All that are for the node, the one that counts first: people's before the planner's, the oldest, the first by name. */
  of(node: string): NodeConfig[] {
    return [...(this.#byNode.get(node) ?? [])]
      .flatMap((name) => this.#byName.get(name) ?? [])
      .sort(
        (a, b) =>
          Number(isPlanned(a)) - Number(isPlanned(b)) || a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1),
      );
  }

  get(name: string): NodeConfig | undefined {
    return this.#byName.get(name);
  }

  all(): Iterable<NodeConfig> {
    return this.#byName.values();
  }
}

/** Whether the planner has made it, and keeps it. */
export function isPlanned({ labels }: NodeConfig): boolean {
  return labels[NODE_CONFIG.managedBy] === NODE_CONFIG.planner;
}
