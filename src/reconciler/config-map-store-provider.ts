/** The names in the ConfigMaps that the configuration asks for, which may be others tomorrow; and which of them are in use. */

import type { Clock } from '../kube/clock.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { Lease } from '../kube/lease.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { Transition } from '../state/observed-node.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type Component, ConfigMapStore } from './config-map-store.ts';
import type { ReconcilerMetrics } from './metrics.ts';
import type { NamedConfig } from './named-config.ts';
import type { ReconcilerSettings } from './settings.ts';

export interface ConfigMapStoreProviderOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly lease: Pick<Lease, 'isHeld'>;
  readonly state: Pick<ClusterState, 'nodes'>;
  readonly settings: () => ReconcilerSettings;
  readonly log: Logger;
  readonly metrics: Pick<ReconcilerMetrics, 'foreignEdits'>;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** Names that are not needed any more are looked for so often. */
const COLLECT_MS = 600_000;

export class ConfigMapStoreProvider {
  readonly #options: ConfigMapStoreProviderOptions;
  #made: { readonly from: string; readonly store: ConfigMapStore } | undefined;

  constructor(options: ConfigMapStoreProviderOptions) {
    this.#options = options;
  }

  /** For one look at a node: ms for which a name has been there; undefined if it is not. */
  ages(): (component: Component, name: string) => number | undefined {
    const store = this.#store;
    return (component, name) => store.age(component, name);
  }

  /** @throws KubeError, ConfigMapStoreError */
  async add(plugin: NamedConfig, mig: NamedConfig | undefined): Promise<void> {
    const store = this.#store;
    const inUse = () => this.#inUse();
    await store.add('plugin', [plugin], inUse);
    if (mig) await store.add('mig', [mig], inUse);
  }

  /** Whether the names are there now: another client may have removed them. @throws KubeError, ConfigMapStoreError */
  async has({ plugin, mig }: Pick<Transition, 'plugin' | 'mig'>): Promise<boolean> {
    const store = this.#store;
    return (await store.has('plugin', plugin)) && (mig === undefined || (await store.has('mig', mig)));
  }

  /** ms between two looks for names that no node needs any more. */
  readonly collectMs = COLLECT_MS;

  /** Only where names have been written, and nodes are looked at. */
  get mayCollect(): boolean {
    return this.#made !== undefined && this.#options.settings().enabled;
  }

  /** Takes away what no node needs any more. @throws KubeError, ConfigMapStoreError */
  async collect(): Promise<void> {
    const { log } = this.#options;
    for (const component of ['plugin', 'mig'] as const) {
      const gone = await this.#store.collect(component, this.#inUse());
      if (gone > 0) log.info({ component, gone }, 'configurations that no node needs any more were removed');
    }
  }

  get #store(): ConfigMapStore {
    const { client, clock, lease, settings, log, metrics } = this.#options;
    const { namespace, configMaps } = settings();
    const from = JSON.stringify([namespace, configMaps]);
    if (this.#made?.from !== from) {
      const edited = (component: Component, name: string) => {
        metrics.foreignEdits.inc();
        const configMap = `${namespace}/${configMaps[component]}`;
        log.warn({ configMap, name }, 'another client has changed a text of ours');
      };
      const maySend = () => lease.isHeld;
      this.#made = { from, store: new ConfigMapStore({ client, namespace, configMaps, clock, maySend, edited }) };
    }
    return this.#made.store;
  }

  #inUse(): ReadonlySet<string> {
    const names = new Set<string>();
    for (const { observed } of this.#options.state.nodes.values()) {
      const { plugin, mig, transition, lastApplied } = observed;
      for (const name of [plugin, mig, transition?.plugin, transition?.mig, lastApplied?.plugin, lastApplied?.mig])
        if (name !== undefined) names.add(name);
    }
    return names;
  }
}
