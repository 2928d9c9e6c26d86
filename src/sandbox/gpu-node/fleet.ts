/** Emulated GPU nodes at a real API server: they watch it as NVIDIA's components and kubelet do, and write what these write. */

import { z } from 'zod';
import { podSchema } from '../../api/kubernetes.ts';
import { type KubeClient, KubeError } from '../../cluster/kube-client.ts';
import { requestOf } from '../../cluster/projection.ts';
import { recordFeed } from '../../cluster/record-feed.ts';
import { Reflector } from '../../cluster/reflector.ts';
import { Reflectors } from '../../cluster/reflectors.ts';
import { seededRandom } from '../../core/random.ts';
import { type Faults, GpuNode, type GpuNodeSpec, type NodeIo, type PodOnNode } from './node.ts';
import { type Clock, type Timing, within } from './timing.ts';

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
const nodeSchema = z.object({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).nullish() }),
});
const configMapSchema = z.object({
  metadata: z.object({ namespace: z.string(), name: z.string() }),
  data: z.record(z.string(), z.string()).nullish(),
});
const storedPodSchema = podSchema.extend({ metadata: podSchema.shape.metadata.extend({ uid: z.string() }) });

interface Version {
  readonly at: number;
  readonly data: Readonly<Record<string, string>>;
}

export class GpuFleet {
  readonly #options: GpuFleetOptions;
  readonly #nodes = new Map<string, GpuNode>();
  readonly #random: () => number;
  /** By `namespace/name`, the oldest first. */
  readonly #versions = new Map<string, Version[]>();
  readonly #reflectors: Reflectors;
  /** By uid of the pod: the node that it was bound to. */
  readonly #homes = new Map<string, string>();

  constructor(options: GpuFleetOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    const { client, clock, timing } = options;
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

  /** Creates the Node objects, and brings their plugins up. */
  async start(): Promise<void> {
    const { client } = this.#options;
    for (const { name } of this.#options.nodes) {
      const labels = { 'kubernetes.io/hostname': name, 'nvidia.com/gpu.present': 'true' };
      const body = { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } };
      await client.json('POST', '/api/v1/nodes', { body });
      const amounts = { cpu: '96', memory: '768Gi', pods: '110' };
      const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'emulated' };
      const status = { capacity: amounts, allocatable: amounts, conditions: [ready] };
      await client.json('PATCH', `/api/v1/nodes/${name}/status`, { body: { status }, contentType: MERGE });
    }
    await Promise.all([...this.#nodes.values()].map((node) => node.start()));
    this.#reflectors.start();
    await this.#reflectors.synced;
  }

  async stop(): Promise<void> {
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
    return recordFeed<PodOnNode & { readonly node: string; readonly amounts: readonly (readonly [string, number])[] }>({
      read: (object) => {
        const parsed = storedPodSchema.safeParse(object);
        if (!parsed.success) return undefined;
        const { metadata, spec, status } = parsed.data;
        const { uid, namespace = '', name = '' } = metadata;
        const node = spec.nodeName;
        if (!node) return { key: uid, record: undefined };
        const amounts = requestOf(parsed.data).map(({ resource, count }) => [resource, count] as const);
        const finished = status?.phase === 'Succeeded' || status?.phase === 'Failed';
        return { key: uid, record: { uid, namespace, name, node, amounts, devices: new Map(amounts), finished } };
      },
      set: (uid, pod) => {
        this.#homes.set(uid, pod.node);
        void this.#nodes
          .get(pod.node)
          ?.bound(pod)
          .catch((error: Error) => this.#options.log('a pod could not be told of', { error: error.message }));
      },
      delete: (uid) => {
        this.#nodes.get(this.#homes.get(uid) ?? '')?.gone(uid);
        this.#homes.delete(uid);
      },
    });
  }

  #configMapFeed() {
    return recordFeed<Record<string, string>>({
      read: (object) => {
        const parsed = configMapSchema.safeParse(object);
        if (!parsed.success) return undefined;
        const { metadata, data } = parsed.data;
        return { key: `${metadata.namespace}/${metadata.name}`, record: data ?? {} };
      },
      set: (key, data) => {
        const { clock } = this.#options;
        this.#versions.set(key, [...(this.#versions.get(key) ?? []), { at: clock.now(), data }]);
      },
      delete: (key) => void this.#versions.delete(key),
    });
  }

  #io(name: string): NodeIo {
    const { client, log } = this.#options;
    const path = `/api/v1/nodes/${encodeURIComponent(name)}`;
    /** When this node sees each version: kubelets sync their volumes one by one. */
    const delays = new Map<Version, number>();
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
      podStatus: async ({ namespace, name: pod }, status) => {
        const target = `/api/v1/namespaces/${namespace}/pods/${pod}/status`;
        await client.json('PATCH', target, { body: { status }, contentType: MERGE }).catch((error: unknown) => {
          // Gone in the meantime.
          if (!(error instanceof KubeError) || error.status !== 404) throw error;
        });
      },
      volume: (configMap) => {
        const { clock, timing, configMaps } = this.#options;
        const now = clock.now();
        const seen = (this.#versions.get(configMaps[configMap]) ?? []).filter((version) => {
          const delay = delays.get(version) ?? within(timing.volumeSync, this.#random);
          delays.set(version, delay);
          return version.at + delay <= now;
        });
        return seen.at(-1)?.data ?? {};
      },
      log: (message, details = {}) => log(message, { node: name, ...details }),
    };
  }
}
