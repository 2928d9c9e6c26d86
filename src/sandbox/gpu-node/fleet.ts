/** Emulated GPU nodes at a real API server: they watch it as NVIDIA's components and kubelet do, and write what these write. */

import { z } from 'zod';
import { hasFinished, podSchema } from '../../api/kubernetes.ts';
import { seededRandom } from '../../core/random.ts';
import { type KubeClient, KubeError } from '../../kube/kube-client.ts';
import { Reflector } from '../../kube/reflector.ts';
import { Reflectors } from '../../kube/reflectors.ts';
import { requestOf } from '../../state/projection.ts';
import { recordFeed } from '../../state/record-feed.ts';
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

const MERGE = 'application/merge-patch+json';
/** Nodes that come up at once. */
const AT_ONCE = 32;
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
    const reflect = (path: string, feed: ReturnType<typeof recordFeed>) =>
      new Reflector({ client, path, ...feed, random: Math.random, log: options.log });
    this.#reflectors = new Reflectors({
      nodes: reflect('/api/v1/nodes', this.#nodeFeed()),
      pods: reflect('/api/v1/pods', this.#podFeed()),
      configMaps: reflect('/api/v1/configmaps', this.#configMapFeed()),
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
    await Promise.all(Array.from({ length: AT_ONCE }, some));
    this.#reflectors.start();
    await this.#reflectors.synced;
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
      // A kubelet that starts anew knows nothing of what was offered before.
      const { status: before } = offerSchema.parse(await client.json('GET', path));
      const gpus = Object.keys(before?.allocatable ?? {}).filter((resource) => resource.startsWith('nvidia.com/'));
      const all = { ...Object.fromEntries(gpus.map((resource) => [resource, null])), ...amounts };
      await client.json('PATCH', path, { body: { metadata }, contentType: MERGE });
      const patch = { ...status, capacity: all, allocatable: all };
      await client.json('PATCH', `${path}/status`, { body: { status: patch }, contentType: MERGE });
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const node of this.#nodes.values()) node.stop();
    await this.#reflectors.stop();
  }

  #nodeFeed() {
    return recordFeed<Record<string, string>>({
      read: (object) => {
        const parsed = nodeSchema.safeParse(object);
        return parsed.success
          ? { key: parsed.data.metadata.name, record: parsed.data.metadata.labels ?? {} }
          : undefined;
      },
      set: (name, labels) => this.#nodes.get(name)?.labelled(labels),
      delete: () => {},
    });
  }

  #podFeed() {
    return recordFeed<StoredPod>({
      read: (object) => {
        const parsed = storedPodSchema.safeParse(object);
        if (!parsed.success) return undefined;
        const { metadata, spec } = parsed.data;
        const { uid, namespace = '', name = '' } = metadata;
        const node = spec.nodeName;
        if (!node) return { key: uid, record: undefined };
        const amounts = requestOf(parsed.data).map(({ resource, count }) => [resource, count] as const);
        const finished = hasFinished(parsed.data);
        const terminating = Boolean(metadata.deletionTimestamp);
        const pod = { uid, namespace, name, node, amounts, devices: new Map(amounts), finished, terminating };
        return { key: uid, record: pod };
      },
      set: (uid, pod) => {
        const node = this.#nodes.get(pod.node);
        if (!node) return;
        this.#homes.set(uid, pod.node);
        const work = pod.terminating ? this.#terminate(pod, node) : node.bound(pod);
        work.catch((error: Error) => {
          if (this.#stopping.signal.aborted) return;
          this.#options.log('a pod could not be told of', { pod: pod.name, error: error.message });
        });
      },
      delete: (uid) => {
        this.#nodes.get(this.#homes.get(uid) ?? '')?.gone(uid);
        this.#homes.delete(uid);
      },
    });
  }

  /** Its containers end; then it holds nothing any more, and goes unless somebody else keeps it by a finalizer. */
  async #terminate({ uid, namespace, name, finished }: StoredPod, node: GpuNode): Promise<void> {
    const { client, clock, timing } = this.#options;
    if (!finished) await clock.sleep(within(timing.termination, this.#random), this.#stopping.signal);
    node.gone(uid);
    const body = { gracePeriodSeconds: 0, preconditions: { uid } };
    await client.json('DELETE', `/api/v1/namespaces/${namespace}/pods/${name}`, { body }).catch(unlessGone);
  }

  #configMapFeed() {
    return recordFeed<Record<string, string>>({
      read: (object) => {
        const parsed = configMapSchema.safeParse(object);
        if (!parsed.success) return undefined;
        const { metadata, data } = parsed.data;
        return { key: `${metadata.namespace}/${metadata.name}`, record: data ?? {} };
      },
      set: (key, data) => this.#volumes.set(key, data),
      delete: (key) => this.#volumes.delete(key),
    });
  }

  #io(name: string): NodeIo {
    const { client, log, configMaps } = this.#options;
    const path = `/api/v1/nodes/${encodeURIComponent(name)}`;
    const show = this.#volumes.ofNode();
    return {
      labels: async (labels) => {
        await client.json('PATCH', path, { body: { metadata: { labels } }, contentType: MERGE });
      },
      resources: async (allocatable, capacity) => {
        await client.json('PATCH', `${path}/status`, {
          body: { status: { allocatable, capacity } },
          contentType: MERGE,
        });
      },
      podStatus: async ({ uid, namespace, name: pod }, status) => {
        const target = `/api/v1/namespaces/${namespace}/pods/${pod}/status`;
        const body = { metadata: { uid }, status };
        await client.json('PATCH', target, { body, contentType: MERGE }).catch(unlessGone);
      },
      volume: (configMap) => show(configMaps[configMap]),
      log: (message, details = {}) => log(message, { node: name, ...details }),
    };
  }
}

/** The pod has gone in the meantime; another of its name may have come, whose uid differs. */
function unlessGone(error: unknown): void {
  if (!(error instanceof KubeError)) throw error;
  const isAnother = error.status === 409 || (error.status === 422 && error.message.includes('metadata.uid'));
  if (error.status !== 404 && !isAnother) throw error;
}
