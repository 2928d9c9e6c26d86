/**
 * Binds, watch events, lists and faults in every order that chance finds: no node ever has more slots
 * written, or held by pods that are there, than it has, and at the end nobody holds a slot but the
 * pods that are bound.
 *
 * A write whose reply is lost has been made, or has not, by the time that the reply is missed.
 */

import fc from 'fast-check';
import tap from 'tap';
import { WHOLE_GPU } from '#src/core/resources.ts';
import { Binder } from '#src/extender/bind.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { takeList } from '../fakes/listing.ts';
import type { Change, StoredObject } from '../fakes/object-store.ts';
import { type ApiFault, FakePodApi } from '../fakes/pod-api.ts';
import { exclusiveNode } from '../objects/nodes.ts';
import { podManifest } from '../unit/extender/binding.ts';
import { request } from '../unit/make.ts';

const NODES = ['gpu-node-01', 'gpu-node-02'];
const PODS = ['a', 'b', 'c', 'd'];

interface Plan {
  readonly gpus: number;
  /** Faults of the calls, in the order the calls are made; none after them. */
  readonly faults: readonly (ApiFault | undefined)[];
  /** Pods that filter has not seen. */
  readonly forgotten: readonly string[];
  readonly deeds: readonly Deed[];
}

type Deed =
  | { readonly do: 'bind'; readonly pod: string; readonly node: string }
  | { readonly do: 'finish' | 'delete' | 'replace'; readonly pod: string }
  | { readonly do: 'list' };

const pod = fc.constantFrom(...PODS);
const bind = fc.record({ do: fc.constant('bind' as const), pod, node: fc.constantFrom(...NODES) });
const deed = fc.oneof(
  { weight: 8, arbitrary: bind },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('finish' as const, 'delete', 'replace'), pod }) },
  { weight: 1, arbitrary: fc.constant({ do: 'list' as const }) },
);
const fault = fc.option(
  fc.constantFrom<ApiFault[]>(
    'unsent',
    'lost reply',
    'nonsense',
    { status: 403 },
    { status: 409 },
    { status: 429 },
    { status: 500 },
    { status: 500, done: true },
  ),
  { nil: undefined },
);
const plans: fc.Arbitrary<Plan> = fc.record({
  gpus: fc.integer({ min: 1, max: 2 }),
  faults: fc.array(fault, { maxLength: 8 }),
  forgotten: fc.subarray(PODS),
  deeds: fc.array(deed, { minLength: 4, maxLength: 16 }),
});

/** The cluster, and us in it; everything that waits, waits for the scheduler. */
class World {
  readonly state = new ClusterState((message) => {
    throw new Error(message);
  });
  readonly api = new FakePodApi();
  readonly #plan: Plan;
  readonly #scheduler: fc.Scheduler;
  readonly #binder: Binder;
  /** Told by the API server, not yet by the watch. */
  readonly #untold: Change[] = [];
  #listing = false;

