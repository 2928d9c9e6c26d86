/** The cluster in the eyes of admission: views on its state, under the configuration in force. Read by `evaluateAdmission`. */

import type { AdmissionConfiguration } from '../api/admission-settings.ts';
import type { SlotRoom } from '../core/admission/decision-input.ts';
import { byPrecedence } from '../core/admission/policies.ts';
import type { SharingPolicy } from '../core/admission/policy.ts';
import { SlotIndex } from '../core/admission/slot-index.ts';
import type { NodeInventory } from '../core/inventory.ts';
import type { Ledger } from '../core/ledger.ts';
import type { SharingMode } from '../core/sharing-mode.ts';
import { type Clock, systemClock } from '../kube/clock.ts';
import { isChangeable, keepsWholeGpu } from './changeable.ts';
import type { ClusterState } from './cluster-state.ts';
import type { AdmissionView, HistoryOf } from './evaluate-admission.ts';
import { NodeConfigs } from './node-configs.ts';
import { expectedInventory, lastingTaintsOf, type NodeRecord, sameOffer } from './node-record.ts';
import { PromisedSlots } from './promised-slots.ts';

/**
 * ms for which a node that offers nothing counts as what it offered: the time of a reboot, or of a new device plugin. The
 * pods that its workloads' controllers make again meanwhile share as before.
 */
const AWAY_MS = 600_000;

export interface AdmissionStateOptions {
  readonly clock?: Pick<Clock, 'monotonic'>;
  /** Whether all pods are known: until then nobody knows what is free. */
  readonly knowsPods?: () => boolean;
}

export class AdmissionState {
  readonly #cluster: ClusterState;
  readonly #slots: SlotIndex;
  readonly #configs: NodeConfigs;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #knowsPods: () => boolean;
  readonly #promised: PromisedSlots;
  /** Nodes that offer nothing for the moment, and until when what they offered counts; ms of the clock. */
  readonly #away = new Map<string, number>();
  #configuration: AdmissionConfiguration;
  #inOrder: readonly SharingPolicy[] | undefined;

