/**
 * A reduced GPU node whose time is simulated: config-manager and device plugin, mig-manager, GPU Feature Discovery, pods
 * that come and go. Nothing happens but by `advance`, so that a seed tells all.
 */

import { allocatableOf, disturbed, type Partition, sameLayout, wholeGpus } from '#src/core/partitioning/partition.ts';
import type { NodePatch } from '#src/reconciler/step.ts';
import type { GpuPod } from '#src/state/gpu-pods.ts';
import { DISCOVERED } from '../objects/nodes.ts';
import { MIG, PAUSED, PLUGIN, STATE } from '../unit/reconciler/make.ts';

export interface Faults {
  /** So many runs of mig-manager fail. */
  migFails: number;
  /** So many end halfway: `pending` for ever. */
  migSticks: number;
  /** config-manager sees no change of its label. */
  pluginIgnores: boolean;
  /** GPU Feature Discovery writes nothing. */
  unlabelled: boolean;
  /** Evictions are refused. */
  budget: boolean;
  /** So many times as slow. */
  slow: number;
}

/** A key's text, by what it means. */
export type Meaning = Partition;
type Texts = Record<string, string>;

/** Until a kubelet shows a changed ConfigMap, ms at most. */
const SYNC_MS = 90_000;

export const NO_FAULTS: Readonly<Faults> = {
  migFails: 0,
  migSticks: 0,
  pluginIgnores: false,
  unlabelled: false,
  budget: false,
  slow: 1,
};

