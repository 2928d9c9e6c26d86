/**
 * One GPU node as NVIDIA's components make it behave: config-manager, device plugin, mig-manager, GPU Feature
 * Discovery and the part of kubelet that hands out devices. It knows labels, ConfigMaps and pods, and nothing of
 * whoever writes them.
 */

import { chooseDevices } from './assignment.ts';
import { type Device, devicesOf, type Registered } from './devices.ts';
import { featureLabels } from './feature-labels.ts';
import { type Gpu, type GpuKind, newGpus } from './hardware.ts';
import { parseMigConfigs } from './mig-parted-config.ts';
import { applyMig, isDone, planMig } from './mig-plan.ts';
import { PLAIN, type PluginConfig, parsePluginConfig } from './plugin-config.ts';
import { type Clock, type Timing, within } from './timing.ts';

/** Labels of NVIDIA's that start something. */
export const TRIGGERS = { plugin: 'nvidia.com/device-plugin.config', mig: 'nvidia.com/mig.config' } as const;
const MIG_STATE = 'nvidia.com/mig.config.state';
const DEPLOY = [
  'nvidia.com/gpu.deploy.device-plugin',
  'nvidia.com/gpu.deploy.gpu-feature-discovery',
  'nvidia.com/gpu.deploy.dcgm-exporter',
];

export interface GpuNodeSpec extends GpuKind {
  readonly name: string;
  readonly gpus: number;
  /** Configuration of the plugin where no label names one; default: nothing is shared. */
  readonly defaultConfig?: string;
}

/** What goes wrong on purpose. */
export interface Faults {
  /** mig-manager ends in `failed`. */
  migFails?: boolean;
  /** mig-manager waits for pods that never go: `pending`, and the deploy labels stay paused. */
  migSticks?: boolean;
  /** The mode takes a reboot: `rebooting` in between. */
  migReboots?: boolean;
}

export interface NodeIo {
  /** A merge patch: null removes. */
  labels(labels: Readonly<Record<string, string | null>>): Promise<void>;
  /** Resources by name; null removes. */
  resources(
    allocatable: Readonly<Record<string, string | null>>,
    capacity: Readonly<Record<string, string | null>>,
  ): Promise<void>;
  podStatus(pod: PodOnNode, status: object): Promise<void>;
  /** What a pod's volume shows of a ConfigMap by now. */
  volume(configMap: 'plugin' | 'mig'): Readonly<Record<string, string>>;
  log(message: string, details?: object): void;
}

/** A pod that is bound to the node. */
export interface PodOnNode {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Devices asked for, by resource. */
  readonly devices: ReadonlyMap<string, number>;
  readonly finished: boolean;
}

export interface GpuNodeOptions {
  readonly spec: GpuNodeSpec;
  readonly io: NodeIo;
  readonly clock: Clock;
  readonly timing: Timing;
  readonly random: () => number;
  readonly faults?: Faults;
}

export class GpuNode {
  readonly faults: Faults;
  readonly #options: GpuNodeOptions;
  readonly #stopping = new AbortController();
  /** Work of the plugin and of mig-manager, one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #gpus: readonly Gpu[];
  #config: PluginConfig = PLAIN;
  /** Undefined while the plugin is away. */
  #registered: Registered | undefined;
  /** By uid: pods that were admitted, and what they hold until they are gone. */
  readonly #held = new Map<string, { readonly pod: PodOnNode; readonly devices: readonly Device[] }>();
  readonly #vanished = new Map<string, number>();
  #pluginKey: string | undefined;
  #migKey: string | undefined;
  #lookedFor = 0;
  #instances = 0;

  constructor(options: GpuNodeOptions) {
    this.#options = options;
    this.faults = options.faults ?? {};
    this.#gpus = newGpus(options.spec.name, options.spec.gpus);
  }

  get name(): string {
    return this.#options.spec.name;
  }

  get gpus(): readonly Gpu[] {
    return this.#gpus;
  }

  /** Devices that the pod holds; empty for a pod that was refused. */
  devicesOf(uid: string): readonly Device[] {
    return this.#held.get(uid)?.devices ?? [];
  }