  constructor(plan: Plan, scheduler: fc.Scheduler) {
    this.#plan = plan;
    this.#scheduler = scheduler;
    const { state, api } = this;
    takeList(
      state.nodes,
      NODES.map((name) => exclusiveNode({ name, gpus: plan.gpus })),
    );
    for (const fault of plan.faults) api.meet(/./, fault ?? 'none');
    api.pass = (what) => this.#turn(what);
    api.store.watchers.add((change) => {
      this.#untold.push(change);
      void this.#turn('watch').then(() => this.#tell());
    });
    for (const name of PODS) api.store.put('pods', podManifest(name));
    const remembered = PODS.filter((name) => !plan.forgotten.includes(name));
    const requests = new Map(remembered.map((name) => [name, request(WHOLE_GPU, 1)]));
    this.#binder = new Binder({
      lease: { hold: () => undefined, isHeld: true, term: 0 },
      state,
      client: api,
      strategy: () => 'bestfit',
      recall: (uid) => requests.get(uid),
      signal: new AbortController().signal,
      sleep: async () => void (await this.#turn('sleep')),
    });
  }

  async live(): Promise<void> {
    for (const deed of this.#plan.deeds) void this.#turn(deed.do).then(() => this.#do(deed));
    let turns = 0;
    await this.#scheduler.waitIdle(async (act) => {
      await act();
      turns += 1;
      if (turns > 10_000) throw new Error('it does not come to rest');
      this.check();
    });
    while (this.#untold.length > 0) this.#tell();
    this.check();
  }

  /** @throws if a node has more slots held or written than it has */
  check(): void {
    for (const node of NODES) {
      // The news of a pod may arrive after its end, and then counts until that arrives as well.
      const there = new Set(this.#pods().map(({ metadata }) => metadata.uid));
      const held = [...this.state.ledger.allocationsOn(node)].filter(({ uid }) => there.has(uid)).length;
      const written = this.bound(node).length;
      if (Math.max(held, written) <= this.#plan.gpus) continue;
      throw new Error(`${node} has ${this.#plan.gpus} slots, ${held} are held and ${written} written`);
    }
  }

  /** uids of the pods that compute on the node. */
  bound(node: string): string[] {
    const running = this.#pods().filter(({ spec, status }) => {
      return spec?.nodeName === node && (status as { phase: string }).phase !== 'Succeeded';
    });
    return running.map(({ metadata }) => metadata.uid).sort();
  }

  #turn(what: string): Promise<void> {
    return this.#scheduler.schedule(Promise.resolve(), what);
  }

  #pods(): StoredObject[] {
    return (this.api.store.list('pods', undefined, 0, null)[1] as { items: StoredObject[] }).items;
  }

  /** One event of the watch, unless it has broken off for a list. */
  #tell(): void {
    if (this.#listing) return;
    const change = this.#untold.shift();
    if (change?.type === 'DELETED') this.state.pods.delete(change.object);
    else if (change) this.state.pods.update(change.object);
  }

  async #do(deed: Deed): Promise<void> {
    if (deed.do === 'list') return this.#list();
    const { store } = this.api;
    const key = `team/${deed.pod}`;
    const pod = store.get('pods', key);
    if (deed.do === 'bind') return this.#bind(deed);
    if (!pod) return;
    if (deed.do === 'finish' && pod.spec?.nodeName) store.put('pods', { ...pod, status: { phase: 'Succeeded' } });
    if (deed.do === 'delete' || deed.do === 'replace') store.remove('pods', key);
    if (deed.do === 'replace') store.put('pods', podManifest(deed.pod, `${deed.pod}-2`));
  }

  async #bind({ pod, node }: Deed & { do: 'bind' }): Promise<void> {
    const args = { PodName: pod, PodNamespace: 'team', PodUID: pod, Node: node };
    const { result } = await this.#binder.bind(args);
    const stored = this.api.store.get('pods', `team/${pod}`);
    const elsewhere = stored?.metadata.uid === pod && stored.spec?.nodeName !== node;
    if (result === 'bound' && elsewhere) throw new Error(`${pod} is said to be bound to ${node}, and is not`);
  }

  /** The watch breaks off, and a list is asked for, made, and comes in. */
  async #list(): Promise<void> {
    if (this.#listing) return;
    this.#listing = true;
    await this.#turn('list');
    const pods = this.#pods();
    this.#untold.length = 0;
    await this.#turn('reply to list');
    takeList(this.state.pods, pods);
    this.#listing = false;
    for (const _ of this.#untold) void this.#turn('watch').then(() => this.#tell());
  }
}

tap.test('no slot is given twice, and none is lost', async (t) => {
  await fc.assert(
    fc.asyncProperty(plans, fc.scheduler(), async (plan, scheduler) => {
      const world = new World(plan, scheduler);
      await world.live();
      const reservations = world.state.ledger.reservations();
      if (reservations > 0) throw new Error(`${reservations} reservations are left`);
      for (const node of NODES) {
        const holders = [...world.state.ledger.allocationsOn(node)].map(({ uid }) => uid).sort();
        if (String(holders) !== String(world.bound(node))) {
          throw new Error(`${holders} hold slots of ${node}, but ${world.bound(node)} are bound to it`);
        }
      }
    }),
    { numRuns: 1_000 },
  );
  t.pass('1,000 interleavings');
});
