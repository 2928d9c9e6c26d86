/** What a node could become for pods that want room: the partitions that deserve a closer look. */

import { SHARED_GPU, WHOLE_GPU } from '../resources.ts';
import { REPLICA_MODES } from '../sharing-mode.ts';
import { type DemandClass, maxReplicasOn } from './demand-class.ts';
import { kindOf } from './gpu-type.ts';
import type { NodeClass } from './node-class.ts';
import type { GpuLayout, Partition, Sharing } from './partition.ts';

/** Pods that want room: their demand class, and how many they are. */
export type Wanted = readonly (readonly [demandClass: DemandClass, pods: number])[];

/**
 * Partitions of such a node that might make room for some of the pods.
 * @param thorough all numbers of GPUs with MIG, not only none and as many as there is use for
 */
export function* partitionsOf(nodeClass: NodeClass, wanted: Wanted, thorough: boolean): Generator<Partition> {
  for (const tiers of tiersOf(nodeClass, wanted, thorough)) yield* partitionsWith(nodeClass, wanted, tiers, thorough);
}

/** @param tiers instances wanted of each kind, by what goes first */
function* partitionsWith(
  nodeClass: NodeClass,
  wanted: Wanted,
  tiers: readonly (readonly number[])[],
  thorough: boolean,
): Generator<Partition> {
  const { from, representative } = nodeClass;
  const layoutsFor = (gpus: number): readonly GpuLayout[] => representative.type.mig?.layouts(tiers, gpus) ?? [];
  for (const { sharing, changes } of sharingChoices(nodeClass, wanted)) {
    for (const off of switchedOff(nodeClass, wanted, sharing)) {
      const open = openFor(nodeClass, sharing, off);
      const layoutsOfAll = tiers.length === 0 ? [] : layoutsFor(open.length);
      for (let gpus = changes || off > 0 ? 0 : 1; gpus <= layoutsOfAll.length; gpus += 1) {
        if (!thorough && gpus !== 0 && gpus !== layoutsOfAll.length) continue;
        const layouts = [...from.layouts];
        for (const gpu of withMig(from).slice(0, off)) layouts[gpu] = undefined;
        for (const [i, layout] of (gpus === layoutsOfAll.length ? layoutsOfAll : layoutsFor(gpus)).entries()) {
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

/** A way in which GPUs without MIG may be shared. */
interface SharingChoice {
  readonly sharing: Sharing | undefined;
  /** Whether they are shared in another way now. */
  readonly changes: boolean;
}

/** Ways in which the GPUs without MIG may be shared: as now, not at all, and with as many slots as suit some of the pods. */
function sharingChoices({ from, representative, canReshare }: NodeClass, wanted: Wanted): SharingChoice[] {
  const choices: SharingChoice[] = [{ sharing: from.sharing, changes: false }];
  if (!canReshare) return choices;
  if (from.sharing) choices.push({ sharing: undefined, changes: true });
  for (const mode of REPLICA_MODES) {
    if (!representative.node.modes.has(mode)) continue;
    const counts = new Set(
      wanted.flatMap(([demandClass]) => maxReplicasOn(demandClass, mode, representative.type) ?? []),
    );
    for (const replicas of counts) {
      if (mode === from.sharing?.mode && replicas === from.sharing.replicas) continue;
      choices.push({ sharing: { mode, replicas }, changes: true });
    }
  }
  return choices;
}

/** Numbers of GPUs on which MIG might be switched off. */
function switchedOff({ from, idle }: NodeClass, wanted: Wanted, sharing: Sharing | undefined): number[] {
  const cut = withMig(from).length;
  // The device plugin refuses MPS beside MIG.
  if (sharing?.mode === 'mps') return idle || cut === 0 ? [cut] : [];
  const resource = sharing ? SHARED_GPU : WHOLE_GPU;
  if (!idle || !wanted.some(([demandClass]) => demandClass.resource === resource)) return [0];
  return Array.from({ length: cut + 1 }, (_, off) => off);
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
  const uncut = [...from.layouts.keys()].filter((gpu) => !cut.includes(gpu)).reverse();
  return [...kept, ...(representative.node.keepsWholeGpu ? uncut.slice(0, -1) : uncut)];
}

/**
 * Instances wanted of each kind, by what goes first: as priorities say, and, if thorough, also with each demand in front
 * of all others. Layouts are planned by slices, in which pods of one instance and pods of two are alike.
 */
function tiersOf({ representative, maxPods }: NodeClass, wanted: Wanted, thorough: boolean): number[][][] {
  const { mig } = representative.type;
  const instances = wanted.flatMap(([demandClass, pods]) => {
    const kind = kindOf(representative.type, demandClass.resource)?.kind;
    if (kind === undefined) return [];
    return [
      {
        kind,
        rank: demandClass.rank + 1,
        count: Math.min(pods, maxPods.get(demandClass.index) ?? 0) * demandClass.count,
      },
    ];
  });
  if (!mig || instances.length === 0) return [[]];
  const focuses = thorough && instances.length > 1 ? [undefined, ...instances] : [undefined];
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