  /** The plugin comes up for the first time. */
  start(): Promise<void> {
    const { spec } = this.#options;
    const parsed = spec.defaultConfig === undefined ? undefined : parsePluginConfig(spec.defaultConfig, spec.product);
    if (parsed?.ok) this.#config = parsed.value;
    return this.#enqueue(async () => {
      await this.#register();
      await this.#writeFeatures();
    });
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** The node's labels, after each change. */
  labelled(labels: Readonly<Record<string, string>>): void {
    const pluginKey = labels[TRIGGERS.plugin];
    if (pluginKey !== this.#pluginKey) {
      this.#pluginKey = pluginKey;
      this.#aside(this.#lookFor(pluginKey));
    }
    const migKey = labels[TRIGGERS.mig];
    if (migKey !== this.#migKey) {
      this.#migKey = migKey;
      if (migKey !== undefined) void this.#enqueue(() => this.#manageMig(migKey));
    }
  }

  /** A pod is bound here: kubelet admits it or does not, once and for all. */
  async bound(pod: PodOnNode): Promise<void> {
    if (pod.finished) return this.gone(pod.uid);
    if (this.#held.has(pod.uid)) return;
    const refused = this.#admit(pod);
    const { io } = this.#options;
    await io.podStatus(
      pod,
      refused === undefined
        ? { phase: 'Running' }
        : {
            phase: 'Failed',
            reason: 'UnexpectedAdmissionError',
            message: `Pod was rejected: Allocate failed due to ${refused}, which is unexpected`,
          },
    );
  }

  gone(uid: string): void {
    this.#held.delete(uid);
  }

  #admit(pod: PodOnNode): string | undefined {
    const { sharing, allocationPolicy } = this.#config;
    const taken = new Set([...this.#held.values()].flatMap(({ devices }) => devices.map(({ id }) => id)));
    const held: Device[] = [];
    for (const [resource, count] of pod.devices) {
      const offered = this.#registered?.get(resource);
      if (!offered || offered.length === 0)
        return `no healthy devices present; cannot allocate unhealthy devices ${resource}`;
      const isShared = sharing !== undefined && offered[0]?.id.includes('::');
      if (isShared && count > 1 && sharing.failRequestsGreaterThanOne) {
        return `rpc error: request for '${resource}: ${count}': maximum request size for shared resources is 1; found ${count}`;
      }
      const chosen = chooseDevices(offered, taken, count, allocationPolicy);
      if (!chosen) return `requested number of devices unavailable for ${resource}. Requested: ${count}`;
      for (const device of chosen) {
        taken.add(device.id);
        held.push(device);
      }
    }
    this.#held.set(pod.uid, { pod, devices: held });
    return undefined;
  }

  /** config-manager: points the plugin at the key, or crashes until there is one. */
  async #lookFor(key: string | undefined): Promise<void> {
    const { clock, timing, random, io, spec } = this.#options;
    const { signal } = this.#stopping;
    this.#lookedFor += 1;
    const looking = this.#lookedFor;
    const isCurrent = () => this.#lookedFor === looking;
    await clock.sleep(within(timing.notice, random), signal);
    for (let backoff = timing.backoff; ; backoff = Math.min(timing.longestBackoff, 2 * backoff)) {
      if (!isCurrent()) return;
      const text = key === undefined ? (spec.defaultConfig ?? 'version: v1') : io.volume('plugin')[key];
      if (text !== undefined) {
        // What the key holds at this moment: later changes of it are not seen.
        await this.#enqueue(() => this.#reload(text));
        return;
      }
      io.log('config-manager: specified config not present: exit 1', { key });
      await clock.sleep(backoff, signal);
    }
  }

  async #reload(text: string): Promise<void> {
    const { clock, timing, random, io, spec } = this.#options;
    await this.#withdraw();
    await clock.sleep(within(timing.reload, random), this.#stopping.signal);
    const parsed = parsePluginConfig(text, spec.product);
    if (!parsed.ok) {
      io.log('device plugin: the configuration cannot be used: exit 1', { why: parsed.reason });
      return;
    }
    for (const warning of parsed.value.warnings) io.log(`device plugin: ${warning}`);
    if (this.#config.sharing?.mode === 'mps') await this.#killClients();
    this.#config = parsed.value;
    await this.#register();
    this.#aside(this.#writeFeaturesLater());
  }

  /** The MPS daemon is started anew with the plugin: what its clients compute is lost. */
  async #killClients(): Promise<void> {
    for (const { pod, devices } of [...this.#held.values()]) {
      if (!devices.some(({ id }) => id.includes('::'))) continue;
      this.#held.delete(pod.uid);
      await this.#options.io.podStatus(pod, { phase: 'Failed', reason: 'Error', message: 'the MPS daemon has gone' });
    }
  }

  /** The plugin is away: what it had registered is still there, but cannot be had. */
  async #withdraw(): Promise<void> {
    const resources = [...(this.#registered?.keys() ?? [])];
    this.#registered = undefined;
    if (resources.length > 0)
      await this.#options.io.resources(Object.fromEntries(resources.map((name) => [name, '0'])), {});
    for (const name of resources) this.#vanished.set(name, this.#options.clock.now());
  }

  async #register(): Promise<void> {
    const { io } = this.#options;
    const devices = devicesOf(this.#gpus, this.#config);
    if (!devices.ok) {
      io.log('device plugin: exit 1', { why: devices.reason });
      return;
    }
    this.#registered = devices.value;
    const amounts = Object.fromEntries([...devices.value].map(([name, list]) => [name, String(list.length)]));
    for (const name of Object.keys(amounts)) this.#vanished.delete(name);
    const zeros = Object.fromEntries([...this.#vanished.keys()].map((name) => [name, '0']));
    await io.resources({ ...zeros, ...amounts }, amounts);
    this.#aside(this.#forgetVanished());
  }

  async #forgetVanished(): Promise<void> {
    const { clock, timing, io } = this.#options;
    await clock.sleep(timing.capacityKept, this.#stopping.signal);
    const old = [...this.#vanished]
      .filter(([, since]) => clock.now() - since >= timing.capacityKept)
      .map(([name]) => name);
    if (old.length === 0) return;
    for (const name of old) this.#vanished.delete(name);
    const none = Object.fromEntries(old.map((name) => [name, null]));
    await io.resources(none, none);
  }

  async #writeFeaturesLater(): Promise<void> {
    const { clock, timing, random } = this.#options;
    await clock.sleep(within(timing.featureLag, random), this.#stopping.signal);
    await this.#writeFeatures();
  }

  #written: Record<string, string> = {};

  async #writeFeatures(): Promise<void> {
    const { io, spec } = this.#options;
    const labels = featureLabels(spec, this.#gpus, this.#config);
    const removed = Object.fromEntries(
      Object.keys(this.#written)
        .filter((key) => !(key in labels))
        .map((key) => [key, null]),
    );
    this.#written = labels;
    await io.labels({ ...labels, ...removed });
  }

  async #manageMig(key: string): Promise<void> {
    const { clock, timing, random, io, spec } = this.#options;
    const { signal } = this.#stopping;
    const state = (value: string) => io.labels({ [MIG_STATE]: value });
    const fail = async (why: string) => {
      io.log('mig-manager: failed', { key, why });
      await state('failed');
    };
    await clock.sleep(within(timing.notice, random), signal);
    const configs = parseMigConfigs(io.volume('mig')['config.yaml'] ?? '');
    if (!configs.ok) return fail(configs.reason);
    const entries = configs.value.get(key);
    if (!entries) return fail(`selected mig-config not present: ${key}`);
    const plan = planMig(this.#gpus, spec, entries);
    if (!plan.ok) return fail(plan.reason);
    if (isDone(plan.value)) return state('success');

    await state('pending');
    await io.labels(Object.fromEntries(DEPLOY.map((label) => [label, 'paused-for-mig-change'])));
    await this.#withdraw();
    await clock.sleep(within(timing.pause, random), signal);
    if (this.faults.migSticks) {
      io.log('mig-manager: timed out waiting for pods to go');
      return;
    }
    const restore = async () => {
      await io.labels(Object.fromEntries(DEPLOY.map((label) => [label, 'true'])));
      await clock.sleep(within(timing.reload, random), signal);
      await this.#register();
      this.#aside(this.#writeFeaturesLater());
    };
    if (plan.value.modes.length > 0) {
      if (this.faults.migReboots) await state('rebooting');
      await clock.sleep(within(timing.mode, random), signal);
    }
    await clock.sleep(within(timing.geometry, random), signal);
    const changed = new Set([...plan.value.modes, ...plan.value.cuts.keys()]);
    const busy = [...this.#held.values()].flatMap(({ devices }) => devices).find(({ gpu }) => changed.has(gpu));
    if (this.faults.migFails || busy) {
      await restore();
      return fail(busy ? `GPU ${busy.gpu} is in use: ${busy.id}` : 'injected');
    }
    this.#gpus = applyMig(this.#gpus, plan.value, () => {
      this.#instances += 1;
      return `MIG-${spec.name}-${this.#instances}`;
    });
    await restore();
    await state('success');
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(async () => {
      if (!this.#stopping.signal.aborted) await work().catch((error: Error) => this.#met(error));
    });
    this.#queue = done;
    return done;
  }

  /** Work that nobody waits for. */
  #aside(work: Promise<void>): void {
    work.catch((error: Error) => this.#met(error));
  }

  #met({ message }: Error): void {
    if (!this.#stopping.signal.aborted) this.#options.io.log('the emulated node met an error', { error: message });
  }
}