export class ModelNode {
  now = 0;
  readonly faults: Faults = { ...NO_FAULTS };
  readonly labels: Texts = {};
  readonly annotations: Texts = {};
  allocatable: Texts = {};
  cordoned = false;
  /** What the GPUs are. */
  layouts: Partition['layouts'];
  sharing: Partition['sharing'];
  /** Since when each name has been in its ConfigMap, and what it says. */
  readonly keys = {
    plugin: new Map<string, { since: number; means: Meaning }>(),
    mig: new Map<string, { since: number; means: Meaning }>(),
  };
  readonly pods = new Map<string, GpuPod>();
  /** Pods that came while what they were to get was away. */
  refused = 0;
  readonly #random: () => number;
  #events: { at: number; run: () => void }[] = [];
  #plugin: { label: string | undefined; running: boolean; turn: number; busy: boolean } = {
    label: undefined,
    running: true,
    turn: 0,
    busy: false,
  };
  #mig: { wanted: string | undefined; working: boolean } = { wanted: undefined, working: false };
  #names = 0;
  /** What pods hold whose Bindings are under way. */
  readonly #coming: string[] = [];

  constructor(random: () => number, gpus = 2) {
    this.#random = random;
    this.layouts = wholeGpus(gpus).layouts;
    this.sharing = undefined;
    Object.assign(this.labels, {
      ...DISCOVERED,
      'nvidia.com/gpu.count': String(gpus),
      [PAUSED]: 'true',
    });
    this.#register();
    this.#discover();
  }

  get object(): object {
    const { labels, annotations, allocatable, cordoned } = this;
    return {
      metadata: { name: 'a', labels: { ...labels }, annotations: { ...annotations } },
      spec: { ...(cordoned && { unschedulable: true }) },
      status: { allocatable: { ...allocatable } },
    };
  }

  get partition(): Partition {
    return { layouts: this.layouts, sharing: this.sharing };
  }

  /** A component is about to do what it was told, or at it. */
  get isAtWork(): boolean {
    return this.#mig.working || this.#plugin.busy;
  }

  get nextAt(): number {
    return Math.min(...this.#events.map(({ at }) => at));
  }

  /** Lets the next event happen, if it comes before. @returns whether there was one */
  advance(until: number): boolean {
    const [first] = this.#events.sort((a, b) => a.at - b.at);
    if (!first || first.at > until) {
      this.now = Math.max(this.now, until);
      return false;
    }
    this.#events.shift();
    this.now = first.at;
    first.run();
    return true;
  }

  after(ms: number, run: () => void): void {
    this.#events.push({ at: this.now + ms, run });
  }

  between(least: number, most: number): number {
    return Math.round(least + (most - least) * this.#random());
  }

  write(component: 'plugin' | 'mig', name: string, means: Meaning): void {
    if (!this.keys[component].has(name)) this.keys[component].set(name, { since: this.now, means });
  }

  patch({ labels = {}, annotations = {}, unschedulable }: NodePatch): void {
    merge(this.labels, labels);
    merge(this.annotations, annotations);
    if (unschedulable !== undefined) this.cordoned = unschedulable === true;
    this.#labelled();
  }

  /** A pod that somebody has decided to place here; it comes a little later, as its Binding was under way. */
  place(nonEvictableReason: string | undefined): void {
    const offered = Object.entries(this.allocatable).flatMap(([resource, count]) =>
      Number(count) > this.#held(resource) ? [resource] : [],
    );
    const resource = offered[this.between(0, offered.length - 1)];
    if (resource === undefined || this.cordoned) return;
    this.#coming.push(resource);
    this.after(this.between(0, 5_000), () => {
      this.#coming.splice(this.#coming.indexOf(resource), 1);
      this.#names += 1;
      const uid = `p${this.#names}`;
      const pod = {
        uid,
        namespace: 'team',
        name: uid,
        resources: { [resource]: 1 },
        nonEvictableReason,
        terminating: false,
      };
      if (Number(this.allocatable[resource] ?? 0) <= this.#held(resource)) this.refused += 1;
      else this.pods.set(uid, pod);
    });
  }

  evict(uid: string): void {
    const pod = this.pods.get(uid);
    if (!pod || pod.terminating || this.faults.budget) return;
    this.pods.set(uid, { ...pod, terminating: true });
    this.after(this.between(500, 10_000), () => void this.pods.delete(uid));
  }

  /** Pods that would lose what they hold if the GPUs became such now. */
  harmedBy(to: Partition): GpuPod[] {
    const resources = disturbed(this.partition, to);
    return [...this.pods.values()].filter(
      (pod) => resources === 'all' || Object.keys(pod.resources).some((resource) => resources.has(resource)),
    );
  }

  #held(resource: string): number {
    const held = [...this.pods.values()].filter(({ resources }) => resource in resources);
    return held.length + this.#coming.filter((each) => each === resource).length;
  }

  #labelled(): void {
    const isDeployed = this.labels[PAUSED] === 'true';
    if (isDeployed !== this.#plugin.running) {
      this.#plugin.running = isDeployed;
      if (isDeployed) this.#load(0);
      else this.#withdraw();
    }
    if (this.labels[PLUGIN] !== this.#plugin.label) {
      this.#plugin.label = this.labels[PLUGIN];
      // What it does not see it does not see later either.
      if (this.#plugin.running && !this.faults.pluginIgnores) this.#load(this.between(200, 2_000));
    }
    if (this.labels[MIG] !== this.#mig.wanted) {
      this.#mig.wanted = this.labels[MIG];
      if (!this.#mig.working && this.#mig.wanted !== undefined) {
        this.#mig.working = true;
        this.after(this.between(200, 2_000), () => this.#run());
      }
    }
  }

  #withdraw(): void {
    this.#plugin.turn += 1;
    this.#plugin.busy = false;
    for (const resource of Object.keys(this.allocatable)) this.allocatable[resource] = '0';
  }

  #load(ms: number): void {
    this.#plugin.turn += 1;
    const { turn } = this.#plugin;
    const label = this.labels[PLUGIN];
    this.#plugin.busy = true;
    const stale = () => turn !== this.#plugin.turn;
    const look = (backoff: number) => {
      if (stale()) return;
      const key =
        label === undefined ? { since: Number.NEGATIVE_INFINITY, means: wholeGpus(2) } : this.keys.plugin.get(label);
      if (!key || this.now - key.since < SYNC_MS * 0.99) {
        // It crashes on; the plugin keeps what it has.
        this.#plugin.busy = false;
        this.after(backoff, () => look(Math.min(300_000, 2 * backoff)));
        return;
      }
      this.#plugin.busy = true;
      for (const resource of Object.keys(this.allocatable)) this.allocatable[resource] = '0';
      this.after(this.between(1_000, 3_000) * this.faults.slow, () => {
        if (stale()) return;
        this.sharing = key.means.sharing;
        this.#plugin.busy = false;
        this.#register();
        this.after(this.between(1_000, 60_000), () => this.#discover());
      });
    };
    this.after(ms, () => look(10_000));
  }

  #register(): void {
    const offered = allocatableOf(this.partition);
    for (const resource of new Set([...Object.keys(this.allocatable), ...offered.keys()]))
      this.allocatable[resource] = String(offered.get(resource) ?? 0);
  }

  #discover(): void {
    if (this.faults.unlabelled) {
      this.after(60_000, () => this.#discover());
      return;
    }
    for (const key of Object.keys(this.labels)) if (/mig-.*\.count$/.test(key)) delete this.labels[key];
    for (const [resource, count] of allocatableOf({ layouts: this.layouts, sharing: undefined }))
      if (resource.includes('/mig-')) this.labels[`${resource}.count`] = String(count);
    this.labels['nvidia.com/gpu.replicas'] = String(this.sharing?.replicas ?? (this.layouts.every(Boolean) ? 0 : 1));
    this.labels['nvidia.com/gpu.sharing-strategy'] = { mps: 'mps', timeslicing: 'time-slicing', none: 'none' }[
      this.sharing?.mode ?? 'none'
    ];
  }

  /** One run of mig-manager, and another if the label has become another meanwhile. */
  #run(): void {
    const name = this.#mig.wanted;
    const key = name === undefined ? undefined : this.keys.mig.get(name);
    const end = (state: 'success' | 'failed') => {
      this.labels[STATE] = state;
      this.labels[PAUSED] = 'true';
      this.#labelled();
      if (this.#mig.wanted !== undefined && this.#mig.wanted !== name) this.after(500, () => this.#run());
      else this.#mig.working = false;
    };
    if (!key || this.now - key.since < SYNC_MS * 0.99) {
      end('failed');
      return;
    }
    const to = key.means.layouts;
    if (to.every((layout, gpu) => sameLayout(layout, this.layouts[gpu]))) {
      end('success');
      return;
    }
    this.labels[STATE] = 'pending';
    this.labels[PAUSED] = 'paused-for-mig-change';
    this.#labelled();
    this.after(this.between(20_000, 120_000) * this.faults.slow, () => {
      if (this.faults.migSticks > 0) {
        this.faults.migSticks -= 1;
        // It is not heard of again until its label changes.
        this.#mig.working = false;
        if (this.#mig.wanted !== name) this.#rerun();
        return;
      }
      if (this.faults.migFails > 0) {
        this.faults.migFails -= 1;
        end('failed');
        return;
      }
      const cut = { layouts: to, sharing: this.sharing };
      const resources = disturbed(this.partition, cut);
      const inUse = [...this.pods.values()].some(
        (pod) => resources === 'all' || Object.keys(pod.resources).some((each) => resources.has(each)),
      );
      if (inUse || this.#plugin.running) {
        end('failed');
        return;
      }
      this.layouts = to;
      end('success');
    });
  }

  #rerun(): void {
    this.#mig.working = true;
    this.after(500, () => this.#run());
  }
}

function merge(into: Texts, changes: Readonly<Record<string, string | null>>): void {
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete into[key];
    else into[key] = value;
  }
}
