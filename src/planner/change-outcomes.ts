/**
 * What has come of the planner's own changes. Whether a slot helps a pod is kube-scheduler's word, and it asks for more than we
 * judge: slots that nobody takes discredit the pods that they were made for, and do not keep the node from another change.
 */

import type { NodeConfig } from '../api/node-config.ts';
import type { Clock } from '../kube/clock.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { NodeRecord } from '../state/node-record.ts';
import type { PendingPod } from '../state/pending-pods.ts';
import type { DemandRefusal } from './demands.ts';

/** ms for which slots that were made for pods wait for one of them. */
const UNTAKEN_MS = 120_000;
/** ms for which nothing is planned for pods after that; twice as long each time in a row, up to the longest. */
const DISCREDITED_MS = 600_000;
const LONGEST_MS = 3_600_000;

/** A change that was asked for, and that no pod has used yet. */
interface OpenChange {
  readonly config: Pick<NodeConfig, 'name' | 'generation'>;
  readonly namespaces: ReadonlySet<string>;
  /** When the node offered it, ms of the clock. */
  offeredAt?: number;
}

interface Standing {
  /** Pods that we cannot judge, of which so many may be planned for at once. */
  readonly allowance: number;
  /** Changes in a row that nobody used. */
  readonly untaken: number;
  /** ms of the clock. */
  readonly until: number;
}

const NEW: Standing = { allowance: 1, untaken: 0, until: 0 };

export class ChangeOutcomes {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #speed: number;
  /** By node. */
  readonly #open = new Map<string, OpenChange>();
  /** Nodes whose last change nobody used. */
  readonly #unused = new Set<string>();
  /** By namespace, of those that were changed for. */
  readonly #standings = new Map<string, Standing>();

  /** @param speed of the clock, for tests on nodes whose clock runs that much faster */
  constructor({ nodes, pods }: Pick<ClusterState, 'nodes' | 'pods'>, clock: Pick<Clock, 'monotonic'>, speed = 1) {
    this.#clock = clock;
    this.#speed = speed;
    nodes.subscribe(({ key, after }) => {
      if (!after) this.#unused.delete(key);
      const open = this.#open.get(key);
      if (!open) return;
      if (!after) this.#open.delete(key);
      else if (isOffered(after, open)) open.offeredAt ??= this.#clock.monotonic();
    });
    pods.subscribe(({ before, after }) => {
      if (before?.node !== undefined || after?.node === undefined || !after.gpu || after.finished) return;
      this.#unused.delete(after.node);
      // Nobody is placed while the node changes: it is on what was made.
      if (!this.#open.delete(after.node)) return;
      const { allowance } = this.#standings.get(after.namespace) ?? NEW;
      this.#standings.set(after.namespace, { ...NEW, allowance: allowance * 2 });
    });
  }

  /** The change of a node was asked for, to serve pods of these namespaces. */
  asked(node: string, config: Pick<NodeConfig, 'name' | 'generation'>, namespaces: Iterable<string>): void {
    this.#unused.delete(node);
    this.#open.set(node, { config, namespaces: new Set(namespaces) });
  }

  /** Whether the last change of the node served nobody: it need not rest before the next one. */
  servedNobody(node: string): boolean {
    this.#judge();
    return this.#unused.has(node);
  }

  /** Of the pods, in their order, those that are planned for now; why not the others. */
  admit(pods: readonly PendingPod[]): { readonly planned: readonly PendingPod[]; readonly refused: DemandRefusal[] } {
    this.#judge();
    const now = this.#clock.monotonic();
    const planned: PendingPod[] = [];
    const untaken: string[] = [];
    const unsure: string[] = [];
    const used = new Map<string, number>();
    const awaiting = new Set([...this.#open.values()].flatMap(({ namespaces }) => [...namespaces]));
    for (const pod of pods) {
      const { namespace, name, unjudged } = pod;
      const { allowance, until } = this.#standings.get(namespace) ?? NEW;
      const count = used.get(namespace) ?? 0;
      if (unjudged === undefined) planned.push(pod);
      else if (until > now) untaken.push(`${namespace}/${name}`);
      else if (count >= allowance || awaiting.has(namespace)) unsure.push(`${namespace}/${name}`);
      else {
        used.set(namespace, count + 1);
        planned.push(pod);
      }
    }
    return { planned, refused: [...refusal('Untaken', untaken), ...refusal('Unsure', unsure)] };
  }

  /** Closes changes whose slots have waited for long enough. */
  #judge(): void {
    const now = this.#clock.monotonic();
    for (const [node, { offeredAt, namespaces }] of this.#open) {
      if (offeredAt === undefined || now - offeredAt < UNTAKEN_MS / this.#speed) continue;
      this.#open.delete(node);
      this.#unused.add(node);
      for (const namespace of namespaces) {
        const { untaken } = this.#standings.get(namespace) ?? NEW;
        const ms = Math.min(LONGEST_MS, DISCREDITED_MS * 2 ** untaken) / this.#speed;
        this.#standings.set(namespace, { allowance: 1, untaken: untaken + 1, until: now + ms });
      }
    }
  }
}

function isOffered({ observed: { lastApplied, transition } }: NodeRecord, { config }: OpenChange): boolean {
  return !transition && lastApplied?.config === config.name && lastApplied.generation >= config.generation;
}

const SENTENCES = {
  Untaken:
    'slots that were made for pods of its namespace were not taken within two minutes: it is planned for again later',
  Unsure:
    'its affinity to pods, spread, volumes, claims or host ports decide as well: it is planned for once another of its namespace runs where slots were made for it',
} as const;

function refusal(code: keyof typeof SENTENCES, pods: readonly string[]): DemandRefusal[] {
  return pods.length > 0 ? [{ pods, code, why: SENTENCES[code] }] : [];
}
