/** What holds of the ledger whatever happens, against a model that is nothing but the list of who holds what. */

import fc from 'fast-check';
import tap from 'tap';
import { fit } from '#src/core/fit.ts';
import type { NodeInventory } from '#src/core/inventory.ts';
import { type AllocateOptions, Ledger } from '#src/core/ledger.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { node, request, sharedNode } from '../make.ts';

const NODES = ['gpu-node-01', 'gpu-node-02', 'gpu-node-03'];
const PODS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const MIG_1G = 'nvidia.com/mig-1g.5gb';
const RESOURCES = [WHOLE_GPU, SHARED_GPU, MIG_1G];

/** What a node may turn into: whole, shared both ways, partly MIG, with an ill GPU, with its plugin away. */
const shapes: ((name: string) => NodeInventory)[] = [
  (name) => node({ name, gpus: 4, allocatable: new Map([[WHOLE_GPU, 4]]) }),
  (name) => sharedNode('mps', 3, { name, gpus: 2 }),
  (name) => sharedNode('timeslicing', 4, { name, gpus: 2 }),
  (name) => sharedNode('timeslicing', 4, { name, gpus: 2, allocatable: new Map([[SHARED_GPU, 5]]) }),
  (name) =>
    node({
      name,
      gpus: 2,
      allocatable: new Map([
        [WHOLE_GPU, 1],
        [MIG_1G, 7],
      ]),
    }),
  (name) => node({ name, gpus: 2, allocatable: new Map() }),
];

type Step =
  | { readonly do: 'set'; readonly inventory: NodeInventory }
  | { readonly do: 'remove'; readonly name: string }
  | { readonly do: 'release' | 'releaseReservation'; readonly uid: string }
  /** `polite` asks `fit` first; news of the API server does not ask. */
  | { readonly do: 'allocate'; readonly polite: boolean; readonly options: AllocateOptions };

/** A pod has one user all its life; every third has none that matters. */
const userOf = (uid: string) => [0, 1000, undefined][PODS.indexOf(uid) % 3];

const name = fc.constantFrom(...NODES);
const uid = fc.constantFrom(...PODS);
const resource = fc.constantFrom(...RESOURCES);
const set = fc
  .tuple(fc.constantFrom(...shapes), name)
  .map(([shape, of]): Step => ({ do: 'set', inventory: shape(of) }));
const allocate = fc
  .record({
    uid,
    name,
    resources: fc.uniqueArray(fc.record({ resource, count: fc.integer({ min: 1, max: 4 }) }), {
      selector: (part) => part.resource,
      minLength: 1,
      maxLength: 2,
    }),
    state: fc.constantFrom<AllocateOptions['state'][]>('reserved', 'confirmed'),
    gpus: fc.array(fc.integer({ min: -1, max: 4 }), { maxLength: 4 }),
    polite: fc.boolean(),
  })
  .map(({ uid, name, resources, state, gpus, polite }): Step => {
    const expected = new Map(resources.map((part) => [part.resource, gpus]));
    const pod = `team/${uid}`;
    return { do: 'allocate', polite, options: { uid, pod, node: name, state, resources, user: userOf(uid), expected } };
  });
const free = fc
  .tuple(fc.constantFrom('release' as const, 'releaseReservation' as const), uid)
  .map(([verb, of]): Step => ({ do: verb, uid: of }));
const remove = name.map((of): Step => ({ do: 'remove', name: of }));
const steps = fc.array(fc.oneof({ weight: 6, arbitrary: allocate }, { weight: 2, arbitrary: free }, set, remove), {
  maxLength: 40,
  size: 'max',
});

/** Who holds what, and what nodes offer: plain lists, no arithmetic kept. */
class Model {
  readonly ledger: Ledger;
  readonly nodes: Map<string, NodeInventory>;
  readonly pods: Map<string, AllocateOptions>;

  constructor(of?: Model) {
    this.ledger = of ? of.ledger.clone() : new Ledger();
    this.nodes = new Map(of?.nodes);
    this.pods = new Map(of?.pods);
  }

  clone(): Model {
    return new Model(this);
  }

  /** Slots held of a resource of a node. */
  held(node: string, resource: string): number {
    const parts = [...this.pods.values()].filter((pod) => pod.node === node).flatMap((pod) => pod.resources);
    return parts.filter((part) => part.resource === resource).reduce((sum, { count }) => sum + count, 0);
  }

