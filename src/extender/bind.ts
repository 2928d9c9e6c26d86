/**
 * bind: check once more, reserve in the ledger, and bind with ONE request whose annotations carry
 * the allocation record. A reservation ends when the API server has reported the result of the
 * Binding, never by a guess.
 */

import { setTimeout as timeout } from 'node:timers/promises';
import type { AllocationRecord } from '../api/allocation-record.ts';
import type { BindingArgs } from '../api/extender.ts';
import { WRITTEN } from '../api/keys.ts';
import { formatIssues, podSchema } from '../api/kubernetes.ts';
import { fit } from '../core/fit.ts';
import type { GpuRequest } from '../core/request.ts';
import { type Backoff, delayOf } from '../kube/backoff.ts';
import { type Clock, systemClock } from '../kube/clock.ts';
import { type KubeClient, KubeError } from '../kube/kube-client.ts';
import { holding, LAST_WORD_MS, type Lease } from '../kube/lease.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { gpuRequestOf } from '../state/gpu-request.ts';
import { allocationRecord } from './allocation.ts';

export type BindOutcome =
  | { readonly result: 'bound' }
  /** `refused`: by us, before any write; `failed`: by the API server, or still in doubt. */
  | { readonly result: 'refused' | 'failed'; readonly why: string };

export interface BinderOptions {
  readonly state: ClusterState;
  readonly client: Pick<KubeClient, 'json'>;
  /** Name of the strategy in use, for the record. */
  readonly strategy: () => string;
  /** What filter has seen of a pod, which the watch may not have brought yet. */
  readonly recall: (uid: string) => GpuRequest | undefined;
  /** Without it nothing is reserved, and no Binding is made. */
  readonly lease: Pick<Lease, 'hold' | 'isHeld' | 'term'>;
  /** Ends the search for what became of pods. */
  readonly signal: AbortSignal;
  /** Resolves after so many ms, or rejects when the signal aborts. */
  readonly sleep?: (ms: number) => Promise<void>;
  readonly clock?: Pick<Clock, 'monotonic'>;
}

type Again = () => object | undefined;

const BOUND: BindOutcome = { result: 'bound' };
const UNBOUND = Symbol('unbound');
const BACKOFF: Backoff = { baseMs: 100, maxMs: 5_000 };
/** The watch confirms a Binding within moments; after so many ms without it, the pod is asked for. */
const UNSEEN_MS = 5_000;

export class Binder {
  readonly #options: BinderOptions;
  readonly #underWay = new Map<string, { readonly node: string; readonly outcome: Promise<BindOutcome> }>();
  /** Pods that the API server may or may not have bound to this node: their reservation stays. */
  readonly #inDoubt = new Map<string, string>();
  /** Pods that were bound, and when, ms; until the watch has shown them. In order of time. */
  readonly #unseen = new Map<string, { readonly args: BindingArgs; readonly since: number }>();
  #looking = false;

  readonly #clock: Pick<Clock, 'monotonic'>;

