/**
 * Follows every event of the pods straight from the API server, in the order of their versions, and
 * checks at each that no node has given away more than it has. Knows nothing of the extender: API
 * objects alone count.
 */

import { createInterface } from 'node:readline';
import { z } from 'zod';
import { parseAllocationRecord } from '#src/api/allocation-record.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';

const quantities = z.record(z.string(), z.string()).default({});
const podSchema = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({
    schedulerName: z.string(),
    nodeName: z.string().optional(),
    containers: z.array(z.object({ resources: z.object({ requests: quantities }) })),
  }),
  status: z.object({ phase: z.string() }),
});
const eventSchema = z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED']), object: podSchema });
const nodesSchema = z.object({
  items: z.array(z.object({ metadata: z.object({ name: z.string() }), status: z.object({ allocatable: quantities }) })),
});
const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  items: z.array(z.unknown()).max(0),
});

export interface SeenPod {
  readonly name: string;
  readonly uid: string;
  readonly schedulerName: string;
  readonly node: string | undefined;
  readonly finished: boolean;
  /** GPU resources, summed over containers. */
  readonly request: ReadonlyMap<string, number>;
}

const GPU = /^nvidia\.com\//;
const WATCH_SECONDS = 3600;

export class Judge {
  /** What must not be, a sentence each. */
  readonly breaches: string[] = [];
  /** Events judged. */
  events = 0;
  /** uid → node, of every pod ever bound. */
  readonly bound = new Map<string, string>();
  /** Pods that are there, by uid. */
  readonly pods = new Map<string, SeenPod>();
  /** node → resource → slots; of nodes. */
  readonly allocatable: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly #held = new Map<string, number>();
  readonly #stopping = new AbortController();
  #version = 0n;

  private constructor(allocatable: Judge['allocatable']) {
    this.allocatable = allocatable;
  }

  /** @throws Error if there are pods already */
  static async start(client: KubeClient): Promise<Judge> {
    const { items } = nodesSchema.parse(await client.json('GET', '/api/v1/nodes'));
    const judge = new Judge(
      new Map(items.map(({ metadata, status }) => [metadata.name, gpusOf([status.allocatable])])),
    );
    const { metadata } = listSchema.parse(await client.json('GET', '/api/v1/pods'));
    judge.#version = BigInt(metadata.resourceVersion);
    void judge.#follow(client);
    return judge;
  }

  /** All slots of all nodes. */
  get slots(): number {
    return [...this.allocatable.values()].flatMap((gpus) => [...gpus.values()]).reduce((sum, count) => sum + count, 0);
  }

  /** Slots given away now. */
  get held(): number {
    return [...this.#held.values()].reduce((sum, count) => sum + count, 0);
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** Without a gap: whenever the API server ends the watch, it goes on from the last event. */
  async #follow(client: KubeClient): Promise<void> {
    const { signal } = this.#stopping;
    try {
      while (!signal.aborted) {
        const url = `/api/v1/pods?watch=true&resourceVersion=${this.#version}&timeoutSeconds=${WATCH_SECONDS}`;
        const stream = await client.stream('GET', url, { signal, idleMs: WATCH_SECONDS * 1000 });
        for await (const line of createInterface({ input: stream })) this.#see(eventSchema.parse(JSON.parse(line)));
      }
    } catch (error) {
      if (!signal.aborted) this.breaches.push(`the judge cannot see any more: ${(error as Error).message}`);
    }
  }

  #see({ type, object }: z.infer<typeof eventSchema>): void {
    const { name, uid, resourceVersion } = object.metadata;
    const version = BigInt(resourceVersion);
    if (version <= this.#version) this.breaches.push(`version ${version} came after ${this.#version}`);
    this.#version = version;
    this.events += 1;
    const before = this.pods.get(uid);
    const pod: SeenPod = {
      name,
      uid,
      schedulerName: object.spec.schedulerName,
      node: object.spec.nodeName,
      finished: object.status.phase === 'Succeeded' || object.status.phase === 'Failed',
      request: gpusOf(object.spec.containers.map(({ resources }) => resources.requests)),
    };
    if (before) this.#hold(before, -1);
    if (type === 'DELETED') {
      this.pods.delete(uid);
      return;
    }
    this.pods.set(uid, pod);
    if (pod.node === undefined) return;
    this.#hold(pod, 1);
    const bound = this.bound.get(uid);
    if (bound === undefined) {
      this.bound.set(uid, pod.node);
      this.#checkRecord(pod, object.metadata.annotations['gpu-autoscaler.io/allocation']);
      // What nodes offer never changes here: only a Binding can make it too little.
      this.#checkNode(pod, version);
    } else if (bound !== pod.node) this.breaches.push(`${name} went from ${bound} to ${pod.node}`);
  }

  #hold({ node, finished, request }: SeenPod, sign: 1 | -1): void {
    if (node === undefined || finished) return;
    for (const [resource, count] of request) {
      const key = `${node} ${resource}`;
      this.#held.set(key, (this.#held.get(key) ?? 0) + sign * count);
    }
  }

  #checkNode({ name, node = '', finished, request }: SeenPod, version: bigint): void {
    if (finished) return;
    for (const resource of request.keys()) {
      const held = this.#held.get(`${node} ${resource}`) ?? 0;
      const offered = this.allocatable.get(node)?.get(resource) ?? 0;
      if (held <= offered) continue;
      const pods = [...this.pods.values()].filter(
        (pod) => pod.node === node && !pod.finished && pod.request.has(resource),
      );
      const who = pods.map((pod) => `${pod.name} (${pod.uid})`).join(', ');
      this.breaches.push(
        `${new Date().toISOString()} version ${version}: ${node} has ${offered} ${resource}, ${held} are given away, the last to ${name}: ${who}`,
      );
    }
  }

  #checkRecord({ name, node, request }: SeenPod, annotation: string | undefined): void {
    const record = parseAllocationRecord(annotation);
    const written = record && [record, ...(record.others ?? [])].map(({ resource, count }) => `${resource}=${count}`);
    const wanted = [...request].map(([resource, count]) => `${resource}=${count}`);
    if (record?.node === node && String(written?.sort()) === String(wanted.sort())) return;
    this.breaches.push(`${name} is on ${node} with ${wanted}, its record says ${annotation}`);
  }
}

/** GPU resources, of several lists of quantities together. */
function gpusOf(lists: readonly Readonly<Record<string, string>>[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [resource, text] of lists.flatMap((list) => Object.entries(list))) {
    if (GPU.test(resource) && Number(text) > 0) sums.set(resource, (sums.get(resource) ?? 0) + Number(text));
  }
  return sums;
}
