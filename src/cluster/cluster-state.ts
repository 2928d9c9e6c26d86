/**
 * What the API server says of nodes and GPU pods, kept as records of the core, and the ledger that
 * follows from them. Fed by reflectors, read by everything that decides.
 */

import type { ZodType } from 'zod';
import { toApiError } from '../api/errors.ts';
import { faults, nodeSchema, podSchema } from '../api/kubernetes.ts';
import type { NodeInventory } from '../core/inventory.ts';
import { Ledger } from '../core/ledger.ts';
import { type PodRecord, projectNode, projectPod } from './projection.ts';

/** Says what could not be used of an object, and why. */
export type Complain = (message: string, details: Record<string, unknown>) => void;

/** What a reflector tells; see `ReflectorOptions`. */
export interface Feed {
  readonly listing: () => void;
  readonly replaced: (objects: readonly unknown[]) => void;
  readonly changed: (object: unknown) => void;
  readonly deleted: (object: unknown) => void;
}

export class ClusterState {
  readonly ledger = new Ledger();
  readonly #complain: Complain;
  readonly #nodes = new Map<string, string>();
  #nodesVersion = 0;
  readonly #pods = new Map<string, PodRecord>();
  /** Counts lists of pods: a list speaks only of what was settled before it was asked for. */
  #podLists = 0;
  /** Bound by us and acknowledged by the API server, not yet seen in the watch: the count of lists at that time. */
  readonly #acknowledged = new Map<string, number>();

  constructor(complain: Complain) {
    this.#complain = complain;
  }

  readonly nodes: Feed = {
    listing: () => {},
    replaced: (objects) => {
      const present = new Set(objects.map((object) => this.#setNode(object)));
      for (const name of [...this.#nodes.keys()]) if (!present.has(name)) this.#removeNode(name);
    },
    changed: (object) => void this.#setNode(object),
    deleted: (object) => {
      const node = this.#read(nodeSchema, object);
      if (node) this.#removeNode(node.metadata.name);
    },
  };

  readonly pods: Feed = {
    listing: () => {
      this.#podLists += 1;
    },
    replaced: (objects) => {
      const present = new Set(objects.map((object) => this.#setPod(object)));
      for (const uid of [...this.#pods.keys()]) if (!present.has(uid)) this.#removePod(uid);
      // Pods that came and went between two lists, while we were binding them.
      for (const [uid, lists] of this.#acknowledged) {
        if (!present.has(uid) && lists < this.#podLists) this.#removePod(uid);
      }
    },
    changed: (object) => void this.#setPod(object),
    deleted: (object) => {
      const uid = this.#read(podSchema, object)?.metadata.uid;
      if (uid !== undefined) this.#removePod(uid);
    },
  };

  /** Moves whenever some node offers something else than before. */
  get nodesVersion(): number {
    return this.#nodesVersion;
  }

  /** A pod that asks for GPUs; undefined if it asks for none or is not known (yet). */
  pod(uid: string): PodRecord | undefined {
    return this.#pods.get(uid);
  }

  /** Pods that ask for GPUs. */
  allPods(): Iterable<PodRecord> {
    return this.#pods.values();
  }

  /** The API server has accepted our Binding: the reservation now ends by what it says of the pod. */
  acknowledge(uid: string): void {
    if (this.ledger.allocationOf(uid)?.state === 'reserved') this.#acknowledged.set(uid, this.#podLists);
  }

  #setNode(object: unknown): string | undefined {
    const node = this.#read(nodeSchema, object);
    if (!node) return undefined;
    const { name } = node.metadata;
    const inventory: NodeInventory | undefined = projectNode(node);
    if (!inventory) {
      this.#removeNode(name);
      return name;
    }
    // Heartbeats change nothing that matters here: the node's version must not move for them.
    const content = JSON.stringify(inventory);
    if (this.#nodes.get(name) === content) return name;
    this.#nodes.set(name, content);
    this.#nodesVersion += 1;
    this.ledger.setNode(inventory);
    return name;
  }

  #removeNode(name: string): void {
    if (!this.#nodes.delete(name)) return;
    this.#nodesVersion += 1;
    this.ledger.removeNode(name);
  }

  #setPod(object: unknown): string | undefined {
    const pod = this.#read(podSchema, object);
    if (!pod) return undefined;
    let record: PodRecord;
    try {
      record = projectPod(pod);
    } catch (error) {
      this.#complain('a pod cannot be read and is left out', { pod: pod.metadata, error: toApiError(error).message });
      return pod.metadata.uid;
    }
    const { uid, key, node, finished, request } = record;
    if (request.resources.length === 0) return uid;
    this.#pods.set(uid, record);
    if (finished) {
      this.ledger.release(uid);
    } else if (node !== undefined) {
      this.#acknowledged.delete(uid);
      const expected = new Map(expectations(record));
      this.ledger.allocate({ uid, pod: key, node, state: 'confirmed', resources: request.resources, expected });
    }
    return uid;
  }

  #removePod(uid: string): void {
    this.#pods.delete(uid);
    this.#acknowledged.delete(uid);
    this.ledger.release(uid);
  }

  #read<T>(schema: ZodType<T>, object: unknown): T | undefined {
    const parsed = schema.safeParse(object);
    if (!parsed.success) this.#complain('an object cannot be read and is left out', { faults: faults(parsed.error) });
    return parsed.data;
  }
}

/** The GPUs that the allocation record expects, by resource; nothing if it was made for another node. */
function* expectations({ record, node }: PodRecord): Iterable<[string, readonly number[]]> {
  if (!record || record.node !== node) return;
  for (const { resource, gpus } of [record, ...(record.others ?? [])]) yield [resource, gpus];
}