  constructor(options: BinderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** ms for which the oldest Binding that the API server answered has not been seen in the watch; 0 if all have. */
  lag(): number {
    for (const [uid, { since }] of this.#unseen) if (this.#isUnseen(uid)) return this.#clock.monotonic() - since;
    return 0;
  }

  /** Whether a Binding is under way, or the result of one is unknown. */
  get isBusy(): boolean {
    return this.#underWay.size > 0 || this.#inDoubt.size > 0;
  }

  /** Never throws: whatever goes wrong is an outcome. */
  bind(args: BindingArgs): Promise<BindOutcome> {
    const { PodUID: uid, Node: node } = args;
    const underWay = this.#underWay.get(uid);
    if (underWay?.node === node) return underWay.outcome;
    if (underWay) return Promise.resolve(refused(`a Binding of this pod to ${underWay.node} is under way`));
    const outcome = this.#bind(args)
      .catch((error: Error): BindOutcome => ({ result: 'failed', why: error.message }))
      .finally(() => this.#underWay.delete(uid));
    this.#underWay.set(uid, { node, outcome });
    return outcome;
  }

  async #bind(args: BindingArgs): Promise<BindOutcome> {
    const { state, strategy } = this.#options;
    const { ledger } = state;
    const { PodUID: uid, Node: node } = args;
    const request = state.guards.applyTo(args.PodNamespace, await this.#requestOf(args));
    await holding(this.#options.lease);
    // kube-scheduler sends pods by the names of resources, a count of 0 included: they hold nothing.
    if (request.resources.length === 0) return this.#write(args, binding(args, undefined));

    // From here to the reservation nothing waits, so that no two pods can pass the check together.
    const held = ledger.allocationOf(uid);
    const doubtful = this.#inDoubt.get(uid);
    if (doubtful !== undefined && held?.state !== 'confirmed') {
      return refused(`whether the pod was bound to ${doubtful} is not known yet`);
    }
    if (held) return held.node === node ? BOUND : refused(`the pod is bound to ${held.node}`);
    if (state.hasFinished(uid)) return refused('the pod has finished');
    const inventory = ledger.load(node)?.inventory;
    const verdict = fit(inventory, (resource) => ledger.freeSlots(node, resource), request, {
      delegated: state.delegated,
      users: ledger.users(node),
    });
    if (!verdict.fits) return refused(`${verdict.code}: ${verdict.message}`);
    const pod = `${args.PodNamespace}/${args.PodName}`;
    const { resources, user } = request;
    const allocation = ledger.allocate({ uid, pod, node, state: 'reserved', resources, user });
    const record = state.nodes.get(node);
    const packs = record !== undefined && state.devicePlugins.packsOn(record);
    return this.#write(args, binding(args, allocationRecord(inventory, allocation, strategy(), packs)));
  }

  async #write(args: BindingArgs, body: object): Promise<BindOutcome> {
    try {
      return await this.#post(args, body);
    } catch (error) {
      const again = this.#sameTerm(body);
      if (!(error instanceof KubeError) || !error.refused) return this.#findOut(args, again, error as Error);
      // A refusal is final, but for a conflict: then the pod may be bound already, and to this node.
      if (error.status === 409) return this.#findOut(args, undefined, error);
      this.#options.state.ledger.releaseReservation(args.PodUID);
      return { result: 'failed', why: error.message };
    }
  }

  /** What to make again; nothing once another client held the Lease in between, which may have given the slot away. */
  #sameTerm(body: object): () => object | undefined {
    const { lease } = this.#options;
    const { term } = lease;
    return () => (lease.term === term ? body : undefined);
  }

  async #post(args: BindingArgs, body: object): Promise<BindOutcome> {
    const { client, lease } = this.#options;
    const maySend = () => lease.isHeld;
    await client.json('POST', `${podPath(args)}/binding`, { body, maySend, idleMs: LAST_WORD_MS });
    this.#seeThrough(args);
    return BOUND;
  }

  /**
   * After a conflict, a broken reply or a server error: only the pod itself shows the result.
   * @param again the Binding, where the first one may still be on its way
   */
  async #findOut(args: BindingArgs, again: Again | undefined, cause: Error): Promise<BindOutcome> {
    try {
      return await this.#settle(args, again, cause);
    } catch {
      this.#inDoubt.set(args.PodUID, args.Node);
      void this.#keepAsking(args, again, cause);
      return { result: 'failed', why: `${cause.message}; whether the pod was bound is not known yet` };
    }
  }

  /**
   * A pod that is not bound now proves nothing while a Binding without an answer may still arrive: a
   * frozen server acts on it later. Made once more, and answered, it leaves no doubt: the first is then
   * refused, whenever it comes.
   * @throws if the API server does not answer
   */
  async #settle(args: BindingArgs, again: Again | undefined, cause: Error): Promise<BindOutcome> {
    const found = await this.#lookUp(args);
    if (found === args.Node) {
      this.#seeThrough(args);
      return BOUND;
    }
    if (found === UNBOUND && again) {
      await holding(this.#options.lease);
      const body = again();
      if (body) return this.#post(args, body);
    }
    this.#options.state.ledger.releaseReservation(args.PodUID);
    return { result: 'failed', why: cause.message };
  }

