/** What can be made of a node for pods that want room: the partitions worth a look. */

import { SHARED_GPU, WHOLE_GPU } from '../resources.ts';
import { REPLICA_MODES } from '../sharing-mode.ts';
import { type DemandClass, mostReplicasOn } from './demand-class.ts';
import { kindOf } from './gpu-type.ts';
import type { NodeClass } from './node-class.ts';
import type { GpuLayout, Partition, Sharing } from './partition.ts';

/** Pods in want of room: what was asked, and how many of them. */
export type Wanted = readonly (readonly [asked: DemandClass, pods: number])[];

/**
 * Partitions of such a node that might make room for some of the pods, and that harm nobody.
 * @param wide all numbers of GPUs with MIG, not only none and as many as there is use for
 */
export function* targetsOf(node: NodeClass, wanted: Wanted, wide: boolean): Generator<Partition> {
  for (const tiers of tiersOf(node, wanted, wide)) yield* targetsWith(node, wanted, tiers, wide);
}

function* targetsWith(
  node: NodeClass,
  wanted: Wanted,
  tiers: readonly (readonly number[])[],
  wide: boolean,
): Generator<Partition> {
  const { from } = node;
  const layoutsFor = (gpus: number): readonly GpuLayout[] => node.representative.type.mig?.layouts(tiers, gpus) ?? [];
  for (const { sharing, changes } of sharingChoices(node, wanted)) {
    for (const off of switchedOff(node, wanted, sharing)) {
      const open = openFor(node, sharing, off);
      const most = tiers.length === 0 ? [] : layoutsFor(open.length);
      for (let gpus = changes || off > 0 ? 0 : 1; gpus <= most.length; gpus += 1) {
        if (!wide && gpus !== 0 && gpus !== most.length) continue;
        const layouts = [...from.layouts];
        for (const gpu of withMig(from).slice(0, off)) layouts[gpu] = undefined;
        for (const [i, layout] of (gpus === most.length ? most : layoutsFor(gpus)).entries()) {
          layouts[open[i] ?? -1] = layout;
        }
        if (!sharing || layouts.includes(undefined)) yield { layouts, sharing };
      }
    }
  }
}

function withMig({ layouts }: Partition): number[] {
  return [...layouts.keys()].filter((gpu) => layouts[gpu] !== undefined);
}

interface SharingChoice {
  readonly sharing: Sharing | undefined;
  /** Another than now. */
  readonly changes: boolean;
}

/** How the GPUs without MIG may be shared: as now, not at all, and with as many slots as suit some of the pods. */
function sharingChoices({ from, representative, reshares }: NodeClass, wanted: Wanted): SharingChoice[] {
  const ways: SharingChoice[] = [{ sharing: from.sharing, changes: false }];
  if (!reshares) return ways;
  if (from.sharing) ways.push({ sharing: undefined, changes: true });
  for (const mode of REPLICA_MODES) {
    if (!representative.node.modes.has(mode)) continue;
    const counts = new Set(wanted.flatMap(([asked]) => mostReplicasOn(asked, mode, representative.type) ?? []));
    for (const replicas of counts) {
      if (mode === from.sharing?.mode && replicas === from.sharing.replicas) continue;
      ways.push({ sharing: { mode, replicas }, changes: true });
    }
  }
  return ways;
}

/** How many of the GPUs with MIG might be switched back. */
function switchedOff({ from, idle }: NodeClass, wanted: Wanted, sharing: Sharing | undefined): number[] {
  const there = withMig(from).length;
  // The device plugin refuses MPS beside MIG.
  if (sharing?.mode === 'mps') return idle || there === 0 ? [there] : [];
  const resource = sharing ? SHARED_GPU : WHOLE_GPU;
  if (!idle || !wanted.some(([asked]) => asked.resource === resource)) return [0];
  return Array.from({ length: there + 1 }, (_, off) => off);
}

/** GPUs that might get another layout: those with MIG first, then from the end, as whole ones are expected in front. */
function openFor(
  { from, representative, idle, idleMigGpus }: NodeClass,
  sharing: Sharing | undefined,
  off: number,
): number[] {
  if (sharing?.mode === 'mps' || !representative.node.modes.has('mig')) return [];
  const cut = withMig(from);
  const kept = cut.slice(off).filter((gpu) => idleMigGpus.includes(gpu));
  if (!idle) return kept;
  return [...kept, ...[...from.layouts.keys()].filter((gpu) => !cut.includes(gpu)).reverse()];
}

/**
 * Instances wanted of each kind, by what goes first: as priorities say, and, if wide, also with each demand in front of
 * all others. Layouts are planned by slices, which do not tell pods apart that take one instance from pods that take two.
 */
function tiersOf({ representative, most }: NodeClass, wanted: Wanted, wide: boolean): number[][][] {
  const { mig } = representative.type;
  const instances = wanted.flatMap(([asked, pods]) => {
    const kind = kindOf(representative.type, asked.resource)?.kind;
    if (kind === undefined) return [];
    return [{ kind, rank: asked.rank + 1, count: Math.min(pods, most.get(asked.index) ?? 0) * asked.count }];
  });
  if (!mig || instances.length === 0) return [[]];
  const focuses = wide && instances.length > 1 ? [undefined, ...instances] : [undefined];
  return focuses.map((focus) => {
    const tiers: number[][] = [];
    for (const each of instances) {
      const rank = each === focus ? 0 : each.rank;
      while (tiers.length <= rank) tiers.push(mig.nothing());
      const tier = tiers[rank] ?? [];
      tier[each.kind] = (tier[each.kind] ?? 0) + each.count;
    }
    return tiers;
  });
}
