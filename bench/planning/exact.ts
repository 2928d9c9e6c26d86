/**
 * The best plan that there is for a small cluster, as integer programs solved by HiGHS: what is free serves as much as
 * it can; then changes serve as much as they can; then the fewest GPUs are changed that it takes. Written from the
 * rules, not from the planner.
 */

import type { Highs } from 'highs';
import { fit } from '#src/core/fit.ts';
import { mostMpsClients } from '#src/core/gpu-catalog.ts';
import type { NodeInventory } from '#src/core/inventory.ts';
import {
  changedGpus,
  disturbed,
  faultOf,
  type GpuLayout,
  inventoryWith,
  type Partition,
  type Sharing,
} from '#src/core/partitioning/partition.ts';
import type { PlanningInput, PlanningNode, PodDemand } from '#src/core/partitioning/plan-input.ts';
import { migResource, SHARED_GPU } from '#src/core/resources.ts';
import { REPLICA_MODES } from '#src/core/sharing-mode.ts';
import { layoutsOf } from './cases.ts';

export interface Optimum {
  /** milli-GPU served by what is free, and in all. */
  readonly free: number;
  readonly served: number;
  readonly gpus: number;
}

/** What may become of a node, but for the layouts of GPUs that are cut anew. */
interface Frame {
  readonly sharing: Sharing | undefined;
  /** Slots by resource, without those of new layouts. */
  readonly slots: ReadonlyMap<string, number>;
  readonly inventory: NodeInventory;
  readonly cut: number;
  readonly changed: number;
  readonly harmed: 'all' | ReadonlySet<string>;
}

/** @param weights milli-GPU of one pod of each demand */
export function optimum(highs: Highs, { nodes, demands }: PlanningInput, weights: readonly number[]): Optimum {
  const program = new Program();
  const x = (d: number, n: number) => `x${d}_${n}`;
  const free = (d: number, n: number) => `f${d}_${n}`;
  for (const [n, node] of nodes.entries()) addNode(program, node, n, demands);
  for (const [d, { pods }] of demands.entries()) {
    const all = nodes.flatMap((_, n) => [term(1, x(d, n)), term(1, free(d, n))]);
    program.row(`${all.join(' ')} <= ${pods.length}`);
  }
  const sum = (name: (d: number, n: number) => string) =>
    demands.flatMap((_, d) => nodes.map((__, n) => term(weights[d] ?? 0, name(d, n)))).join(' ');
  const first = program.solve(highs, 'Maximize', sum(free));
  program.row(`${sum(free)} >= ${Math.round(first)}`);
  const second = program.solve(highs, 'Maximize', `${sum(free)} ${sum(x)}`);
  program.row(`${sum(free)} ${sum(x)} >= ${Math.round(second)}`);
  const third = program.solve(highs, 'Minimize', program.cost.join(' '));
  return { free: Math.round(first), served: Math.round(second), gpus: Math.round(third) };
}