  async #keepAsking(args: BindingArgs, again: Again | undefined, cause: Error): Promise<void> {
    for (let failures = 0; await this.#slept(delayOf(BACKOFF, failures)); failures += 1) {
      const settled = await this.#settle(args, again, cause).catch(() => undefined);
      if (!settled) continue;
      this.#inDoubt.delete(args.PodUID);
      return;
    }
  }

  /** A pod may come and go between two lists, unseen by the watch: then only asking ends its reservation. */
  #seeThrough(args: BindingArgs): void {
    if (!this.#isUnseen(args.PodUID)) return;
    this.#unseen.set(args.PodUID, { args, since: this.#clock.monotonic() });
    if (!this.#looking) void this.#lookForUnseen();
  }

  /** One timer for all: thousands are bound and seen before it is over. */
  async #lookForUnseen(): Promise<void> {
    this.#looking = true;
    while (this.#unseen.size > 0) {
      const waiting = [...this.#unseen];
      if (!(await this.#slept(UNSEEN_MS))) return;
      for (const [uid, { args }] of waiting) {
        if (this.#isUnseen(uid)) {
          const boundTo = await this.#lookUp(args).catch(() => args.Node);
          if (boundTo !== args.Node) this.#options.state.ledger.releaseReservation(uid);
        }
        if (!this.#isUnseen(uid)) this.#unseen.delete(uid);
      }
    }
    this.#looking = false;
  }

  #isUnseen(uid: string): boolean {
    return this.#options.state.ledger.allocationOf(uid)?.state === 'reserved';
  }

  /** False if it is time to end. */
  async #slept(ms: number): Promise<boolean> {
    const { signal, sleep = (ms) => timeout(ms, undefined, { signal, ref: false }) } = this.#options;
    await sleep(ms).catch(() => {});
    return !signal.aborted;
  }

  /** The node that the pod is bound to, or that it is not; undefined if it is gone, or another of that name. */
  async #lookUp(args: BindingArgs): Promise<string | typeof UNBOUND | undefined> {
    try {
      const pod = podSchema.parse(await this.#options.client.json('GET', podPath(args)));
      return pod.metadata.uid === args.PodUID ? pod.spec.nodeName || UNBOUND : undefined;
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** What the pod asks for: from the watch, from filter, or (after a restart in between) from the API server. */
  async #requestOf(args: BindingArgs): Promise<GpuRequest> {
    const { state, client, recall } = this.#options;
    const known = state.requestOf(args.PodUID) ?? recall(args.PodUID);
    if (known) return known;
    const parsed = podSchema.safeParse(await client.json('GET', podPath(args)));
    if (!parsed.success) throw new Error(`the pod cannot be read: ${formatIssues(parsed.error)}`);
    if (parsed.data.metadata.uid !== args.PodUID) throw new Error('the pod has been replaced by another of its name');
    return gpuRequestOf(parsed.data);
  }
}

function refused(why: string): BindOutcome {
  return { result: 'refused', why };
}

function podPath({ PodNamespace, PodName }: BindingArgs): string {
  return `/api/v1/namespaces/${encodeURIComponent(PodNamespace)}/pods/${encodeURIComponent(PodName)}`;
}

/** The API server copies a Binding's annotations onto the pod in the same transaction. */
function binding({ PodName, PodNamespace, PodUID, Node }: BindingArgs, record: AllocationRecord | undefined): object {
  return {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: {
      name: PodName,
      namespace: PodNamespace,
      uid: PodUID,
      ...(record && { annotations: { [WRITTEN.allocation]: JSON.stringify(record) } }),
    },
    target: { apiVersion: 'v1', kind: 'Node', name: Node },
  };
}
