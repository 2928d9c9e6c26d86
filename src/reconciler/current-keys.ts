/** The names in the ConfigMaps that the configuration asks for, which may be others tomorrow; and which of them are in use. */

import type { KubeClient } from '../cluster/kube-client.ts';
import type { Lease } from '../cluster/lease.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ReconcilerMetrics } from '../telemetry/metrics.ts';
import type { NodeBook } from './books.ts';
import { type Component, KeyStore } from './key-store.ts';
import type { Key } from './keys.ts';
import type { Mark } from './observed.ts';
import type { ReconcilerSettings } from './settings.ts';

export interface CurrentKeysOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly lease: Pick<Lease, 'isHeld'>;
  readonly nodes: NodeBook;
  readonly settings: () => ReconcilerSettings;
  readonly log: Logger;
  readonly metrics: Pick<ReconcilerMetrics, 'foreignEdits'>;
  /** ms of a clock that never goes back. */
  readonly now: () => number;
}

/** Names that nobody needs any more are looked for so often. */
const COLLECT_MS = 600_000;

export class CurrentKeys {
  readonly #options: CurrentKeysOptions;
  #made: { readonly from: string; readonly store: KeyStore } | undefined;
  #collectAt: number;

  constructor(options: CurrentKeysOptions) {
    this.#options = options;
    this.#collectAt = options.now() + COLLECT_MS;
  }

  /** For one look at a node: ms for which a name has been there; undefined if it is not. */
  ages(): (component: Component, name: string) => number | undefined {
    const store = this.#store;
    return (component, name) => store.age(component, name);
  }

  /** @throws KubeError, KeyStoreError */
  async add(plugin: Key, mig: Key | undefined): Promise<void> {
    const store = this.#store;
    const inUse = () => this.#inUse();
    await store.add('plugin', [plugin], inUse);
    if (mig) await store.add('mig', [mig], inUse);
  }

  /** Whether the names are there now: somebody may have taken them away since. @throws KubeError, KeyStoreError */
  async has({ plugin, mig }: Pick<Mark, 'plugin' | 'mig'>): Promise<boolean> {
    const store = this.#store;
    return (await store.has('plugin', plugin)) && (mig === undefined || (await store.has('mig', mig)));
  }

  /** It is time to collect; only where nodes are looked at. */
  get mayCollect(): boolean {
    const { now, settings } = this.#options;
    return this.#made !== undefined && now() >= this.#collectAt && settings().enabled;
  }

  /** Takes away what no node needs any more, if it is time. @throws KubeError, KeyStoreError */
  async collect(): Promise<void> {
    const { now, log } = this.#options;
    if (!this.mayCollect) return;
    this.#collectAt = now() + COLLECT_MS;
    for (const component of ['plugin', 'mig'] as const) {
      const gone = await this.#store.collect(component, this.#inUse());
      if (gone > 0) log.info({ component, gone }, 'configurations that no node needs any more were removed');
    }
  }

  get #store(): KeyStore {
    const { client, now, lease, settings, log, metrics } = this.#options;
    const { namespace, configMaps } = settings();
    const from = JSON.stringify([namespace, configMaps]);
    if (this.#made?.from !== from) {
      const edited = (component: Component, name: string) => {
        metrics.foreignEdits.inc();
        const configMap = `${namespace}/${configMaps[component]}`;
        log.warn({ configMap, name }, 'somebody else has changed a text of ours');
      };
      const maySend = () => lease.isHeld;
      this.#made = { from, store: new KeyStore({ client, namespace, configMaps, now, maySend, edited }) };
    }
    return this.#made.store;
  }

  #inUse(): ReadonlySet<string> {
    const names = new Set<string>();
    for (const { plugin, mig, mark, told } of this.#options.nodes.all()) {
      for (const name of [plugin, mig, mark?.plugin, mark?.mig, told?.plugin, told?.mig])
        if (name !== undefined) names.add(name);
    }
    return names;
  }
}