  run(step: Step): void {
    if (step.do === 'set') {
      this.ledger.setNode(step.inventory);
      this.nodes.set(step.inventory.name, step.inventory);
    } else if (step.do === 'remove') {
      this.ledger.removeNode(step.name);
      this.nodes.delete(step.name);
    } else if (step.do === 'allocate') {
      this.#allocate(step.polite, step.options);
    } else {
      const pod = this.pods.get(step.uid);
      const goes = pod !== undefined && (step.do === 'release' || pod.state === 'reserved');
      check(this.ledger[step.do](step.uid) === goes, `${step.do} tells whether something was freed`);
      if (goes) this.pods.delete(step.uid);
    }
  }

  #allocate(polite: boolean, options: AllocateOptions): void {
    const { uid, node, resources, state } = options;
    const earlier = this.pods.get(uid);
    if (polite) {
      if (earlier) return;
      const parts = resources.map((part) => ({ ...part, largestContainer: 1 }));
      const asked = { ...request(WHOLE_GPU, 1), resources: parts };
      if (!fit(this.ledger.load(node)?.inventory, (of) => this.ledger.freeSlots(node, of), asked).fits) return;
    }
    this.ledger.allocate(options);
    if (!(earlier?.state === 'confirmed' && state === 'reserved')) this.pods.set(uid, options);
    if (!polite) return;
    for (const { resource } of resources) {
      const slots = this.nodes.get(node)?.pools.find((pool) => pool.resource === resource)?.slots ?? 0;
      check(this.held(node, resource) <= slots, 'who asks first never takes more slots than there are');
    }
  }
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not so: ${what}`);
}

/** Every figure of the ledger follows from the model's lists. */
function checkFigures(model: Model): void {
  const { ledger, nodes, pods } = model;
  check([...ledger.nodes()].length === nodes.size, 'the nodes are those that were set');
  const reserved = [...pods.values()].filter(({ state }) => state === 'reserved');
  check(ledger.reservations() === reserved.length, 'reservations are counted');
  check(ledger.confirmed === pods.size - reserved.length, 'and so is what is confirmed');
  // In two orders, so that what came next last time is wrong in each.
  for (const names of [NODES, NODES.toReversed()]) {
    const found = ledger.findAll(names);
    check(
      names.every((name, i) => found[i] === ledger.find(name)),
      'a list of names finds what each name finds',
    );
  }
  for (const name of NODES) {
    const here = [...ledger.allocationsOn(name)];
    const expected = [...pods.values()].filter((pod) => pod.node === name);
    check(here.length === expected.length, 'no pod is lost and none is left behind');
    for (const allocation of here) {
      check(allocation === ledger.allocationOf(allocation.uid), 'both ways of asking give one answer');
      const pod = pods.get(allocation.uid);
      check(pod?.node === name && pod.state === allocation.state, 'a pod is where the last news put it');
      const holdings = allocation.holdings.map(({ resource, count }) => ({ resource, count }));
      check(JSON.stringify(holdings) === JSON.stringify(pod?.resources), 'a pod holds what it was given');
    }
    const users = new Set(expected.flatMap(({ user }) => (user === undefined ? [] : [user])));
    check([...ledger.users(name)].sort().join() === [...users].sort().join(), 'its users are those of its pods');
    const inventory = nodes.get(name);
    const load = ledger.load(name);
    check((load === undefined) === (inventory === undefined), 'a node has a load while it is known');
    check(ledger.find(name)?.inventory === inventory, 'a node offers what was set last');
    let milli = 0;
    for (const { resource, slots, slotMilli, slotsPerGpu } of inventory?.pools ?? []) {
      const taken = model.held(name, resource);
      milli += taken * slotMilli;
      check(ledger.freeSlots(name, resource) === Math.max(0, slots - taken), 'free is what nobody holds');
      const placed = here.flatMap(({ holdings }) => holdings.filter((holding) => holding.resource === resource));
      check(
        placed.every(({ gpus, count }) => gpus.length <= count),
        'no slot is on two GPUs',
      );
      const onGpu = (gpu: number) => placed.flatMap(({ gpus }) => gpus).filter((at) => at === gpu).length;
      check(
        slotsPerGpu.every((room, gpu) => onGpu(gpu) <= room),
        'no GPU is expected to serve more slots than it has',
      );
      const on = slotsPerGpu.reduce((sum, _, gpu) => sum + onGpu(gpu), 0);
      check(on === placed.reduce((sum, { gpus }) => sum + gpus.length, 0), 'no slot is on a GPU that does not exist');
    }
    check((load?.heldMilli ?? 0) === milli, 'the load is the sum of the slots held');
    check((load?.totalMilli ?? 0) === (inventory?.gpus ?? 0) * 1_000, 'a GPU is 1000 milli-GPU');
  }
}

tap.test('after any history, every figure is the sum of what pods hold', async () => {
  fc.assert(
    fc.property(steps, (history) => {
      const model = new Model();
      for (const step of history) {
        model.run(step);
        checkFigures(model);
      }
    }),
    { numRuns: 300 },
  );
});

tap.test('when all pods are gone, nothing is held anywhere', async () => {
  fc.assert(
    fc.property(steps, (history) => {
      const model = new Model();
      for (const step of history) model.run(step);
      for (const uid of PODS) model.ledger.release(uid);
      for (const inventory of model.nodes.values()) {
        check(model.ledger.load(inventory.name)?.heldMilli === 0, 'no milli-GPU is held');
        const free = inventory.pools.map(({ resource }) => model.ledger.freeSlots(inventory.name, resource));
        check(String(free) === String(inventory.pools.map(({ slots }) => slots)), 'every slot is free');
      }
    }),
    { numRuns: 200 },
  );
});

tap.test('a clone and its original change apart: each ends as if there were no other', async () => {
  fc.assert(
    fc.property(steps, steps, steps, (before, here, there) => {
      const original = new Model();
      for (const step of before) original.run(step);
      const clone = original.clone();
      // Step by step in turn, so that each meets what the other has just made its own.
      for (let i = 0; i < Math.max(here.length, there.length); i += 1) {
        const [mine, theirs] = [here[i], there[i]];
        if (mine) original.run(mine);
        if (theirs) clone.run(theirs);
        checkFigures(original);
        checkFigures(clone);
      }
    }),
    { numRuns: 300 },
  );
});

tap.test('a version is never seen twice with different figures', async () => {
  fc.assert(
    fc.property(steps, (history) => {
      const model = new Model();
      const seen = new Map<string, string>();
      for (const step of history) {
        model.run(step);
        for (const { name } of model.ledger.nodes()) {
          const { version, ...figures } = model.ledger.load(name) ?? {};
          const content = JSON.stringify({ ...figures, free: RESOURCES.map((of) => model.ledger.freeSlots(name, of)) });
          check((seen.get(`${name} ${version}`) ?? content) === content, `version ${version} of ${name} is new`);
          seen.set(`${name} ${version}`, content);
        }
      }
    }),
    { numRuns: 200 },
  );
});

/** Nodes and bound pods whose records agree with one another: the state of a cluster after a restart. */
const cluster = fc
  .array(fc.constantFrom(...shapes), { minLength: 1, maxLength: 3 })
  .map((chosen) => chosen.map((shape, i) => shape(NODES[i] ?? '')))
  .chain((nodes) => {
    const slots = nodes.flatMap(({ name, pools }) =>
      pools.flatMap(({ resource, slotsPerGpu }) =>
        slotsPerGpu.flatMap((room, gpu) => Array.from({ length: room }, () => ({ name, resource, gpu }))),
      ),
    );
    const news = (taken: typeof slots): Step[] => [
      ...nodes.map((inventory): Step => ({ do: 'set', inventory })),
      ...taken.flatMap(({ name, resource, gpu }, i) => {
        const pod = { uid: `pod-${i}`, pod: `team/pod-${i}`, node: name, resources: [{ resource, count: 1 }] };
        const options = { ...pod, state: 'confirmed', expected: new Map([[resource, [gpu]]]) } as const;
        return [options, { ...options, state: 'reserved' } as const].map(
          (of): Step => ({ do: 'allocate', polite: false, options: of }),
        );
      }),
    ];
    return fc.shuffledSubarray(slots).map(news);
  });

tap.test('who holds what does not depend on the order of news', async () => {
  const twoOrders = cluster.chain((news) =>
    fc.tuple(
      fc.shuffledSubarray(news, { minLength: news.length }),
      fc.shuffledSubarray(news, { minLength: news.length }),
    ),
  );
  const told = (order: readonly Step[]) => {
    const model = new Model();
    for (const step of order) model.run(step);
    const loads = NODES.map((name) => ({ ...model.ledger.load(name), version: 0 }));
    const pods = [...model.pods.keys()].sort().map((uid) => model.ledger.allocationOf(uid));
    const misplaced = [...model.pods.values()].filter(({ uid, resources, expected }) => {
      const wish = expected?.get(resources[0]?.resource ?? '');
      return String(model.ledger.allocationOf(uid)?.holdings[0]?.gpus) !== String(wish);
    });
    check(misplaced.length === 0, 'every pod is on the GPU of its record');
    return JSON.stringify([loads, pods]);
  };
  fc.assert(
    fc.property(twoOrders, ([a, b]) => told(a) === told(b)),
    { numRuns: 200 },
  );
});
