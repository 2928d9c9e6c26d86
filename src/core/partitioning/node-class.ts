/** Nodes that are alike for a plan: what holds for one of them holds for all. */

import { migResource, SHARED_GPU, WHOLE_GPU } from '../resources.ts';
import type { SharingMode } from '../sharing-mode.ts';
import { type CandidateNode, inFixedOrder } from './candidate-node.ts';
import { type DemandClass, maxPodsOn, modesFor } from './demand-class.ts';
import type { Partition } from './partition.ts';

/** A class of nodes that are alike. */
export interface NodeClass {
  /** Nodes of the class, in the order in which they are used. */
  readonly candidates: readonly CandidateNode[];
  /** One of the nodes, which stands for all. */
  readonly representative: CandidateNode;
  readonly from: Partition;
  /** Demand classes that such a node could hold in a mode that may be made of it, were it free. */
  readonly servable: readonly DemandClass[];
  /** The most pods that one of the nodes could hold, by index of the demand class. */
  readonly maxPods: ReadonlyMap<number, number>;
  /** Whether no pod holds any GPU: MIG may be switched on and off. */
  readonly idle: boolean;
  /** Whether no pod holds a GPU without MIG, or a slot of one: how they are shared may change. */
  readonly canReshare: boolean;
  /** GPUs with MIG, by index, none of whose instances is held, as far as one can know. */
  readonly idleMigGpus: readonly number[];
  readonly coolingDown: boolean;
}

const MODES: readonly SharingMode[] = ['exclusive', 'mig', 'mps', 'timeslicing'];

/** Classes of the nodes whose partition is known and that are not on their way to another. */
export function classesOf(candidates: readonly CandidateNode[], demandClasses: readonly DemandClass[]): NodeClass[] {
  const byKey = new Map<string, { candidates: CandidateNode[]; servable: Map<DemandClass, number> }>();
  const suited = new Map<string, Map<DemandClass, number>>();
  for (const candidate of candidates) {
    const { partition, modes, keepsWholeGpu = false, onlyRecommend, inventory, cooldownMs } = candidate.node;
    if (!partition || !candidate.changeable || !mayChange(candidate, partition)) continue;
    const allowed = MODES.filter((mode) => modes.has(mode));
    const { product, gpuMiB, gpus, oversubscribe = false } = inventory;
    const kind = `${product} ${gpuMiB} ${oversubscribe} ${gpus} ${allowed.join()}`;
    let suits = suited.get(kind);
    if (!suits) {
      const fits = (each: DemandClass) =>
        modesFor(each, candidate.type, candidate.gpus).some((mode) => modes.has(mode));
      suits = new Map(
        demandClasses.filter(fits).map((each) => [each, maxPodsOn(each, candidate.type, candidate.gpus)]),
      );
      suited.set(kind, suits);
    }
    const servable = new Map([...suits].filter(([each]) => candidate.room(each) > 0));
    if (servable.size === 0) continue;
    const held = [...candidate.held].filter(([, slots]) => slots > 0).sort();
    const key = JSON.stringify([
      kind,
      partition.sharing?.mode,
      partition.sharing?.replicas,
      partition.layouts.map((layout) => layout ?? null),
      held,
      keepsWholeGpu,
      allowed.map((mode) => onlyRecommend(mode) ?? null),
      cooldownMs > 0,
      candidate.roomLeft,
      [...servable.keys()].map((each) => [each.index, candidate.room(each)]),
    ]);
    const same = byKey.get(key);
    if (same) same.candidates.push(candidate);
    else byKey.set(key, { candidates: [candidate], servable });
  }
  return [...byKey.values()].flatMap(({ candidates, servable }) => {
    candidates.sort(inFixedOrder);
    const [representative] = candidates;
    const from = representative?.node.partition;
    return representative && from ? [classOf(candidates, representative, from, servable)] : [];
  });
}

function classOf(
  candidates: readonly CandidateNode[],
  representative: CandidateNode,
  from: Partition,
  servable: ReadonlyMap<DemandClass, number>,
): NodeClass {
  return {
    candidates,
    representative,
    from,
    servable: [...servable.keys()],
    maxPods: new Map([...servable].map(([each, pods]) => [each.index, Math.min(representative.room(each), pods)])),
    idle: representative.idle,
    canReshare: canReshareOn(representative),
    idleMigGpus: idleMigGpusOn(representative, from),
    coolingDown: representative.node.cooldownMs > 0,
  };
}

function canReshareOn({ held }: CandidateNode): boolean {
  return (held.get(WHOLE_GPU) ?? 0) === 0 && (held.get(SHARED_GPU) ?? 0) === 0;
}

function idleMigGpusOn({ held }: CandidateNode, { layouts }: Partition): number[] {
  const isHeld = (profile: string) => (held.get(migResource(profile)) ?? 0) > 0;
  return [...layouts.keys()].filter((gpu) => {
    const layout = layouts[gpu];
    return layout !== undefined && !Object.keys(layout).some(isHeld);
  });
}

/** Whether some change of the node would harm no pod. */
function mayChange(candidate: CandidateNode, from: Partition): boolean {
  return (
    candidate.idle ||
    (canReshareOn(candidate) && from.layouts.includes(undefined)) ||
    idleMigGpusOn(candidate, from).length > 0
  );
}

/** Whether some change of such a node that harms no pod could make room for pods of the class. */
export function couldMakeRoom(
  { representative, from, servable, idle, canReshare, idleMigGpus }: NodeClass,
  demandClass: DemandClass,
): boolean {
  if (!servable.includes(demandClass)) return false;
  if (idle) return true;
  const withoutMig = from.layouts.filter((layout) => layout === undefined).length;
  return modesFor(demandClass, representative.type, representative.gpus).some((mode) => {
    if (!representative.node.modes.has(mode)) return false;
    if (mode === 'mig') return idleMigGpus.length > 0;
    if (mode === 'mps' && withoutMig < from.layouts.length) return false;
    return canReshare && withoutMig > 0;
  });
}