function addNode(program: Program, node: PlanningNode, n: number, demands: readonly PodDemand[]): void {
  const { inventory, held } = node;
  const frames = framesOf(node, demands);
  const y = (f: number) => `y${n}_${f}`;
  for (const f of frames.keys()) program.binary(y(f));
  program.row(`${frames.map((_, f) => term(1, y(f))).join(' ')} = 1`);
  for (const [f, { changed }] of frames.entries()) program.cost.push(term(changed, y(f)));
  const layouts = layoutsOf(inventory.product);
  const z = (l: number) => `z${n}_${l}`;
  for (const l of layouts.keys()) program.integer(z(l), inventory.gpus);
  const cuts = frames.map(({ cut }, f) => term(-cut, y(f)));
  if (layouts.length > 0) program.row(`${layouts.map((_, l) => term(1, z(l))).join(' ')} ${cuts.join(' ')} <= 0`);

  const rooms: string[] = [];
  const supply = (resource: string, suits: (frame: Frame) => boolean) => [
    ...frames.flatMap((frame, f) => (suits(frame) ? [term(-(frame.slots.get(resource) ?? 0), y(f))] : [])),
    ...layouts.map((layout, l) => term(-instances(layout, resource), z(l))),
  ];
  const users = new Map<string, string[]>();
  const freeUsers = new Map<string, string[]>();
  for (const [d, demand] of demands.entries()) {
    const { resource, count, mode, slotMiB, slotMilli, pods } = demand;
    const [x, free] = [`x${d}_${n}`, `f${d}_${n}`];
    const room = Math.min(demand.roomOn(inventory.name), 10_000);
    for (const name of [x, free]) program.integer(name, room === 0 ? 0 : pods.length);
    if (room > 0) rooms.push(term(1 / room, x), term(1 / room, free));
    const request = { resources: [{ resource, count, largestContainer: count }], mode, slotMiB, slotMilli };
    const fits = (offers: NodeInventory) => fit(offers, () => count, request).fits;
    if (!fits(inventory)) program.row(`${term(1, free)} <= 0`);
    for (const [f, { harmed, changed }] of frames.entries()) {
      if (changed > 0 && (harmed === 'all' || harmed.has(resource)))
        program.row(`${term(1, free)} ${term(pods.length, y(f))} <= ${pods.length}`);
    }
    // All slots of one resource are alike, but for how GPUs are shared.
    const suits = (frame: Frame) => suitsShared(frame, demand);
    program.row(`${term(count, x)} ${supply(resource, suits).join(' ')} <= 0`);
    if (!migFits(demand, node)) program.row(`${term(1, x)} <= 0`);
    users.set(resource, [...(users.get(resource) ?? []), term(count, x), term(count, free)]);
    freeUsers.set(resource, [...(freeUsers.get(resource) ?? []), term(count, free)]);
  }
  for (const [resource, terms] of users) {
    const taken = held.get(resource) ?? 0;
    program.row(`${terms.join(' ')} ${supply(resource, () => true).join(' ')} <= ${-taken}`);
    const slots = inventory.pools.find((pool) => pool.resource === resource)?.slots ?? 0;
    program.row(`${freeUsers.get(resource)?.join(' ')} <= ${slots - taken}`);
  }
  if (rooms.length > 0) program.row(`${rooms.join(' ')} <= 1`);
}

/** Instances of a profile are large enough for the pod; other resources are judged elsewhere. */
function migFits(demand: PodDemand, { inventory }: PlanningNode): boolean {
  const { resource, count, slotMiB, slotMilli, mode } = demand;
  if (!resource.startsWith('nvidia.com/mig-')) return true;
  const layouts = layoutsOf(inventory.product).filter((layout) => instances(layout, resource) > 0);
  const [layout] = layouts;
  if (!layout) return false;
  const offers = inventoryWith(inventory, { layouts: [layout], sharing: undefined });
  const request = { resources: [{ resource, count, largestContainer: count }], mode, slotMiB, slotMilli };
  return fit(offers, () => count, request).fits;
}

function instances(layout: GpuLayout, resource: string): number {
  return Object.entries(layout).reduce((sum, [name, count]) => sum + (migResource(name) === resource ? count : 0), 0);
}

function framesOf(node: PlanningNode, demands: readonly PodDemand[]): Frame[] {
  const { inventory, partition, held, modes } = node;
  if (!partition) throw new Error('a node of unknown partition');
  const kind = { product: inventory.product, memoryMiB: inventory.gpuMiB ?? 0 };
  const layouts = layoutsOf(inventory.product);
  const frames = new Map<string, Frame>();
  const consider = (to: Partition, cut: ReadonlySet<number>) => {
    if (faultOf(to, kind)) return;
    const changed = changedGpus(partition, to);
    const harmed = disturbed(partition, to);
    if (changed.length > 0) {
      for (const [resource, slots] of held) if (slots > 0 && (harmed === 'all' || harmed.has(resource))) return;
      for (const gpu of changed) {
        if (!modes.has(to.layouts[gpu] ? 'mig' : (to.sharing?.mode ?? 'exclusive'))) return;
      }
    }
    // A GPU whose layout is left open counts for nothing here.
    const fixed = { ...to, layouts: to.layouts.map((layout, gpu) => (cut.has(gpu) ? {} : layout)) };
    const after = { ...inventoryWith(inventory, fixed), inTransition: false };
    const slots = new Map(
      (changed.length === 0 ? inventory : after).pools.map(({ resource, slots: count }) => [resource, count]),
    );
    const key = JSON.stringify([to.sharing ?? 0, [...slots].sort(), cut.size]);
    const frame = { sharing: to.sharing, slots, inventory: after, cut: cut.size, changed: changed.length, harmed };
    const other = frames.get(key);
    if (!other || other.changed > frame.changed) frames.set(key, frame);
  };
  const ways: (Sharing | undefined)[] = [undefined, partition.sharing];
  const counts = new Set([2, 4, 8, 16, 32, ...demands.map(({ maxReplicas }) => maxReplicas)]);
  for (const mode of REPLICA_MODES) {
    for (const replicas of counts) {
      if (replicas >= 2 && (mode !== 'mps' || replicas <= mostMpsClients(inventory.product)))
        ways.push({ mode, replicas });
    }
  }
  const choose = (gpu: number, chosen: (GpuLayout | undefined)[], cut: ReadonlySet<number>) => {
    const before = partition.layouts[gpu];
    if (gpu === partition.layouts.length) {
      for (const sharing of ways) {
        // How no GPU is shared is nothing to change.
        if (chosen.every((layout) => layout !== undefined) && sharing) continue;
        consider({ layouts: chosen, sharing }, cut);
      }
      return;
    }
    choose(gpu + 1, [...chosen, undefined], cut);
    if (before) choose(gpu + 1, [...chosen, before], cut);
    const other = layouts.find((layout) => JSON.stringify(layout) !== JSON.stringify(before));
    if (other) choose(gpu + 1, [...chosen, other], new Set([...cut, gpu]));
  };
  choose(0, [], new Set());
  return undominated([...frames.values()], demands);
}

