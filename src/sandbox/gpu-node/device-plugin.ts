/** The device plugin's pod, while there is one: registers the GPUs as its configuration says. Source: k8s-device-plugin 0.20. */

import type { DeviceManager } from './device-manager.ts';
import { devicesOf } from './devices.ts';
import type { Environment } from './environment.ts';
import type { Driver } from './hardware.ts';
import { PLAIN, type PluginConfig, parsePluginConfig } from './plugin-config.ts';

export class DevicePlugin {
  readonly #environment: Environment;
  readonly #driver: Driver;
  readonly #kubelet: DeviceManager;
  readonly #loaded: () => void;
  #config: PluginConfig = PLAIN;
  /** What it does, one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  /** Of the pod; aborted as soon as it has to go. */
  #life = new AbortController();
  /** Resolves when that pod has gone. */
  #gone = Promise.withResolvers<void>();

  /** @param loaded is called whenever it has taken a configuration */
  constructor(environment: Environment, driver: Driver, kubelet: DeviceManager, loaded: () => void) {
    this.#environment = environment;
    this.#driver = driver;
    this.#kubelet = kubelet;
    this.#loaded = loaded;
  }

  get config(): PluginConfig {
    return this.#config;
  }

  /** Its pod is there, and holds the driver. */
  get isRunning(): boolean {
    return !this.#life.signal.aborted;
  }

  /** Resolves when the pod that is there now, if any, has gone. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** The node is new: at once. */
  async register(): Promise<void> {
    const { spec } = this.#environment;
    const parsed = spec.defaultConfig === undefined ? undefined : parsePluginConfig(spec.defaultConfig, spec.product);
    if (parsed?.ok) this.#config = parsed.value;
    await this.#enqueue(() => this.#register());
  }

  /** A new pod; it has no configuration until `load`. */
  start(): void {
    this.#life = new AbortController();
    this.#gone = Promise.withResolvers();
  }

  /** By SIGHUP, or of a new pod the first. */
  load(text: string): void {
    const { signal } = this.#life;
    this.#environment.aside(
      this.#enqueue(async () => {
        if (!signal.aborted) await this.#load(text, signal);
      }),
    );
  }

  stop(): void {
    this.#life.abort();
    const gone = this.#gone;
    this.#environment.aside(
      // It goes even where its kubelet cannot write that.
      this.#enqueue(() => this.#withdraw()).finally(() => gone.resolve()),
    );
  }

  async #load(text: string, signal: AbortSignal): Promise<void> {
    const { spec, io, timing } = this.#environment;
    await this.#withdraw();
    await this.#environment.sleep(timing.reload, signal);
    const parsed = parsePluginConfig(text, spec.product);
    if (!parsed.ok) {
      io.log('device plugin: the configuration cannot be used: exit 1', { why: parsed.reason });
      return;
    }
    for (const warning of parsed.value.warnings) io.log(`device plugin: ${warning}`);
    this.#config = parsed.value;
    await this.#register();
    this.#loaded();
  }

  async #register(): Promise<void> {
    const devices = devicesOf(this.#driver.gpus, this.#config);
    if (devices.ok) await this.#kubelet.register(devices.value, this.#config);
    else this.#environment.io.log('device plugin: exit 1', { why: devices.reason });
  }

  /** The MPS daemon follows the same labels as the plugin: it goes, or starts again, together with it. */
  async #withdraw(): Promise<void> {
    await this.#kubelet.withdraw();
    if (this.#config.sharing?.mode === 'mps') await this.#kubelet.endMpsClients();
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work);
    // A fault ends what met it, and nothing after it.
    this.#queue = done.catch(() => {});
    return done;
  }
}
