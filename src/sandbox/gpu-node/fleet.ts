/** Emulated GPU nodes at a real API server: they watch it as NVIDIA's components and kubelet do, and write what these write. */

import { z } from 'zod';
import { hasFinished, podSchema } from '../../api/kubernetes.ts';
import { seededRandom } from '../../core/random.ts';
import { type KubeClient, KubeError, MERGE_PATCH } from '../../kube/kube-client.ts';
import { Reflector, type ReflectorStore } from '../../kube/reflector.ts';
import { Reflectors } from '../../kube/reflectors.ts';
import { requestOf } from '../../state/gpu-request.ts';
import { Store } from '../../state/store.ts';
import { type Faults, GpuNode, type GpuNodeSpec, type NodeIo, type PodOnNode } from './node.ts';
import { type Clock, type Timing, within } from './timing.ts';
import { Volumes } from './volumes.ts';

/** `namespace/name` */
export interface ConfigMaps {
  readonly plugin: string;
  readonly mig: string;
}

export interface GpuFleetOptions {
  readonly client: KubeClient;
  readonly nodes: readonly GpuNodeSpec[];
  readonly configMaps: ConfigMaps;
  readonly clock: Clock;
  readonly timing: Timing;
  readonly seed: number;
  readonly log: (message: string, details: object) => void;
}

/** Nodes that come up at once. */
const CONCURRENCY = 32;
const nodeSchema = z.object({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).nullish() }),
});
const offerSchema = z.object({
  status: z.object({ allocatable: z.record(z.string(), z.string()).nullish() }).nullish(),
});
const configMapSchema = z.object({
  metadata: z.object({ namespace: z.string(), name: z.string() }),
  data: z.record(z.string(), z.string()).nullish(),
});
const storedPodSchema = podSchema.extend({
  metadata: podSchema.shape.metadata.extend({ uid: z.string(), deletionTimestamp: z.string().nullish() }),
});

/** As kept by the feed: plain data. */
interface StoredPod extends PodOnNode {
  readonly node: string;
  readonly amounts: readonly (readonly [string, number])[];
  readonly terminating: boolean;
}

export class GpuFleet {
  readonly #options: GpuFleetOptions;
  readonly #nodes = new Map<string, GpuNode>();
  readonly #random: () => number;
  readonly #volumes: Volumes;
  readonly #reflectors: Reflectors;
  readonly #stopping = new AbortController();
  /** By uid of the pod: the node that it was bound to. */
  readonly #homes = new Map<string, string>();

  constructor(options: GpuFleetOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    const { client, clock, timing } = options;
    this.#volumes = new Volumes(clock, timing.volumeSync, this.#random);
    for (const spec of options.nodes) {
      this.#nodes.set(spec.name, new GpuNode({ spec, io: this.#io(spec.name), clock, timing, random: this.#random }));
    }
    const reflect = (path: string, store: ReflectorStore) =>
      new Reflector({ client, path, store, random: Math.random, log: options.log });
    this.#reflectors = new Reflectors({
      nodes: reflect('/api/v1/nodes', this.#nodeStore()),
      pods: reflect('/api/v1/pods', this.#podStore()),
      configMaps: reflect('/api/v1/configmaps', this.#configMapStore()),
    });
  }

  node(name: string): GpuNode {
    const node = this.#nodes.get(name);
    if (!node) throw new RangeError(`there is no node ${name}`);
    return node;
  }

  faults(name: string): Faults {
    return this.node(name).faults;
  }

  /** Creates the Node objects, takes over those that are there, and brings their plugins up. */
  async start(): Promise<void> {
    const waiting = this.#options.nodes.values();
    const some = async () => {
      for (const spec of waiting) {
        await this.#create(spec);
        await this.node(spec.name).start();
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, some));
    this.#reflectors.start();
    await this.#reflectors.synced();
  }

  /** As a kubelet registers its node: ready, and without GPUs as yet. */
  async #create({ name, labels, annotations }: GpuNodeSpec): Promise<void> {
    const { client } = this.#options;
    const path = `/api/v1/nodes/${name}`;
    const own = { 'kubernetes.io/hostname': name, 'nvidia.com/gpu.present': 'true' };
    const metadata = { name, labels: { ...own, ...labels }, annotations };
    const amounts = { cpu: '96', memory: '768Gi', pods: '110' };
    const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'emulated' };
    const status = { capacity: amounts, allocatable: amounts, conditions: [ready] };
    const body = { apiVersion: 'v1', kind: 'Node', metadata, status };
    try {
      await client.json('POST', '/api/v1/nodes', { body });
    } catch (error) {
      if (!(error instanceof KubeError) || error.status !== 409) throw error;
      // A kubelet that starts again knows nothing of what was offered before.
      const { status: before } = offerSchema.parse(await client.json('GET', path));
      const gpus = Object.keys(before?.allocatable ?? {}).filter((resource) => resource.startsWith('nvidia.com/'));
      const all = { ...Object.fromEntries(gpus.map((resource) => [resource, null])), ...amounts };
      await client.json('PATCH', path, { body: { metadata }, contentType: MERGE_PATCH });
      const patch = { ...status, capacity: all, allocatable: all };
      await client.json('PATCH', `${path}/status`, { body: { status: patch }, contentType: MERGE_PATCH });
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const node of this.#nodes.values()) node.stop();
    await this.#reflectors.stop();
  }