/** Without those that another is at least as good as in every respect: the programs stay small. */
function undominated(frames: readonly Frame[], demands: readonly PodDemand[]): Frame[] {
  const resources = [...new Set(demands.map(({ resource }) => resource))];
  const facts = frames.map((frame) => {
    const harms = resources.map(
      (resource) => frame.changed > 0 && (frame.harmed === 'all' || frame.harmed.has(resource)),
    );
    const figures = [-frame.changed, frame.cut, ...resources.map((resource) => frame.slots.get(resource) ?? 0)];
    const suits = demands.map((demand) => suitsShared(frame, demand));
    return [...figures, ...[...suits, ...harms.map((harm) => !harm)].map(Number)];
  });
  const covers = (a: number, b: number) => facts[a]?.every((figure, i) => figure >= (facts[b]?.[i] ?? 0)) ?? false;
  return frames.filter(
    (frame, b) => frame.changed === 0 || !frames.some((_, a) => a !== b && covers(a, b) && (!covers(b, a) || a < b)),
  );
}

/** Whether its slots of shared GPUs suit the pods; true for pods that want others. */
function suitsShared({ sharing, inventory, changed }: Frame, demand: PodDemand): boolean {
  const { resource, count, mode, slotMiB, slotMilli, maxReplicas } = demand;
  if (resource !== SHARED_GPU) return true;
  const request = { resources: [{ resource, count, largestContainer: count }], mode, slotMiB, slotMilli };
  return fit(inventory, () => count, request).fits && (changed === 0 || (sharing?.replicas ?? 0) <= maxReplicas);
}

function term(factor: number, name: string): string {
  return `${factor < 0 ? '-' : '+'} ${Math.abs(factor)} ${name}`;
}

/** A program in CPLEX's LP format. */
class Program {
  readonly cost: string[] = [];
  readonly #rows: string[] = [];
  readonly #bounds: string[] = [];
  readonly #integers: string[] = [];
  readonly #binaries: string[] = [];

  row(text: string): void {
    this.#rows.push(text);
  }
  integer(name: string, most?: number): void {
    this.#integers.push(name);
    if (most !== undefined) this.#bounds.push(`0 <= ${name} <= ${most}`);
  }
  binary(name: string): void {
    this.#binaries.push(name);
  }

  solve(highs: Highs, direction: 'Maximize' | 'Minimize', objective: string): number {
    const lines = (items: readonly string[]) => items.map((item) => ` ${item}`);
    const text = [
      direction,
      ` obj: ${objective}`,
      'Subject To',
      ...this.#rows.map((row, i) => ` r${i}: ${row}`),
      'Bounds',
      ...lines(this.#bounds),
      'General',
      ...lines(this.#integers),
      'Binary',
      ...lines(this.#binaries),
      'End',
    ].join('\n');
    const solution = highs.solve(text, { mip_rel_gap: 0, mip_abs_gap: 0.5 });
    if (solution.Status !== 'Optimal') throw new Error(`HiGHS: ${solution.Status}`);
    return solution.ObjectiveValue;
  }
}
