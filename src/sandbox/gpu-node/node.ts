/**
 * One GPU node as NVIDIA's components make it behave: config-manager, device plugin, mig-manager, GPU Feature
 * Discovery and the part of kubelet that hands out devices. It knows labels, ConfigMaps and pods, and nothing of
 * their writers. Here they are put together, and each gets the labels that it follows.
 */

import { ConfigManager } from './config-manager.ts';
import { deploy, isDeployed, type Labels } from './deploy-labels.ts';
import { DeviceManager } from './device-manager.ts';
import { DevicePlugin } from './device-plugin.ts';
import type { Device } from './devices.ts';
import { Environment, type Faults, type GpuNodeOptions, type PodOnNode } from './environment.ts';
import { FeatureDiscovery } from './feature-discovery.ts';
import { featureLabels } from './feature-labels.ts';
import { type Driver, type Gpu, newGpus } from './hardware.ts';
import { MigManager } from './mig-manager.ts';

export type { Faults, GpuNodeOptions, GpuNodeSpec, NodeIo, PodOnNode } from './environment.ts';

/** Labels of NVIDIA's that start something. */
export const TRIGGERS = { plugin: 'nvidia.com/device-plugin.config', mig: 'nvidia.com/mig.config' } as const;

export class GpuNode {
  readonly #environment: Environment;
  readonly #driver: Driver;
  readonly #kubelet: DeviceManager;
  readonly #plugin: DevicePlugin;
  readonly #configManager: ConfigManager;
  readonly #features: FeatureDiscovery;
  readonly #migManager: MigManager;

  constructor(options: GpuNodeOptions) {
    const environment = new Environment(options);
    const { spec } = environment;
    const driver: Driver = { gpus: newGpus(spec.name, spec.gpus) };
    const kubelet = new DeviceManager(environment);
    const plugin = new DevicePlugin(environment, driver, kubelet, () => features.later());
    const features = new FeatureDiscovery(environment, () => featureLabels(spec, driver.gpus, plugin.config));
    this.#environment = environment;
    this.#driver = driver;
    this.#kubelet = kubelet;
    this.#plugin = plugin;
    this.#features = features;
    this.#configManager = new ConfigManager(environment, (text) => plugin.load(text));
    this.#migManager = new MigManager(environment, driver, kubelet, plugin);
  }

  get name(): string {
    return this.#environment.spec.name;
  }

  /** What goes wrong on purpose from now on: to be set by the caller. */
  get faults(): Faults {
    return this.#environment.faults;
  }

  get gpus(): readonly Gpu[] {
    return this.#driver.gpus;
  }

  /** Uids of pods that ran and lost their device, or the MPS daemon in front of it; in order. */
  get harmed(): readonly string[] {
    return [...this.#kubelet.harmed];
  }

  /** Uids of pods that hold a GPU or an instance for themselves, and yet others got a slot of it. */
  get overlapped(): readonly string[] {
    return [...this.#kubelet.overlapped];
  }

  /** Uids of pods that were bound here and not admitted: `UnexpectedAdmissionError`. */
  get refused(): readonly string[] {
    return [...this.#kubelet.refused];
  }

  /** Devices that the pod holds; empty for a pod that was refused. */
  devicesOf(uid: string): readonly Device[] {
    return this.#kubelet.devicesOf(uid);
  }

  /** The operator deploys everything, and the plugin comes up for the first time. */
  async start(): Promise<void> {
    const { spec, io } = this.#environment;
    await this.#plugin.register();
    const deployed = deploy(spec.labels ?? {}, 'true');
    if (!this.faults.featureDiscoveryAway) return this.#features.write(deployed);
    this.#features.later();
    await io.labels(deployed);
  }

  stop(): void {
    this.#environment.stop();
  }

  /** The node's labels, after each change. */
  labelled(labels: Labels): void {
    // A key that comes together with the pod is the first that the pod reads.
    this.#configManager.labelled(labels[TRIGGERS.plugin]);
    this.#deployPlugin(isDeployed(labels, 'device-plugin'));
    this.#features.deployed(isDeployed(labels, 'gpu-feature-discovery'), this.#kubelet.isOffering);
    this.#migManager.labelled(labels, labels[TRIGGERS.mig]);
  }

  #deployPlugin(isDeployed: boolean): void {
    if (isDeployed === this.#plugin.isRunning) return;
    if (isDeployed) {
      this.#plugin.start();
      this.#configManager.start();
    } else {
      this.#configManager.stop();
      this.#plugin.stop();
    }
  }

  /** A pod is bound here: kubelet admits it or does not, once and for all. */
  bound(pod: PodOnNode): Promise<void> {
    return this.#kubelet.bound(pod);
  }

  gone(uid: string): void {
    this.#kubelet.gone(uid);
  }
}
