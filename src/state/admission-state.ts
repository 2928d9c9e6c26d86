/** The cluster in the eyes of admission: views on its state, under the configuration in force. Read by `evaluateAdmission`. */

import type { AdmissionConfiguration } from '../api/admission-settings.ts';
import { byPrecedence } from '../core/admission/policies.ts';
import type { SharingPolicy } from '../core/admission/policy.ts';
import { SlotIndex } from '../core/admission/slot-index.ts';
import type { ClusterState, NamespacedRecord } from './cluster-state.ts';
import type { AdmissionView, HistoryOf } from './evaluate-admission.ts';
import { sameOffer } from './node-record.ts';
import type { Store } from './store.ts';

export class AdmissionState {
  readonly #cluster: ClusterState;
  readonly #slots: SlotIndex;
  readonly #limitRanges: (namespace: string) => readonly boolean[];
  readonly #quotas: (namespace: string) => readonly (readonly string[])[];
  #configuration: AdmissionConfiguration;
  #inOrder: readonly SharingPolicy[] | undefined;

  constructor(cluster: ClusterState, configuration: AdmissionConfiguration) {
    this.#cluster = cluster;
    this.#configuration = configuration;
    this.#slots = new SlotIndex(configuration.offers);
    cluster.nodes.follow(({ key, before, after }) => {
      if (sameOffer(before, after)) return;
      if (after?.inventory) this.#slots.set({ inventory: after.inventory, labels: after.labels });
      else this.#slots.delete(key);
    });
    cluster.policies.subscribe(() => {
      this.#inOrder = undefined;
    });
    this.#limitRanges = byNamespace(cluster.limitRanges);
    this.#quotas = byNamespace(cluster.quotas);
  }

  /** Takes another configuration from now on. */
  configure(configuration: AdmissionConfiguration): void {
    this.#configuration = configuration;
    this.#slots.setOptions(configuration.offers);
  }

  /** What a decision is made from, as of now. */
  view(historyOf: HistoryOf = () => undefined): AdmissionView {
    this.#inOrder ??= byPrecedence(this.#readable());
    return {
      settings: this.#configuration.settings,
      offers: (constraints) => this.#slots.offers(constraints),
      policies: this.#inOrder,
      guardsOf: (namespace) => ({
        limited: this.#limitRanges(namespace).some(Boolean),
        counted: new Set(this.#quotas(namespace).flat()),
      }),
      namespaceLabels: (namespace) => this.#cluster.namespaces.get(namespace),
      historyOf,
    };
  }

  *#readable(): Iterable<SharingPolicy> {
    for (const { parsed } of this.#cluster.policies.values()) if (parsed.ok) yield parsed.value;
  }
}

/** What the objects of each namespace say. */
function byNamespace<T>(store: Store<NamespacedRecord<T>>): (namespace: string) => readonly T[] {
  const all = new Map<string, Map<string, T>>();
  store.follow(({ key, before, after }) => {
    if (before) all.get(before.namespace)?.delete(key);
    if (after) all.set(after.namespace, (all.get(after.namespace) ?? new Map()).set(key, after.value));
  });
  return (namespace) => [...(all.get(namespace)?.values() ?? [])];
}
