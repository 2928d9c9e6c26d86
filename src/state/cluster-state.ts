/**
 * What the API server says of nodes and GPU pods, kept as records of the core, and the ledger that
 * follows from them. Fed by reflectors, read by everything that decides.
 */

import { LRUCache } from 'lru-cache';
import { type ZodType, z } from 'zod';
import { toApiError } from '../api/errors.ts';
import { formatIssues, nodeSchema, podSchema, type Taint } from '../api/kubernetes.ts';
import { softTaintsOf } from '../api/pod-preferences.ts';
import type { NodeInventory } from '../core/inventory.ts';
import { Ledger } from '../core/ledger.ts';
import { classOf, type GpuRequest } from '../core/request.ts';
import type { Listing } from '../kube/reflector.ts';
import { type PodRecord, projectNode, projectPod } from './projection.ts';

/** Says what could not be used of an object, and why. */
export type OnInvalidObject = (message: string, details: Record<string, unknown>) => void;

/** What a reflector tells; see `ReflectorOptions`. */
export interface Feed {
  readonly listing: () => Listing;
  readonly changed: (object: unknown) => void;
  readonly deleted: (object: unknown) => void;
}

/** Every pod that the API server has stored has a uid. */
const storedPodSchema = podSchema.extend({ metadata: podSchema.shape.metadata.extend({ uid: z.string().min(1) }) });
type StoredPod = z.infer<typeof storedPodSchema>;

export class ClusterState {
  readonly ledger = new Ledger();
  /** Whether a time-slice may use the memory of the whole GPU; of nodes that are told of from then on. */
  oversubscribe = false;
  readonly #complain: OnInvalidObject;
  readonly #nodes = new Map<string, string>();
  /** Of nodes that offer GPUs and are less welcome than others: few, or none. */
  readonly #softTaints = new Map<string, readonly Taint[]>();
  /** What pods ask for that ask for GPUs, by uid. Most ask for the same: one object for all of them. */
  readonly #requests = new Map<string, GpuRequest>();
  readonly #finished = new Set<string>();
  readonly #classes = new LRUCache<string, GpuRequest>({ max: 1_000 });

  constructor(complain: OnInvalidObject) {
    this.#complain = complain;
  }

  readonly nodes: Feed = {
    listing: () => {
      const present = new Set<string>();
      return {
        page: (objects) => {
          for (const object of objects) {
            const name = this.#setNode(object);
            if (name !== undefined) present.add(name);
          }
        },
        done: () => {
          for (const name of [...this.#nodes.keys()]) if (!present.has(name)) this.#removeNode(name);
        },
      };
    },
    changed: (object) => void this.#setNode(object),
    deleted: (object) => {
      const node = this.#read(nodeSchema, object);
      if (node) this.#removeNode(node.metadata.name);
    },
  };

  readonly pods: Feed = {
    listing: () => {
      const present = new Set<string>();
      return {
        page: (objects) => {
          for (const object of objects) {
            const pod = this.#read(storedPodSchema, object);
            if (!pod) continue;
            const { uid } = pod.metadata;
            present.add(uid);
            this.#setPod(pod);
            // Nobody takes a node back from a pod: if it was held as bound, that was wrong.
            if (!pod.spec.nodeName && this.ledger.allocationOf(uid)?.state === 'confirmed') this.ledger.release(uid);
          }
        },
        // Last of all: while pages come in, a slot counts as taken rather than as free.
        done: () => {
          const left = new Set<string>();
          for (const { uid, state, node } of this.ledger.allocations()) {
            // A reservation of a pod that was never seen stays: the list may be from before the pod.
            if (present.has(uid) || (state === 'reserved' && !this.#requests.has(uid))) continue;
            left.add(node);
            this.ledger.release(uid);
          }
          for (const uid of this.#requests.keys()) if (!present.has(uid)) this.#forget(uid);
          // Whoever took their place expects their GPU.
          for (const node of left) this.ledger.placeAgain(node);
        },
      };
    },
    changed: (object) => {
      const pod = this.#read(storedPodSchema, object);
      if (pod) this.#setPod(pod);
    },
    deleted: (object) => {
      const pod = this.#read(storedPodSchema, object);
      if (pod) this.#removePod(pod.metadata.uid);
    },
  };

  /** By name: the taints of nodes with GPUs that prefer not to be chosen. */
  get softTaints(): ReadonlyMap<string, readonly Taint[]> {
    return this.#softTaints;
  }

  /** What the pod asks for; undefined if it asks for no GPU or is not known (yet). */
  requestOf(uid: string): GpuRequest | undefined {
    return this.#requests.get(uid);
  }

  hasFinished(uid: string): boolean {
    return this.#finished.has(uid);
  }

  #setNode(object: unknown): string | undefined {
    const node = this.#read(nodeSchema, object);
    if (!node) return undefined;
    const { name } = node.metadata;
    const inventory: NodeInventory | undefined = projectNode(node, this.oversubscribe);
    if (!inventory) {
      this.#removeNode(name);
      return name;
    }
    const taints = softTaintsOf(node.spec?.taints);
    if (taints.length > 0) this.#softTaints.set(name, taints);
    else this.#softTaints.delete(name);
    // Heartbeats change nothing that matters here: the node's version must not move for them.
    const content = JSON.stringify(inventory);
    if (this.#nodes.get(name) === content) return name;
    this.#nodes.set(name, content);
    this.ledger.setNode(inventory);
    return name;
  }

  #removeNode(name: string): void {
    if (!this.#nodes.delete(name)) return;
    this.#softTaints.delete(name);
    this.ledger.removeNode(name);
  }

  #setPod(pod: StoredPod): void {
    let record: PodRecord;
    try {
      record = projectPod(pod);
    } catch (error) {
      this.#complain('a pod cannot be read and is left out', { pod: pod.metadata, error: toApiError(error).message });
      return;
    }
    const { uid, key, node, finished } = record;
    if (record.request.resources.length === 0) return;
    const request = this.#shared(record.request);
    this.#requests.set(uid, request);
    if (finished) {
      this.#finished.add(uid);
      this.ledger.release(uid);
    } else if (node !== undefined) {
      const expected = new Map(expectations(record));
      this.ledger.allocate({ uid, pod: key, node, state: 'confirmed', resources: request.resources, expected });
    }
  }

  #removePod(uid: string): void {
    this.#forget(uid);
    this.ledger.release(uid);
  }

  #forget(uid: string): void {
    this.#requests.delete(uid);
    this.#finished.delete(uid);
  }

  #shared(request: GpuRequest): GpuRequest {
    const key = classOf(request);
    const known = this.#classes.get(key);
    if (known) return known;
    this.#classes.set(key, request);
    return request;
  }

  #read<T>(schema: ZodType<T>, object: unknown): T | undefined {
    const parsed = schema.safeParse(object);
    if (!parsed.success)
      this.#complain('an object cannot be read and is left out', { faults: formatIssues(parsed.error) });
    return parsed.data;
  }
}

/** The GPUs that the allocation record expects, by resource; nothing if it was made for another node. */
function* expectations({ record, node }: PodRecord): Iterable<[string, readonly number[]]> {
  if (!record || record.node !== node) return;
  for (const { resource, gpus } of [record, ...(record.others ?? [])]) yield [resource, gpus];
}
