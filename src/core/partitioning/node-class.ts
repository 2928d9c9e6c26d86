/** Nodes that are alike for a plan: whatever is thought out for one of them is so for all. */

import { migResource, SHARED_GPU, WHOLE_GPU } from '../resources.ts';
import type { SharingMode } from '../sharing-mode.ts';
import { type CandidateNode, inFixedOrder } from './candidate-node.ts';
import { type DemandClass, modesFor, mostPods } from './demand-class.ts';
import type { Partition } from './partition.ts';

export interface NodeClass {
  /** In the order in which they are used. */
  readonly sites: readonly CandidateNode[];
  /** Any of them: what is asked of one is true for all. */
  readonly representative: CandidateNode;
  readonly from: Partition;
  /** What was asked that it could hold in a mode that may be made of it, were it free. */
  readonly could: readonly DemandClass[];
  /** By index of what was asked: pods of it that one of the nodes could hold at most. */
  readonly most: ReadonlyMap<number, number>;
  /** Nobody holds any GPU: MIG may be switched on and off. */
  readonly idle: boolean;
  /** Nobody holds a GPU without MIG, or a slot of one: how they are shared may change. */
  readonly reshares: boolean;
  /** By index: GPUs with MIG none of whose instances is held, as far as one can know. */
  readonly idleMigGpus: readonly number[];
  readonly coolingDown: boolean;
}

const MODES: readonly SharingMode[] = ['exclusive', 'mig', 'mps', 'timeslicing'];

/** Classes of the nodes whose partition is known and that are not on their way to another. */
export function classesOf(sites: readonly CandidateNode[], asked: readonly DemandClass[]): NodeClass[] {
  const byKey = new Map<string, { sites: CandidateNode[]; could: Map<DemandClass, number> }>();
  const suited = new Map<string, Map<DemandClass, number>>();
  for (const site of sites) {
    const { partition, modes, onlyRecommend, inventory, cooldownMs } = site.node;
    if (!partition || !site.changeable || !mayChange(site, partition)) continue;
    const allowed = MODES.filter((mode) => modes.has(mode));
    const { product, gpuMiB, gpus, oversubscribe = false } = inventory;
    const kind = `${product} ${gpuMiB} ${oversubscribe} ${gpus} ${allowed.join()}`;
    let suits = suited.get(kind);
    if (!suits) {
      const may = (each: DemandClass) => modesFor(each, site.type, site.gpus).some((mode) => modes.has(mode));
      suits = new Map(asked.filter(may).map((each) => [each, mostPods(each, site.type, site.gpus)]));
      suited.set(kind, suits);
    }
    const could = new Map([...suits].filter(([each]) => site.room(each) > 0));
    if (could.size === 0) continue;
    const held = [...site.held].filter(([, slots]) => slots > 0).sort();
    const key = JSON.stringify([
      kind,
      partition.sharing?.mode,
      partition.sharing?.replicas,
      partition.layouts.map((layout) => layout ?? null),
      held,
      allowed.map((mode) => onlyRecommend(mode) ?? null),
      cooldownMs > 0,
      site.roomLeft,
      [...could.keys()].map((each) => [each.index, site.room(each)]),
    ]);
    const same = byKey.get(key);
    if (same) same.sites.push(site);
    else byKey.set(key, { sites: [site], could });
  }
  return [...byKey.values()].flatMap(({ sites, could }) => {
    sites.sort(inFixedOrder);
    const [representative] = sites;
    const from = representative?.node.partition;
    return representative && from ? [classOf(sites, representative, from, could)] : [];
  });
}

function classOf(
  sites: readonly CandidateNode[],
  representative: CandidateNode,
  from: Partition,
  could: ReadonlyMap<DemandClass, number>,
): NodeClass {
  return {
    sites,
    representative,
    from,
    could: [...could.keys()],
    most: new Map([...could].map(([each, pods]) => [each.index, Math.min(representative.room(each), pods)])),
    idle: representative.idle,
    reshares: reshareable(representative),
    idleMigGpus: movableOn(representative, from),
    coolingDown: representative.node.cooldownMs > 0,
  };
}

function reshareable({ held }: CandidateNode): boolean {
  return (held.get(WHOLE_GPU) ?? 0) === 0 && (held.get(SHARED_GPU) ?? 0) === 0;
}

function movableOn({ held }: CandidateNode, { layouts }: Partition): number[] {
  const isHeld = (profile: string) => (held.get(migResource(profile)) ?? 0) > 0;
  return [...layouts.keys()].filter((gpu) => {
    const layout = layouts[gpu];
    return layout !== undefined && !Object.keys(layout).some(isHeld);
  });
}

/** Some change of it would harm nobody. */
function mayChange(site: CandidateNode, from: Partition): boolean {
  return site.idle || (reshareable(site) && from.layouts.includes(undefined)) || movableOn(site, from).length > 0;
}

/** Whether some change of such a node that harms nobody could make room for the pod. */
export function couldMakeRoom(
  { representative, from, could, idle, reshares, idleMigGpus }: NodeClass,
  asked: DemandClass,
): boolean {
  if (!could.includes(asked)) return false;
  if (idle) return true;
  const withoutMig = from.layouts.filter((layout) => layout === undefined).length;
  return modesFor(asked, representative.type, representative.gpus).some((mode) => {
    if (!representative.node.modes.has(mode)) return false;
    if (mode === 'mig') return idleMigGpus.length > 0;
    if (mode === 'mps' && withoutMig < from.layouts.length) return false;
    return reshares && withoutMig > 0;
  });
}
