/** Why pods find no room. */

import type { SharingMode } from '../sharing-mode.ts';
import type { CandidateNode } from './candidate-node.ts';
import { type DemandClass, modesFor } from './demand-class.ts';
import type { GpuType } from './gpu-type.ts';
import { couldMakeRoom, type NodeClass } from './node-class.ts';
import type { PlanRefusal, RefusalCode } from './plan-input.ts';

/** Refusals and their sentences, from the obstacle that is farthest from a change to the nearest. */
const SENTENCES: readonly (readonly [RefusalCode, (what: string) => string])[] = [
  ['NoGpuHoldsIt', (what) => `no node has GPUs that could be partitioned to hold ${what}`],
  ['NoNodeAllowed', (what) => `nodes that could hold ${what} are ruled out by labels, taints, cpu or memory`],
  [
    'ModeNotAllowed',
    (what) => `nodes that could hold ${what} may not be partitioned so: configuration or nodeSelector`,
  ],
  ['PartitionUnknown', (what) => `how the nodes that could hold ${what} are partitioned is not known`],
  ['ChangeUnderWay', (what) => `nodes that could hold ${what} are being changed already`],
  ['AllBusy', (what) => `to make room for ${what}, GPUs would have to be changed that pods hold`],
  ['Resting', (what) => `nodes that could be changed for ${what} were changed a short while ago`],
  ['OthersFirst', (what) => `GPUs that could be changed for ${what} serve other pods, of which they serve more`],
];
const LEVEL = new Map(SENTENCES.map(([code], level) => [code, level]));

/**
 * Refusals of the pods that found no room: for each class that of the node which comes nearest.
 * @param pods pods of the class that found no room
 * @param classes nodes as they were before the changes
 */
export function refusals(
  demandClasses: readonly DemandClass[],
  pods: (demandClass: DemandClass) => readonly string[],
  candidates: readonly CandidateNode[],
  classes: readonly NodeClass[],
): PlanRefusal[] {
  const classOf = new Map(classes.flatMap((node) => node.candidates.map((candidate) => [candidate, node] as const)));
  return demandClasses.flatMap((each) => {
    const refused = pods(each);
    if (refused.length === 0) return [];
    const byType = new Map<GpuType, SharingMode[][]>();
    const modesOn = ({ type, gpus }: CandidateNode) => {
      const known = byType.get(type) ?? [];
      byType.set(type, known);
      known[gpus] ??= modesFor(each, type, gpus);
      return known[gpus];
    };
    const codes = candidates.map((candidate) => obstacle(each, modesOn(candidate), candidate, classOf.get(candidate)));
    const nearest = codes.reduce((most, code) => Math.max(most, LEVEL.get(code) ?? 0), 0);
    const [code, sentence] = SENTENCES[nearest] ?? ['NoGpuHoldsIt', () => ''];
    return [{ pods: refused, code, why: sentence(describe(each)) }];
  });
}

/** What keeps the node from being changed for pods of the class. @param nodeClass its class, if it is changeable */
function obstacle(
  demandClass: DemandClass,
  modes: readonly SharingMode[],
  candidate: CandidateNode,
  nodeClass: NodeClass | undefined,
): RefusalCode {
  if (modes.length === 0) return 'NoGpuHoldsIt';
  if (candidate.room(demandClass) === 0) return 'NoNodeAllowed';
  if (!modes.some((mode) => candidate.node.modes.has(mode))) return 'ModeNotAllowed';
  if (candidate.changing) return 'ChangeUnderWay';
  if (!candidate.changeable) return 'PartitionUnknown';
  if (!nodeClass || !couldMakeRoom(nodeClass, demandClass)) return 'AllBusy';
  return nodeClass.coolingDown ? 'Resting' : 'OthersFirst';
}

function describe({ resource, count, demand }: DemandClass): string {
  const needs = [
    demand.slotMiB === undefined ? '' : `${demand.slotMiB} MiB`,
    demand.slotMilli === undefined ? '' : `${demand.slotMilli} milli-GPU`,
  ].filter((need) => need !== '');
  const what = count === 1 ? resource : `${count} × ${resource} on one node`;
  return needs.length > 0 ? `${what} with ${needs.join(' and ')} each` : what;
}
