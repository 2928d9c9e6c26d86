/** Any plan for any small cluster: it harms nobody, keeps NVIDIA's rules, and does what it says. */

import fc from 'fast-check';
import tap from 'tap';
import { fit } from '#src/core/fit.ts';
import type { NodeInventory } from '#src/core/inventory.ts';
import { Ledger } from '#src/core/ledger.ts';
import { cooldownOf, HOLD_MS } from '#src/core/partitioning/cooldown.ts';
import {
  changedGpus,
  disturbed,
  faultOf,
  type GpuLayout,
  inventoryWith,
  type Partition,
  wholeGpus,
} from '#src/core/partitioning/partition.ts';
import { plan } from '#src/core/partitioning/plan.ts';
import type { Plan, PlanningInput, PlanningNode, PodDemand } from '#src/core/partitioning/plan-input.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import type { SharingMode } from '#src/core/sharing-mode.ts';
import { node as inventoryOfFacts } from '../unit/make.ts';

const RUNS = { numRuns: 1_000 };
const A100 = 'NVIDIA-A100-SXM4-40GB';
const LAYOUTS: readonly GpuLayout[] = [
  { '1g.5gb': 7 },
  { '3g.20gb': 2 },
  { '4g.20gb': 1, '3g.20gb': 1 },
  { '2g.10gb': 3, '1g.5gb': 1 },
];
const MODES: readonly SharingMode[] = ['exclusive', 'mig', 'mps', 'timeslicing'];

const seldom = <T>(arbitrary: fc.Arbitrary<T>, never = 7): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: never, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const anyPartition = (gpus: number, product: string): fc.Arbitrary<Partition> => {
  const sharing = fc.record({ mode: fc.constantFrom('mps', 'timeslicing'), replicas: fc.constantFrom(2, 4, 8) });
  const layouts = fc.array(fc.option(fc.constantFrom(...LAYOUTS), { nil: undefined }), {
    minLength: gpus,
    maxLength: gpus,
  });
  return fc.oneof(
    fc.constant(wholeGpus(gpus)),
    sharing.map((each) => ({ ...wholeGpus(gpus), sharing: each }) as Partition),
    ...(product === A100 ? [layouts.map((each) => ({ layouts: each, sharing: undefined }))] : []),
  );
};

const anyNode = (name: string): fc.Arbitrary<PlanningNode> =>
  fc
    .record({ gpus: fc.integer({ min: 1, max: 4 }), product: fc.constantFrom(A100, A100, 'NVIDIA-L40S') })
    .chain(({ gpus, product }) =>
      fc.record({
        gpus: fc.constant(gpus),
        product: fc.constant(product),
        partition: anyPartition(gpus, product),
        coming: seldom(anyPartition(gpus, product)),
        unknown: fc.nat({ max: 15 }).map((dice) => dice === 0),
        inTransition: fc.nat({ max: 15 }).map((dice) => dice === 0),
        held: seldom(fc.array(fc.nat({ max: 8 }), { minLength: 4, maxLength: 4 }), 2),
        modes: fc.oneof(fc.constant([...MODES]), fc.subarray([...MODES])),
        reluctant: seldom(fc.constantFrom(...MODES), 2),
        rests: fc.nat({ max: 7 }).map((dice) => dice === 0),
      }),
    )
    .map(({ gpus, product, partition, coming, unknown, inTransition, held, modes, reluctant, rests }) => {
      const whole = inventoryOfFacts({ name, gpus, product, gpuMiB: product === A100 ? 40_960 : 49_152 });
      const inventory = { ...inventoryWith(whole, partition), inTransition };
      return {
        inventory,
        partition: unknown ? undefined : partition,
        coming,
        held: new Map(
          // What is on its way away is held by nobody.
          inventory.pools.map(({ resource, slots }, i) => [resource, coming ? 0 : Math.min(slots, held?.[i] ?? 0)]),
        ),
        modes: new Set(modes),
        onlyRecommend: (mode) => (mode === reluctant ? `${mode} is only recommended` : undefined),
        cooldownMs: rests ? HOLD_MS : 0,
      };
    });

