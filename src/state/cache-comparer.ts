/**
 * Compares the ledger with what the API server says now, as kube-scheduler's cache comparer does. Lists
 * and watches cannot disagree for long, unless something is wrong with one of them, or with us: what
 * is found twice is reported, counted and mended by a resync.
 */

import { setImmediate as turn } from 'node:timers/promises';
import type { Allocation } from '../core/ledger.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { listPages } from '../kube/list.ts';
import type { ClusterState } from './cluster-state.ts';
import { sameData } from './same-data.ts';

export interface Difference {
  /**
   * `missing`: a pod or node that the ledger does not know; `leftover`: one that it should have forgotten; `different`:
   * known otherwise than it is; `slots`: the sums of a node are not those of its pods.
   */
  readonly kind: 'missing' | 'leftover' | 'different' | 'slots';
  readonly object: 'node' | 'pod';
  /** Name of the node, or `namespace/name` of the pod. */
  readonly name: string;
  /** What the API server says, and what the ledger says. */
  readonly truth: string;
  readonly ledger: string;
}

export interface CacheComparerOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly state: Pick<ClusterState, 'ledger' | 'nodes' | 'pods'>;
  /** Lists once more: after it the ledger says what the API server says. */
  readonly resync: () => void;
  /** Waits between two looks, so that the watch can catch up; rejects when it is time to end. */
  readonly pause: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** Nodes looked at in one turn of the event loop. */
const NODES_PER_TURN = 250;
const PODS_PER_TURN = 2_000;

export class CacheComparer {
  readonly #options: CacheComparerOptions;
  #running: Promise<readonly Difference[]> | undefined;

  constructor(options: CacheComparerOptions) {
    this.#options = options;
  }

  /**
   * What differs, mended by now or as soon as the next list is in; callers during a comparison get its result.
   * @throws KubeError if the API server cannot be asked
   */
  compare(): Promise<readonly Difference[]> {
    this.#running ??= this.#compare().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #compare(): Promise<readonly Difference[]> {
    const first = await this.#look();
    if (first.size === 0) return [];
    // A watch is always a little behind or ahead of a list: only what stays is a difference.
    await this.#options.pause();
    const second = await this.#look();
    const lasting = [...second].filter(([key]) => first.has(key)).map(([, difference]) => difference);
    this.#resync(lasting);
    return lasting;
  }

  #resync(differences: readonly Difference[]): void {
    for (const { kind, name } of differences) if (kind === 'slots') this.#options.state.ledger.placeAgain(name);
    if (differences.some(({ kind }) => kind !== 'slots')) this.#options.resync();
  }

  async #look(): Promise<Map<string, Difference>> {
    const found = new Map<string, Difference>();
    const note = (difference: Difference) => found.set(Object.values(difference).join('\n'), difference);
    await this.#lookAtNodes(note);
    await this.#lookAtPods(note);
    await this.#lookAtSums(note);
    return found;
  }

  async #lookAtNodes(note: (difference: Difference) => void): Promise<void> {
    const { client, state, signal } = this.#options;
    const { ledger } = state;
    const seen = new Set<string>();
    for await (const { items } of listPages({ client, path: '/api/v1/nodes', signal })) {
      for (const item of items) {
        // Read as the watch's are, by the settings in force.
        const inventory = state.nodes.peek(item)?.inventory;
        if (!inventory) continue;
        const { name } = inventory;
        seen.add(name);
        const known = ledger.find(name)?.inventory;
        if (sameData(inventory, known)) continue;
        const [truth, ours] = [inventory, known].map((each) => JSON.stringify(each) ?? NOTHING) as [string, string];
        note({ kind: known ? 'different' : 'missing', object: 'node', name, truth, ledger: ours });
      }
      await turn();
    }
    for (const { name } of ledger.nodes()) {
      if (!seen.has(name)) note({ kind: 'leftover', object: 'node', name, truth: NOTHING, ledger: 'offers GPUs' });
    }
  }

  async #lookAtPods(note: (difference: Difference) => void): Promise<void> {
    const { client, state, signal } = this.#options;
    const { ledger } = state;
    const seen = new Set<string>();
    for await (const { items } of listPages({ client, path: '/api/v1/pods', signal })) {
      for (const item of items) {
        const pod = state.pods.peek(item);
        const request = pod?.gpu?.request;
        if (!request || pod.node === undefined || pod.finished) continue;
        seen.add(pod.uid);
        const known = ledger.allocationOf(pod.uid);
        const truth = describe(pod.node, request.resources);
        const ours = known ? describe(known.node, known.holdings) : NOTHING;
        if (truth !== ours)
          note({
            kind: known ? 'different' : 'missing',
            object: 'pod',
            name: `${pod.namespace}/${pod.name}`,
            truth,
            ledger: ours,
          });
      }
      await turn();
    }
    // A reservation ends with its Binding, which is not over yet: it is no leftover.
    let looks = 0;
    for (const { uid, pod: name, state, node, holdings } of ledger.allocations()) {
      looks += 1;
      if (looks % PODS_PER_TURN === 0) await turn();
      if (state === 'reserved' || seen.has(uid)) continue;
      note({ kind: 'leftover', object: 'pod', name, truth: NOTHING, ledger: describe(node, holdings) });
    }
  }

  async #lookAtSums(note: (difference: Difference) => void): Promise<void> {
    const { ledger } = this.#options.state;
    let looks = 0;
    for (const { name, pools } of [...ledger.nodes()]) {
      for (const { resource, slots } of pools) {
        let held = 0;
        for (const { holdings } of ledger.allocationsOn(name)) {
          for (const holding of holdings) if (holding.resource === resource) held += holding.count;
        }
        const [truth, ours] = [Math.max(0, slots - held), ledger.freeSlots(name, resource)];
        if (truth === ours) continue;
        note({
          kind: 'slots',
          object: 'node',
          name,
          truth: `${truth} ${resource} free`,
          ledger: `${ours} ${resource} free`,
        });
      }
      looks += 1;
      if (looks % NODES_PER_TURN === 0) await turn();
    }
  }
}

const NOTHING = 'nothing';

function describe(node: string, parts: readonly Pick<Allocation['holdings'][number], 'resource' | 'count'>[]): string {
  return `${parts.map(({ resource, count }) => `${count} ${resource}`).join(' + ')} on ${node}`;
}