  #nodeStore() {
    const store = new Store<Record<string, string>>({
      read: (object) => {
        const parsed = nodeSchema.safeParse(object);
        return parsed.success
          ? { ...identity(object), key: parsed.data.metadata.name, record: parsed.data.metadata.labels ?? {} }
          : undefined;
      },
      keyOf: (object) => identity(object).name,
    });
    store.subscribe(({ key, after }) => {
      if (after) this.#nodes.get(key)?.labelled(after);
    });
    return store;
  }

  #podStore() {
    const store = new Store<StoredPod>({
      read: (object) => {
        const parsed = storedPodSchema.safeParse(object);
        if (!parsed.success) return undefined;
        const { metadata, spec } = parsed.data;
        const { uid, namespace = '', name = '' } = metadata;
        const node = spec.nodeName;
        const { resourceVersion } = identity(object);
        if (!node) return { key: uid, resourceVersion, record: undefined };
        const amounts = requestOf(parsed.data).map(({ resource, count }) => [resource, count] as const);
        const finished = hasFinished(parsed.data);
        const terminating = Boolean(metadata.deletionTimestamp);
        const pod = { uid, namespace, name, node, amounts, devices: new Map(amounts), finished, terminating };
        return { key: uid, resourceVersion, record: pod };
      },
      keyOf: (object) => identity(object).uid,
    });
    store.subscribe(({ key: uid, after: pod }) => {
      if (pod) {
        const node = this.#nodes.get(pod.node);
        if (!node) return;
        this.#homes.set(uid, pod.node);
        const work = pod.terminating ? this.#terminate(pod, node) : node.bound(pod);
        work.catch((error: Error) => {
          if (this.#stopping.signal.aborted) return;
          this.#options.log('a pod could not be handled', { pod: pod.name, error: error.message });
        });
        return;
      }
      this.#nodes.get(this.#homes.get(uid) ?? '')?.gone(uid);
      this.#homes.delete(uid);
    });
    return store;
  }

  /** Its containers end; then it holds nothing any more, and goes unless another client keeps it by a finalizer. */
  async #terminate({ uid, namespace, name, finished }: StoredPod, node: GpuNode): Promise<void> {
    const { client, clock, timing } = this.#options;
    if (!finished) await clock.sleep(within(timing.termination, this.#random), this.#stopping.signal);
    node.gone(uid);
    const body = { gracePeriodSeconds: 0, preconditions: { uid } };
    await client.json('DELETE', `/api/v1/namespaces/${namespace}/pods/${name}`, { body }).catch(unlessGone);
  }

  #configMapStore() {
    const store = new Store<Record<string, string>>({
      read: (object) => {
        const parsed = configMapSchema.safeParse(object);
        if (!parsed.success) return undefined;
        const { metadata, data } = parsed.data;
        const key = `${metadata.namespace}/${metadata.name}`;
        return { key, resourceVersion: identity(object).resourceVersion, record: data ?? {} };
      },
      keyOf: (object) => {
        const { namespace, name } = identity(object);
        return `${namespace}/${name}`;
      },
    });
    store.subscribe(({ key, after }) => {
      if (after) this.#volumes.set(key, after);
      else this.#volumes.delete(key);
    });
    return store;
  }

  #io(name: string): NodeIo {
    const { client, log, configMaps } = this.#options;
    const path = `/api/v1/nodes/${encodeURIComponent(name)}`;
    const show = this.#volumes.ofNode();
    return {
      labels: async (labels) => {
        await client.json('PATCH', path, { body: { metadata: { labels } }, contentType: MERGE_PATCH });
      },
      resources: async (allocatable, capacity) => {
        await client.json('PATCH', `${path}/status`, {
          body: { status: { allocatable, capacity } },
          contentType: MERGE_PATCH,
        });
      },
      podStatus: async ({ uid, namespace, name: pod }, status) => {
        const target = `/api/v1/namespaces/${namespace}/pods/${pod}/status`;
        const body = { metadata: { uid }, status };
        await client.json('PATCH', target, { body, contentType: MERGE_PATCH }).catch(unlessGone);
      },
      volume: (configMap) => show(configMaps[configMap]),
      log: (message, details = {}) => log(message, { node: name, ...details }),
    };
  }
}

const identitySchema = z.object({
  metadata: z.object({
    namespace: z.string().optional(),
    name: z.string().optional(),
    uid: z.string().optional(),
    resourceVersion: z.string().optional(),
  }),
});

function identity(
  object: unknown,
): z.infer<typeof identitySchema>['metadata'] & { resourceVersion: string | undefined } {
  const { resourceVersion, ...rest } = identitySchema.safeParse(object).data?.metadata ?? {};
  return { ...rest, resourceVersion };
}

/** The pod has gone in the meantime; another of its name may have come, whose uid differs. */
function unlessGone(error: unknown): void {
  if (!(error instanceof KubeError)) throw error;
  const isAnother = error.status === 409 || (error.status === 422 && error.message.includes('metadata.uid'));
  if (error.status !== 404 && !isAnother) throw error;
}
