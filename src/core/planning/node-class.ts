/** Nodes that are alike for a plan: whatever is thought out for one of them is so for all. */

import type { SharingMode } from '../inventory.ts';
import type { Partition } from '../partition.ts';
import { migResource, SHARED_GPU, WHOLE_GPU } from '../resources.ts';
import { type Asked, modesFor, mostPods } from './asked.ts';
import { inFixedOrder, type Site } from './site.ts';

export interface NodeClass {
  /** In the order in which they are used. */
  readonly sites: readonly Site[];
  /** Any of them: what is asked of one is true for all. */
  readonly like: Site;
  readonly from: Partition;
  /** What was asked that it could hold in a mode that may be made of it, were it free. */
  readonly could: readonly Asked[];
  /** By index of what was asked: pods of it that one of the nodes could hold at most. */
  readonly most: ReadonlyMap<number, number>;
  /** Nobody holds any GPU: MIG may be switched on and off. */
  readonly idle: boolean;
  /** Nobody holds a GPU without MIG, or a slot of one: how they are shared may change. */
  readonly reshares: boolean;
  /** By index: GPUs with MIG none of whose instances is held, as far as one can know. */
  readonly movable: readonly number[];
  readonly rests: boolean;
}

const MODES: readonly SharingMode[] = ['exclusive', 'mig', 'mps', 'timeslicing'];

/** Classes of the nodes whose partition is known and that are not on their way to another. */
export function classesOf(sites: readonly Site[], asked: readonly Asked[]): NodeClass[] {
  const byKey = new Map<string, { sites: Site[]; could: Map<Asked, number> }>();
  const suited = new Map<string, Map<Asked, number>>();
  for (const site of sites) {
    const { partition, modes, onlyRecommend, inventory, restMs } = site.node;
    if (!partition || !site.changeable || !mayChange(site, partition)) continue;
    const allowed = MODES.filter((mode) => modes.has(mode));
    const kind = `${inventory.product} ${inventory.gpuMiB} ${inventory.gpus} ${allowed.join()}`;
    let suits = suited.get(kind);
    if (!suits) {
      const may = (each: Asked) => modesFor(each, site.type, site.gpus).some((mode) => modes.has(mode));
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
      restMs > 0,
      site.roomLeft,
      [...could.keys()].map((each) => [each.index, site.room(each)]),
    ]);
    const same = byKey.get(key);
    if (same) same.sites.push(site);
    else byKey.set(key, { sites: [site], could });
  }
  return [...byKey.values()].flatMap(({ sites, could }) => {
    sites.sort(inFixedOrder);
    const [like] = sites;
    const from = like?.node.partition;
    return like && from ? [classOf(sites, like, from, could)] : [];
  });
}

function classOf(sites: readonly Site[], like: Site, from: Partition, could: ReadonlyMap<Asked, number>): NodeClass {
  return {
    sites,
    like,
    from,
    could: [...could.keys()],
    most: new Map([...could].map(([each, pods]) => [each.index, Math.min(like.room(each), pods)])),
    idle: like.idle,
    reshares: reshareable(like),
    movable: movableOn(like, from),
    rests: like.node.restMs > 0,
  };
}

function reshareable({ held }: Site): boolean {
  return (held.get(WHOLE_GPU) ?? 0) === 0 && (held.get(SHARED_GPU) ?? 0) === 0;
}

function movableOn({ held }: Site, { layouts }: Partition): number[] {
  const isHeld = (profile: string) => (held.get(migResource(profile)) ?? 0) > 0;
  return [...layouts.keys()].filter((gpu) => {
    const layout = layouts[gpu];
    return layout !== undefined && !Object.keys(layout).some(isHeld);
  });
}

/** Some change of it would harm nobody. */
function mayChange(site: Site, from: Partition): boolean {
  return site.idle || (reshareable(site) && from.layouts.includes(undefined)) || movableOn(site, from).length > 0;
}

/** Whether some change of such a node that harms nobody could make room for the pod. */
export function couldMakeRoom({ like, from, could, idle, reshares, movable }: NodeClass, asked: Asked): boolean {
  if (!could.includes(asked)) return false;
  if (idle) return true;
  const withoutMig = from.layouts.filter((layout) => layout === undefined).length;
  return modesFor(asked, like.type, like.gpus).some((mode) => {
    if (!like.node.modes.has(mode)) return false;
    if (mode === 'mig') return movable.length > 0;
    if (mode === 'mps' && withoutMig < from.layouts.length) return false;
    return reshares && withoutMig > 0;
  });
}
