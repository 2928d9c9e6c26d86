/**
 * The plugin's sidecar: follows the node's label to a key of the ConfigMap, and crashes on until the key is there.
 * Source: k8s-device-plugin 0.20, `cmd/config-manager`.
 */

import type { Environment } from './environment.ts';
import type { Range } from './timing.ts';

export class ConfigManager {
  readonly #environment: Environment;
  readonly #load: (text: string) => void;
  #key: string | undefined;
  #isRunning = true;
  /** What it looks for at the moment. */
  #search = new AbortController();

  /** @param load loads a configuration into the plugin */
  constructor(environment: Environment, load: (text: string) => void) {
    this.#environment = environment;
    this.#load = load;
  }

  /** The label `nvidia.com/device-plugin.config`, after each change of any label. */
  labelled(key: string | undefined): void {
    if (key === this.#key) return;
    this.#key = key;
    const { faults, timing } = this.#environment;
    if (this.#isRunning && !faults.pluginIgnores) this.#look(timing.notice);
  }

  /** The plugin's pod comes, and with it an init container that reads the label at once. */
  start(): void {
    this.#isRunning = true;
    this.#look(0);
  }

  stop(): void {
    this.#isRunning = false;
    this.#search.abort();
  }

  #look(after: number | Range): void {
    this.#search.abort();
    this.#search = new AbortController();
    this.#environment.aside(this.#lookFor(this.#key, after, this.#search.signal));
  }

  async #lookFor(key: string | undefined, after: number | Range, signal: AbortSignal): Promise<void> {
    const environment = this.#environment;
    const { io, timing, spec } = environment;
    await environment.sleep(after, signal);
    for (let backoff = timing.backoff; ; backoff = Math.min(timing.longestBackoff, 2 * backoff)) {
      const text = key === undefined ? (spec.defaultConfig ?? 'version: v1') : io.volume('plugin')[key];
      // What the key holds at this moment: later changes of it are not seen.
      if (text !== undefined) return this.#load(text);
      io.log('config-manager: specified config not present: exit 1', { key });
      await environment.sleep(backoff, signal);
    }
  }
}
