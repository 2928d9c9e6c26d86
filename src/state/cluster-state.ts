/**
 * The one owner of what the API server says: each object is parsed once, into a record, whichever role watches it. Views
 * hold no copy that can disagree: they follow the records' changes. A view that is not used costs nothing.
 */

import { z } from 'zod';
import { parseLimitRange, parseQuota } from '../api/namespace-guards.ts';
import { type NodeConfig, parseNodeConfig } from '../api/node-config.ts';
import { namedSchema, namespacedNameOf, podIdentitySchema } from '../api/stored-objects.ts';
import type { Labels } from '../core/label-selector.ts';
import type { Ledger } from '../core/ledger.ts';
import type { GpuRequest } from '../core/request.ts';
import { softTaintsOf, type Taint } from '../core/taints.ts';
import { DevicePlugins } from './device-plugins.ts';
import { type DeviceClassRecord, DraResources, readDeviceClass } from './dra-resources.ts';
import { ledgerOf } from './ledger-view.ts';
import { GuardedNamespaces, type NamespacedRecord } from './namespace-guards.ts';
import { asOf, type NodeReadingOptions, type NodeRecord, readNode, withOversubscription } from './node-record.ts';
import { NodeResourceUsage } from './node-resource-usage.ts';
import { PodReader, type PodReaderOptions, type PodRecord } from './pod-record.ts';
import { type PolicyRecord, readPolicy } from './policy-record.ts';
import { Queues } from './queues.ts';
import { type OnInvalidObject, resourceVersionOf, Store } from './store.ts';

export interface ClusterStateOptions extends Partial<NodeReadingOptions>, Partial<PodReaderOptions> {}

export class ClusterState {
  readonly nodes: Store<NodeRecord>;
  readonly pods: Store<PodRecord>;
  readonly policies: Store<PolicyRecord>;
  readonly nodeConfigs: Store<NodeConfig>;
  readonly namespaces: Store<Labels>;
  /** Those that stand for an extended resource. */
  readonly deviceClasses: Store<DeviceClassRecord>;
  /** The GPU resources of which each LimitRange sets bounds or defaults. */
  readonly limitRanges: Store<NamespacedRecord<readonly string[]>>;
  /** The GPU resources that each ResourceQuota counts. */
  readonly quotas: Store<NamespacedRecord<readonly string[]>>;
  readonly #warn: OnInvalidObject;
  readonly queues = new Queues();
  readonly devicePlugins = new DevicePlugins();
  #reading: NodeReadingOptions;
  #guards: GuardedNamespaces | undefined;
  #ledger: Ledger | undefined;
  #usage: NodeResourceUsage | undefined;
  #delegated: DraResources | undefined;
  #softTaints: Map<string, readonly Taint[]> | undefined;

  constructor(warn: OnInvalidObject, { oversubscribe = false, podsWithoutGpus = false }: ClusterStateOptions = {}) {
    this.#reading = { oversubscribe };
    this.#warn = warn;
    const podReader = new PodReader({ podsWithoutGpus }, warn);
    this.nodes = new Store({ read: (object, before) => readNode(object, this.#reading, before, warn), keyOf: nameOf });
    this.pods = new Store({ read: (object) => podReader.read(object), keyOf: uidOf(warn) });
    this.policies = new Store({ read: (object) => readPolicy(object, warn), keyOf: nameOf });
    this.nodeConfigs = new Store({ read: readNodeConfig, keyOf: nameOf });
    this.namespaces = new Store({ read: readNamespace, keyOf: nameOf });
    this.deviceClasses = new Store({ read: readDeviceClass, keyOf: nameOf });
    this.limitRanges = namespacedStore(parseLimitRange);
    this.quotas = namespacedStore(parseQuota);
  }

  /** Reads nodes in another way from now on, those that are known too. */
  configure({ oversubscribe }: NodeReadingOptions): void {
    if (oversubscribe === this.#reading.oversubscribe) return;
    this.#reading = { oversubscribe };
    this.nodes.reread((record) => withOversubscription(record, oversubscribe));
  }

  /**
   * Takes what no event tells: that time has passed.
   * @param now ms of a clock that never goes back
   */
  passTime(now: number): void {
    this.nodes.reread((record) => asOf(record, now, this.#warn));
  }

  /** Who holds what. */
  get ledger(): Ledger {
    this.#ledger ??= ledgerOf(this.nodes, this.pods);
    return this.#ledger;
  }

  /** What administrators have set for the GPUs of namespaces. */
  get guards(): GuardedNamespaces {
    this.#guards ??= new GuardedNamespaces(this.limitRanges, this.quotas);
    return this.#guards;
  }

  /** What DRA serves. */
  get delegated(): DraResources {
    this.#delegated ??= new DraResources(this.deviceClasses);
    return this.#delegated;
  }

  /** cpu, memory and number of pods on each node; of a state that keeps pods without GPUs. */
  get usage(): NodeResourceUsage {
    this.#usage ??= new NodeResourceUsage(this.nodes, this.pods);
    return this.#usage;
  }

  /** By name: the taints of nodes with GPUs that prefer not to be chosen. Few nodes have any. */
  get softTaints(): ReadonlyMap<string, readonly Taint[]> {
    if (this.#softTaints) return this.#softTaints;
    const all = new Map<string, readonly Taint[]>();
    this.nodes.follow(({ key, after }) => {
      const taints = softTaintsOf(after?.inventory && after.taints);
      if (taints.length > 0) all.set(key, taints);
      else all.delete(key);
    });
    this.#softTaints = all;
    return all;
  }

  /** What the pod asks for; undefined if it asks for no GPU or is not known (yet). */
  requestOf(uid: string): GpuRequest | undefined {
    return this.pods.get(uid)?.gpu?.request;
  }

  hasFinished(uid: string): boolean {
    return this.pods.get(uid)?.finished ?? false;
  }
}

function nameOf(object: unknown): string | undefined {
  return namedSchema.safeParse(object).data?.metadata.name;
}

function uidOf(warn: OnInvalidObject): (object: unknown) => string | undefined {
  return (object) => {
    const uid = podIdentitySchema.safeParse(object).data?.metadata.uid;
    if (uid === undefined) warn('an object cannot be read and is left out', { faults: 'metadata.uid: expected a uid' });
    return uid;
  };
}

function readNodeConfig(object: unknown) {
  const record = parseNodeConfig(object);
  return record && { key: record.name, resourceVersion: resourceVersionOf(object), record };
}

const namespaceSchema = z.object({
  metadata: z.object({
    name: z.string(),
    labels: z.record(z.string(), z.string()).nullish(),
    resourceVersion: z.string().optional(),
  }),
});

function readNamespace(object: unknown) {
  const parsed = namespaceSchema.safeParse(object);
  if (!parsed.success) return undefined;
  const { name, labels, resourceVersion } = parsed.data.metadata;
  return { key: name, resourceVersion, record: labels ?? {} };
}

function namespacedStore<T>(parse: (object: unknown) => ({ readonly key: string } & NamespacedRecord<T>) | undefined) {
  return new Store<NamespacedRecord<T>>({
    read: (object) => {
      const guard = parse(object);
      if (!guard) return undefined;
      const { key, namespace, value } = guard;
      return { key, resourceVersion: resourceVersionOf(object), record: { namespace, value } };
    },
    keyOf: namespacedNameOf,
  });
}