const anyDemand = (name: string): fc.Arbitrary<PodDemand> =>
  fc
    .record({
      pods: fc.integer({ min: 1, max: 9 }),
      kind: fc.constantFrom<readonly [string, SharingMode | undefined]>(
        [WHOLE_GPU, undefined],
        [SHARED_GPU, 'mps'],
        [SHARED_GPU, 'timeslicing'],
        [SHARED_GPU, undefined],
        ['nvidia.com/mig-1g.5gb', 'mig'],
        ['nvidia.com/mig-2g.10gb', undefined],
        ['nvidia.com/mig-3g.20gb', undefined],
      ),
      count: fc.constantFrom(1, 1, 1, 2),
      slotMiB: fc.constantFrom(undefined, undefined, 4_000, 9_000),
      slotMilli: fc.constantFrom(undefined, undefined, 100, 300),
      maxReplicas: fc.constantFrom(1, 2, 3, 8, 10),
      priority: fc.constantFrom(0, 0, 10),
      rooms: fc.array(fc.constantFrom(0, 1, 3, 20, Number.POSITIVE_INFINITY), { minLength: 5, maxLength: 5 }),
    })
    .map(({ pods, kind: [resource, mode], rooms, ...rest }) => ({
      ...rest,
      resource,
      mode,
      pods: Array.from({ length: pods }, (_, i) => `${name}/${i}`),
      roomOn: (node) => rooms[Number(node.slice(1))] ?? 0,
    }));

const several = <T>(most: number, one: (i: number) => fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.integer({ min: 1, max: most }).chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => one(i))));

const anyInput: fc.Arbitrary<PlanningInput> = fc.record({
  nodes: several(5, (i) => anyNode(`n${i}`)),
  demands: several(4, (i) => anyDemand(`d${i}`)),
});

function check(
  says: string,
  kinds: readonly string[],
  holds: (input: PlanningInput, seen: (kind: string) => void) => void,
) {
  tap.test(says, async (t) => {
    const missing = new Set(kinds);
    fc.assert(
      fc.property(anyInput, (input) => holds(input, (kind) => missing.delete(kind))),
      RUNS,
    );
    t.strictSame([...missing], [], `cases of ${kinds.join(', ')}`);
  });
}

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

const find = ({ nodes }: PlanningInput, name: string) => {
  const node = nodes.find(({ inventory }) => inventory.name === name);
  must(node !== undefined, `there is no ${name}`);
  return node;
};

check(
  'only what may be changed, what nobody holds, and into what can be made',
  ['change', 'recommended'],
  (input, seen) => {
    const { changes } = plan(input);
    must(new Set(changes.map(({ node }) => node)).size === changes.length, 'a node is changed twice');
    for (const { node: name, from, to, gpusChanged, recommendOnly, serves } of changes) {
      seen(recommendOnly === undefined ? 'change' : 'recommended');
      const { inventory, partition, coming, held, modes, onlyRecommend, cooldownMs } = find(input, name);
      must(partition === from && !coming && !inventory.inTransition && cooldownMs === 0, 'it may not be changed');
      must(serves.length > 0 && gpusChanged.length > 0, 'changed for nothing');
      must(!faultOf(to, { product: inventory.product, memoryMiB: inventory.gpuMiB ?? 0 }), 'it cannot be made');
      const harmed = disturbed(from, to);
      for (const [resource, slots] of held)
        must(slots === 0 || !(harmed === 'all' || harmed.has(resource)), 'it is held');
      must(JSON.stringify(changedGpus(from, to)) === JSON.stringify(gpusChanged), 'other GPUs than it says');
      const made = gpusChanged.map((gpu) => (to.layouts[gpu] ? 'mig' : (to.sharing?.mode ?? 'exclusive')));
      must(
        made.every((mode) => modes.has(mode)),
        'a mode that is not allowed',
      );
      must(
        (recommendOnly !== undefined) === made.some((mode) => onlyRecommend(mode) !== undefined),
        'wrongly recommended',
      );
    }
  },
);

