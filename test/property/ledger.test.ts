/** 100,000 random operations on one ledger: at no time more than there is, the sum of the parts is the whole, undo is exact. */

import tap from 'tap';
import { fit } from '#src/core/fit.ts';
import { Ledger } from '#src/core/ledger.ts';
import { randomIndex, seededRandom } from '#src/core/random.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { node, request, sharedNode } from '../unit/make.ts';

const OPERATIONS = 100_000;
const MIG = ['nvidia.com/mig-1g.5gb', 'nvidia.com/mig-3g.20gb'];
const RESOURCES = [WHOLE_GPU, SHARED_GPU, ...MIG];

/** What a node may be at one time or another: whole, shared, cut, smaller. */
const SHAPES = [
  (name: string) => node({ name }),
  (name: string) => node({ name, gpus: 4, allocatable: new Map([[WHOLE_GPU, 4]]) }),
  (name: string) => sharedNode('mps', 8, { name }),
  (name: string) => sharedNode('timeslicing', 4, { name, gpus: 2 }),
  (name: string) =>
    node({ name, gpus: 2, allocatable: new Map(MIG.map((resource, i) => [resource, i === 0 ? 6 : 2])) }),
];

tap.test(`${OPERATIONS} operations`, async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.comment(`seed ${seed}`);
  const random = seededRandom(seed);
  const pick = <T>(items: readonly T[]): T => items[randomIndex(random, items.length)] as T;
  const ledger = new Ledger();
  const names = Array.from({ length: 8 }, (_, i) => `node-${i}`);
  for (const name of names) ledger.setNode(pick(SHAPES)(name));
  const live: string[] = [];
  /** Nodes that changed under their pods hold what they hold: only new pods must fit. */
  const shrunk = new Set<string>();
  let refused = 0;

  for (let i = 0; i < OPERATIONS; i += 1) {
    const name = pick(names);
    const dice = random();
    if (dice < 0.55) {
      const wanted = request(pick(RESOURCES), 1 + randomIndex(random, 3));
      const before = JSON.stringify([...ledger.allocationsOn(name)]);
      const heldBefore = ledger.load(name)?.heldMilli;
      const verdict = fit(ledger.load(name)?.inventory, (resource) => ledger.freeSlots(name, resource), wanted);
      if (!verdict.fits) {
        refused += 1;
        continue;
      }
      const uid = `pod-${i}`;
      ledger.allocate({
        uid,
        pod: uid,
        node: name,
        state: pick(['reserved', 'confirmed']),
        resources: wanted.resources,
      });
      if (random() < 0.2) {
        ledger.release(uid);
        if (JSON.stringify([...ledger.allocationsOn(name)]) !== before || ledger.load(name)?.heldMilli !== heldBefore) {
          return t.fail(`operation ${i}: undo is not exact`);
        }
      } else live.push(uid);
    } else if (dice < 0.97) {
      const [gone] = live.splice(randomIndex(random, Math.max(1, live.length)), 1);
      if (gone !== undefined) ledger.release(gone);
    } else {
      if (dice < 0.985) ledger.removeNode(name);
      ledger.setNode(pick(SHAPES)(name));
      shrunk.add(name);
    }
    const fault = faultOf(ledger, name, shrunk);
    if (fault) return t.fail(`operation ${i}, ${name}: ${fault}`);
  }
  for (const uid of live) ledger.release(uid);
  for (const name of names) t.equal(ledger.load(name)?.heldMilli, 0, `${name} is empty at the end`);
  t.ok(refused > OPERATIONS / 100, 'fleets were full now and then');
});

/** What is wrong with a node, if anything. */
function faultOf(ledger: Ledger, name: string, shrunk: Set<string>): string | undefined {
  const load = ledger.load(name);
  if (!load) return 'it is gone';
  let held = 0;
  let over = false;
  for (const { resource, slots, slotsPerGpu, slotMilli } of load.inventory.pools) {
    const perGpu = slotsPerGpu.map(() => 0);
    let total = 0;
    for (const { holdings } of ledger.allocationsOn(name)) {
      for (const holding of holdings.filter((each) => each.resource === resource)) {
        total += holding.count;
        for (const gpu of holding.gpus) perGpu[gpu] = (perGpu[gpu] ?? 0) + 1;
      }
    }
    held += total * slotMilli;
    if (perGpu.some((count, gpu) => count > (slotsPerGpu[gpu] ?? 0)))
      return `a GPU of ${resource} holds more than its slots`;
    if (total > slots) over = true;
    if (ledger.freeSlots(name, resource) !== Math.max(0, slots - total))
      return `free slots of ${resource} do not add up`;
  }
  if (over && !shrunk.has(name)) return 'more is held than there is';
  if (!over) shrunk.delete(name);
  return held === load.heldMilli ? undefined : `parts come to ${held} milli-GPU, the whole is ${load.heldMilli}`;
}