  constructor(cluster: ClusterState, configuration: AdmissionConfiguration, options: AdmissionStateOptions = {}) {
    const { clock = systemClock, knowsPods = () => false } = options;
    this.#cluster = cluster;
    this.#configuration = configuration;
    this.#clock = clock;
    this.#knowsPods = knowsPods;
    this.#promised = new PromisedSlots(cluster.pods, clock);
    this.#slots = new SlotIndex(configuration.offers);
    this.#configs = new NodeConfigs(cluster.nodeConfigs, (node) => {
      const record = cluster.nodes.get(node);
      if (record) this.#follow(node, record, record);
    });
    cluster.nodes.follow(({ key, before, after }) => {
      const isSame = sameOffer(before, after) && before?.observed === after?.observed;
      if (!isSame) this.#follow(key, before, after);
    });
    cluster.policies.subscribe(() => {
      this.#inOrder = undefined;
    });
    // It follows from the first object on.
    void cluster.guards;
  }

  #follow(name: string, before: NodeRecord | undefined, after: NodeRecord | undefined): void {
    const offered = after && (offeredNow(after) ?? (before && offeredNow(before)) ?? this.#slots.get(name)?.inventory);
    const inventory = offered ?? (after && (expectedInventory(after) ?? after.inventory));
    if (!after || !inventory) {
      this.#slots.delete(name);
      this.#away.delete(name);
      return;
    }
    if (offeredNow(after)) this.#away.delete(name);
    else if (!this.#away.has(name)) this.#away.set(name, this.#clock.monotonic() + AWAY_MS);
    this.#offer(inventory, after, offeredNow(after) === undefined);
  }

  #offer(inventory: NodeInventory, record: NodeRecord, isAway: boolean): void {
    // Where nothing is made on demand, it does not matter who may.
    const mayBeMade = Object.keys(this.#configuration.offers.onDemand).length > 0;
    const isFixed = mayBeMade && !isChangeable(record.observed, this.#configs.of(record.name)[0]);
    const { labels } = record;
    const keepsWhole = this.#configuration.keepWholeGpu && keepsWholeGpu(labels);
    this.#slots.set({
      inventory,
      labels,
      taints: lastingTaintsOf(record),
      isAway,
      isFixed,
      keepsWholeGpu: keepsWhole,
    });
  }

  #forgetAway(): void {
    if (this.#away.size === 0) return;
    const now = this.#clock.monotonic();
    for (const [name, until] of this.#away) {
      const record = until <= now ? this.#cluster.nodes.get(name) : undefined;
      if (!record?.inventory) continue;
      this.#away.set(name, Number.POSITIVE_INFINITY);
      this.#offer(record.inventory, record, false);
    }
  }

  /** Takes another configuration from now on. */
  configure(configuration: AdmissionConfiguration): void {
    this.#configuration = configuration;
    this.#slots.setOptions(configuration.offers);
    // What may be made of a node follows from the configuration as well.
    for (const record of this.#cluster.nodes.values()) this.#follow(record.name, record, record);
  }

  /** A pod of that user has been admitted for a slot, which counts as taken until the pod holds it. */
  promise(resource: string, mode: SharingMode, user: number): void {
    this.#promised.promise(resource, mode, user);
  }

  /** The pod of an earlier promise is decided anew. */
  withdraw(resource: string, mode: SharingMode, user: number): void {
    this.#promised.withdraw(resource, mode, user);
  }

  /** What a decision is made from, as of now. */
  view(historyOf: HistoryOf = () => undefined): AdmissionView {
    this.#inOrder ??= byPrecedence(this.#readable());
    this.#forgetAway();
    return {
      settings: this.#configuration.settings,
      offers: (constraints, tolerations) => this.#slots.offers(constraints, tolerations),
      policies: this.#inOrder,
      guardsOf: (namespace) => this.#cluster.guards.of(namespace),
      namespaceLabels: (namespace) => this.#cluster.namespaces.get(namespace),
      roomFor: (...question) => (this.#knowsPods() ? this.#roomFor(...question) : undefined),
      clusterQueueOf: (namespace, localQueue) => this.#cluster.queues.clusterQueueOf(namespace, localQueue),
      deviceClassOf: (resource) => this.#cluster.delegated.classOf(resource),
      historyOf,
    };
  }

  #roomFor(...[offer, placement, tolerations, user]: Parameters<AdmissionView['roomFor']>): SlotRoom {
    const { ledger } = this.#cluster;
    const { mode, resource } = offer;
    const enough = this.#configuration.settings.whenFull === 'wait' ? Number.NEGATIVE_INFINITY : 0;
    let free = -this.#promised.count(resource, mode);
    // Pods of other users may come first to daemons that serve nobody yet: each of these users is taken to get one.
    let claimed = mode === 'mps' ? this.#promised.otherUsers(resource, mode, user) : 0;
    let servesUser = false;
    let isContested = false;
    for (const { name, gpus, isOffered } of this.#slots.nodesWith(offer, placement, tolerations)) {
      const users = new Set(mode === 'mps' && isOffered ? ledger.users(name) : []);
      if (isOffered && users.size === 0 && claimed > 0) {
        claimed -= 1;
        isContested = true;
      } else if (isOffered && isOnlyUser(user, users)) {
        servesUser = true;
        free += ledger.freeSlots(name, resource);
      } else if (!isOffered && isIdle(ledger, name)) {
        servesUser = true;
        free += gpus * Math.floor(1_000 / offer.slotMilli);
      }
      if (servesUser && free > enough) break;
    }
    return { free, servesUser: servesUser ? 'yes' : isContested ? 'contested' : 'no' };
  }

  *#readable(): Iterable<SharingPolicy> {
    for (const { parsed } of this.#cluster.policies.values()) if (parsed.ok) yield parsed.value;
  }
}

function offeredNow({ inventory }: NodeRecord): NodeInventory | undefined {
  return inventory && inventory.pools.length > 0 ? inventory : undefined;
}

function isOnlyUser(user: number, users: Iterable<number>): boolean {
  for (const other of users) if (other !== user) return false;
  return true;
}

function isIdle(ledger: Ledger, node: string): boolean {
  for (const _ of ledger.allocationsOn(node)) return false;
  return true;
}