check('every pod is told one thing', ['free', 'change', 'refused'], (input, seen) => {
  const { changes, servedByFree, refused } = plan(input);
  if (servedByFree.length > 0) seen('free');
  if (changes.length > 0) seen('change');
  if (refused.length > 0) seen('refused');
  const told = [servedByFree, ...changes.map(({ serves }) => serves), ...refused.map(({ pods }) => pods)].flat();
  const all = input.demands.flatMap(({ pods }) => pods);
  must(JSON.stringify(told.sort()) === JSON.stringify(all.sort()), 'not each pod exactly once');
});

/** What pods are bound to: nodes with those that hold something already, and what room each has beside its GPUs. */
class Bound {
  readonly #ledger = new Ledger();
  readonly #room = new Map<string, number>();
  readonly #inventories = new Map<string, NodeInventory>();

  constructor(nodes: readonly PlanningNode[]) {
    for (const { inventory, coming, held } of nodes) {
      const offers = coming ? { ...inventoryWith(inventory, coming), inTransition: false } : inventory;
      this.#inventories.set(inventory.name, offers);
      this.#room.set(inventory.name, 1);
      this.#ledger.setNode(offers);
      for (const [resource, count] of held) {
        if (count === 0) continue;
        const uid = `held ${inventory.name} ${resource}` as never;
        this.#ledger.allocate({
          uid,
          pod: uid,
          node: inventory.name,
          state: 'confirmed',
          resources: [{ resource, count }],
        });
      }
    }
  }

  /** Binds the pod if it fits. */
  bind(pod: string, demand: PodDemand, node: string): boolean {
    const { resource, count, largestContainer = count, mode, slotMiB, slotMilli } = demand;
    const request = { resources: [{ resource, count, largestContainer }], mode, slotMiB, slotMilli };
    const left = (this.#room.get(node) ?? 0) - 1 / demand.roomOn(node);
    if (!(left >= -1e-6)) return false;
    if (!fit(this.#inventories.get(node), (name) => this.#ledger.freeSlots(node, name), request).fits) return false;
    this.#ledger.allocate({ uid: pod as never, pod, node, state: 'reserved', resources: request.resources });
    this.#room.set(node, left);
    return true;
  }

  unbind(pod: string, demand: PodDemand, node: string): void {
    this.#ledger.release(pod as never);
    this.#room.set(node, (this.#room.get(node) ?? 0) + 1 / demand.roomOn(node));
  }

  /** Whether all of them find a place, by trying; pods of a demand are alike, so their nodes come in order. */
  bindsAll(pods: readonly (readonly [pod: string, demand: PodDemand])[], from = 0): boolean {
    const [first, ...rest] = pods;
    if (!first) return true;
    const [pod, demand] = first;
    const names = [...this.#inventories.keys()];
    for (let i = from; i < names.length; i += 1) {
      const node = names[i] ?? '';
      if (!this.bind(pod, demand, node)) continue;
      if (this.bindsAll(rest, rest[0]?.[1] === demand ? i : 0)) return true;
      this.unbind(pod, demand, node);
    }
    return false;
  }
}

const withDemands = ({ demands }: PlanningInput, pods: readonly string[]) =>
  demands.flatMap((demand) => demand.pods.filter((pod) => pods.includes(pod)).map((pod) => [pod, demand] as const));

/** The nodes when the changes are on their way. */
function onTheirWay(
  { nodes, demands }: PlanningInput,
  { changes }: Plan,
  which = (_: Plan['changes'][number]) => true,
) {
  const to = new Map(changes.filter(which).map((change) => [change.node, change.to]));
  return { demands, nodes: nodes.map((node) => ({ ...node, coming: to.get(node.inventory.name) ?? node.coming })) };
}

check(
  'pods fit where it says, all at once, and those of free slots before as well',
  ['change', 'free'],
  (input, seen) => {
    const planned = plan(input);
    must(new Bound(input.nodes).bindsAll(withDemands(input, planned.servedByFree)), 'more than is free');
    const bound = new Bound(onTheirWay(input, planned).nodes);
    for (const { node, serves } of planned.changes) {
      for (const [pod, demand] of withDemands(input, serves))
        must(bound.bind(pod, demand, node), `${pod} not on ${node}`);
      seen('change');
    }
    must(bound.bindsAll(withDemands(input, planned.servedByFree)), 'the changes take free slots away');
    if (planned.servedByFree.length > 0) seen('free');
  },
);

check('the same facts in another order give the same plan, and nobody is asked twice', [], (input) => {
  const asked = new Map<string, number>();
  const demands = input.demands.map((demand, d) => ({
    ...demand,
    roomOn: (node: string) => {
      asked.set(`${d} ${node}`, (asked.get(`${d} ${node}`) ?? 0) + 1);
      return demand.roomOn(node);
    },
  }));
  const first = JSON.stringify(plan({ ...input, demands }));
  must(
    [...asked.values()].every((times) => times === 1),
    'asked twice',
  );
  must(JSON.stringify(plan({ ...input, nodes: input.nodes.toReversed() })) === first, 'another plan');
});

check(
  'while its changes are on their way there is nothing more to change',
  ['change', 'recommended'],
  (input, seen) => {
    const planned = plan(input);
    for (const { recommendOnly } of planned.changes) seen(recommendOnly === undefined ? 'change' : 'recommended');
    const all = plan(onTheirWay(input, planned));
    must(
      all.changes.every(({ recommendOnly }) => recommendOnly !== undefined),
      'one more',
    );
    const own = plan(onTheirWay(input, planned, ({ recommendOnly }) => recommendOnly === undefined));
    must(
      own.changes.every(({ recommendOnly }) => recommendOnly !== undefined),
      'one more without the recommended',
    );
  },
);

const MINUTE = 60_000;
const anyTimes = fc.record({
  nodes: several(3, (i) => anyNode(`n${i}`)),
  steps: fc.array(
    fc.record({ minutes: fc.integer({ min: 1, max: 25 }), demands: several(2, (i) => anyDemand(`d${i}`)) }),
    {
      minLength: 20,
      maxLength: 60,
    },
  ),
});
tap.test('however demands alternate, a node changes at most 3 times in an hour and 4 times in two', async (t) => {
  let most = 0;
  fc.assert(
    fc.property(anyTimes, ({ nodes, steps }) => {
      let now = 0;
      const times = new Map<string, number[]>();
      let cluster = nodes.map((node) => ({ ...node, held: new Map<string, number>(), coming: undefined }));
      for (const { minutes, demands } of steps) {
        now += minutes * MINUTE;
        const planning = cluster.map((node) => {
          const ago = (times.get(node.inventory.name) ?? []).map((at) => now - at);
          return { ...node, cooldownMs: cooldownOf({ lastChanges: ago }) };
        });
        const { changes } = plan({ nodes: planning, demands });
        const to = new Map(changes.map((change) => [change.node, change.to]));
        for (const name of to.keys()) times.set(name, [now, ...(times.get(name) ?? [])]);
        cluster = cluster.map((node) => {
          const partition = to.get(node.inventory.name);
          return partition ? { ...node, partition, inventory: inventoryWith(node.inventory, partition) } : node;
        });
      }
      for (const changed of times.values()) {
        for (const at of changed) {
          const within = (span: number) => changed.filter((other) => other >= at && other < at + span * MINUTE).length;
          must(within(60) <= 3, `${within(60)} changes in an hour`);
          must(within(120) <= 4, `${within(120)} changes in two hours`);
          most = Math.max(most, within(60));
        }
      }
    }),
    { numRuns: 100 },
  );
  t.equal(most, 3, 'and there are demands that bring it there');
});
