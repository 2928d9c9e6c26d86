/** GPU Feature Discovery's pod: labels the node, some time after the plugin. Source: k8s-device-plugin 0.20, `cmd/gpu-feature-discovery`. */

import type { Labels } from './deploy-labels.ts';
import type { Environment } from './environment.ts';

export class FeatureDiscovery {
  readonly #environment: Environment;
  readonly #labels: () => Labels;
  #isDeployed = true;
  #runs = 0;
  #written: readonly string[] = [];

  /** @param labels what there is to be said by now */
  constructor(environment: Environment, labels: () => Labels) {
    this.#environment = environment;
    this.#labels = labels;
  }

  /** Whether its pod is to be; @param hasNews whether it then has something to label, or will be called later */
  deployed(isDeployed: boolean, hasNews: boolean): void {
    const comes = isDeployed && !this.#isDeployed;
    this.#isDeployed = isDeployed;
    if (comes && hasNews) this.later();
  }

  /** The plugin has changed. */
  later(): void {
    this.#environment.aside(this.#runUntilWritten());
  }

  async #runUntilWritten(): Promise<void> {
    const { timing, faults } = this.#environment;
    this.#runs += 1;
    const run = this.#runs;
    await this.#environment.sleep(timing.featureLag);
    while (faults.featureDiscoveryAway) {
      const [, interval] = timing.featureLag;
      await this.#environment.sleep(interval);
      // A later one sees what there is as well.
      if (run !== this.#runs) return;
    }
    // A pod that is gone writes nothing, and a new one begins from the start.
    if (this.#isDeployed) await this.write();
  }

  /** At once. @param others to be written together with its own */
  async write(others: Labels = {}): Promise<void> {
    const labels = this.#labels();
    const removed = this.#written.filter((key) => !(key in labels)).map((key) => [key, null]);
    this.#written = Object.keys(labels);
    await this.#environment.io.labels({ ...others, ...labels, ...Object.fromEntries(removed) });
  }
}
