/** What LimitRanges and ResourceQuotas of each namespace say of GPUs. */

import { guardAgainst, type NamespaceGuards, NO_GUARDS } from '../core/namespace-guards.ts';
import type { GpuRequest } from '../core/request.ts';
import type { Store } from './store.ts';

/** An object of a namespace, and what it says. */
export interface NamespacedRecord<T> {
  readonly namespace: string;
  readonly value: T;
}

type GuardStore = Store<NamespacedRecord<readonly string[]>>;

export class GuardedNamespaces {
  readonly #limitRanges: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;
  readonly #quotas: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

  constructor(limitRanges: GuardStore, quotas: GuardStore) {
    this.#limitRanges = byNamespace(limitRanges);
    this.#quotas = byNamespace(quotas);
  }

  of(namespace: string): NamespaceGuards {
    const [limits, quotas] = [this.#limitRanges.get(namespace), this.#quotas.get(namespace)];
    if (!limits && !quotas) return NO_GUARDS;
    return {
      limited: new Set([...(limits?.values() ?? [])].flat()),
      counted: new Set([...(quotas?.values() ?? [])].flat()),
    };
  }

  /** The request of a pod of the namespace, with what keeps it from what it asks for. */
  applyTo(namespace: string, request: GpuRequest): GpuRequest {
    const guard = guardAgainst(
      this.of(namespace),
      request.resources.map(({ resource }) => resource),
    );
    return guard ? { ...request, guard } : request;
  }
}

/** What the objects of each namespace say, by their key; a namespace without any has no entry. */
function byNamespace(store: GuardStore): ReadonlyMap<string, ReadonlyMap<string, readonly string[]>> {
  const all = new Map<string, Map<string, readonly string[]>>();
  store.follow(({ key, before, after }) => {
    const namespace = (after ?? before)?.namespace;
    if (namespace === undefined) return;
    const there = all.get(namespace) ?? new Map<string, readonly string[]>();
    if (after && after.value.length > 0) there.set(key, after.value);
    else there.delete(key);
    if (there.size > 0) all.set(namespace, there);
    else all.delete(namespace);
  });
  return all;
}
