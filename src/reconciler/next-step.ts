/**
 * What is to be done next on one node, from nothing but what the API server shows and how long that has been so. Each
 * step is one write; after it, or after a restart anywhere in between, the same question is asked again.
 */

import { tryAgain } from '../api/config-name.ts';
import { GFD, NODE, TRIGGERS } from '../api/keys.ts';
import { disturbed, type Partition, samePartition } from '../core/partitioning/partition.ts';
import { ANYTHING, type GpuPod } from '../state/gpu-pods.ts';
import {
  agreement,
  currentPartition,
  type LastApplied,
  type ObservedNode,
  offers,
  type Transition,
  UNREADABLE,
} from '../state/observed-node.ts';
import { cannotDrain, changing, names, notReadyReason, queued, ready, seconds, TRIED_AGAIN } from './phase-status.ts';
import type { DesiredState, NodePatch, NodeSituation, PhaseStatus, Step } from './step.ts';
import { drift, isApplied, isReapplied, resumed, transitionTo } from './transitions.ts';

/** NVIDIA's components are told so often, then it is given up. */
const ATTEMPTS = 3;

/** Of a node; the time in it is what deadlines are measured by. */
export function phaseOf(node: ObservedNode): string {
  const { transition, lastApplied } = node;
  if (!transition && lastApplied?.failed) return `failed ${lastApplied.plugin} ${lastApplied.mig}`;
  if (!transition) return isLost(node) ? 'lost' : 'rest';
  const names = `${transition.plugin} ${transition.mig}`;
  return isApplied(node, transition) ? `told ${names} ${node.migState}` : `marked ${names}`;
}

export function nextStep(situation: NodeSituation): Step {
  return situation.node.transition ? underWay(situation, situation.node.transition) : atRest(situation);
}

function atRest(situation: NodeSituation): Step {
  const { node, desired, elapsed, times } = situation;
  const { lastApplied } = node;
  if (!desired) return nothing(undefined);
  const isNew = lastApplied?.config !== desired.config || lastApplied.generation !== desired.generation;
  const isWanted = lastApplied
    ? samePartition(lastApplied.partition, desired.partition)
    : agreement(node, desired.partition) === 'full';
  if (!isWanted) return begin(situation, desired);
  if (!lastApplied) return nothing(ready(node, desired.partition));
  const edit = drift(node, lastApplied);
  if (edit !== undefined) {
    if (isNew) return begin(situation, desired);
    return nothing({ phase: 'Failed', reason: 'ForeignEdit', message: edit });
  }
  if (!lastApplied.failed && isLost(node)) return lost(situation, desired, isNew);
  if (!lastApplied.failed) return isNew ? adopt(node, desired, lastApplied) : nothing(ready(node, desired.partition));
  // An edit that is there no more has been taken back: what it broke off is done now.
  if (isNew || lastApplied.failed.reason === 'ForeignEdit' || elapsed >= times.retry) return begin(situation, desired);
  return nothing({ phase: 'Failed', ...lastApplied.failed }, times.retry - elapsed);
}

/** What was told and offered once is offered no more, and not for want of a few slots. */
function isLost(node: ObservedNode): boolean {
  return node.lastApplied !== undefined && offers(node, node.lastApplied.partition) === 'no';
}

/** A plugin may be on its way up; where mig-manager has failed, or somebody asks again, that is not waited for. */
function lost(situation: NodeSituation, target: DesiredState, isNew: boolean): Step {
  const { node, elapsed, times } = situation;
  const hasFailed = node.lastApplied?.mig !== undefined && node.migState === 'failed';
  if (isNew || hasFailed || elapsed >= times.pluginDeadline) return begin(situation, target);
  return nothing(ready(node, target.partition), times.pluginDeadline - elapsed);
}

/** It is so already, by another wish: who edits the labels from now on edits what this one wants. */
function adopt(node: ObservedNode, { config, generation, partition }: DesiredState, told: LastApplied): Step {
  const patch = { annotations: { [NODE.partition]: JSON.stringify({ ...told, config, generation }) } };
  return { do: 'patch', doing: 'adopt', patch, phaseStatus: ready(node, partition) };
}

function begin(situation: NodeSituation, target: DesiredState): Step {
  const { node, mayBegin } = situation;
  const hindered = blocker(situation, target);
  if (hindered) return hindered;
  const drains = target.whenBusy === 'Drain' && blockers(situation, target.partition).length > 0;
  if (!mayBegin) {
    const message = 'waits for its turn: as many nodes are changing as reconciler.maxInTransition allows';
    return nothing({ phase: 'Pending', reason: 'Queued', message });
  }
  const cordoned = drains && !node.cordoned;
  const mark = transitionTo(node, target, { cordoned, attempt: 0, repairs: [], isLost: isLost(node) });
  // A ConfigMap that cannot be used must not keep the node from its pods.
  if (ageOfConfigs(situation, mark) === undefined) return writeConfigs(mark, target);
  const patch = {
    annotations: { [NODE.transition]: JSON.stringify(mark) },
    ...(cordoned && { unschedulable: true as const }),
  };
  return {
    do: 'patch',
    doing: 'begin',
    patch,
    phaseStatus: changing(mark, 'Marked', 'nobody is placed on it any more'),
  };
}

function writeConfigs(mark: Transition, target: DesiredState): Step {
  const plugin = { ...target.plugin, name: mark.plugin };
  const mig = mark.mig === undefined ? undefined : { ...target.mig, name: mark.mig };
  const phaseStatus = changing(mark, 'WritingKeys', 'the configuration is being written');
  return { do: 'write-keys', plugin, mig, phaseStatus };
}

/** Pods that the node must not be taken from, for now. */
function blocker(situation: NodeSituation, target: DesiredState): Step | undefined {
  const { drainGivenUp, times } = situation;
  const busy = blockers(situation, target.partition);
  if (busy.length === 0) return undefined;
  const drains = target.whenBusy === 'Drain';
  if (!drains || drainGivenUp) return nothing(notReadyReason(busy, drains), drains ? times.retry : undefined);
  const staying = busy.filter(({ nonEvictableReason }) => nonEvictableReason !== undefined);
  return staying.length > 0 ? nothing(cannotDrain(staying)) : undefined;
}

function underWay(situation: NodeSituation, mark: Transition): Step {
  const { node, desired } = situation;
  if (mark.config === '') return end(node, UNREADABLE, 'abort', undefined, desired && queued());
  if (isApplied(node, mark)) return whenApplied(situation, mark);
  if (!desired) return rollback(node, mark, undefined);
  if (!samePartition(mark.partition, desired.partition)) return retarget(node, mark, desired);

  const busy = isReapplied(node, mark) ? [] : blockers(situation, desired.partition);
  if (busy.length > 0 && desired.whenBusy === 'Wait') return rollback(node, mark, notReadyReason(busy, false));
  if (ageOfConfigs(situation, mark) === undefined) return writeConfigs(mark, desired);
  if (busy.length > 0) return drain(situation, mark, desired, busy);
  return waitAndApply(situation, mark);
}

function retarget(node: ObservedNode, mark: Transition, target: DesiredState): Step {
  const { cordoned, repairs } = mark;
  const next = transitionTo(node, target, { cordoned, repairs, attempt: 0 });
  const patch = { annotations: { [NODE.transition]: JSON.stringify(next) } };
  return { do: 'patch', doing: 'retarget', patch, phaseStatus: changing(next, 'Marked', 'the wish has changed') };
}

function drain(
  { node, elapsed, times }: NodeSituation,
  mark: Transition,
  { drainMs }: DesiredState,
  busy: readonly GpuPod[],
): Step {
  const staying = busy.filter(({ nonEvictableReason }) => nonEvictableReason !== undefined);
  if (staying.length > 0) return rollback(node, mark, cannotDrain(staying));
  if (elapsed >= drainMs) {
    const message = `not drained within ${drainMs / 1000} s, the node is given back: ${names(busy)} did not go; ${TRIED_AGAIN}`;
    return rollback(node, mark, { phase: 'Failed', reason: 'DrainTimeout', message });
  }
  const phaseStatus = changing(mark, 'Draining', `evicting ${names(busy)}`);
  const pods = busy.filter(({ terminating }) => !terminating);
  return { do: 'evict', pods, wakeMs: Math.min(times.evict, drainMs - elapsed), phaseStatus };
}

function waitAndApply(situation: NodeSituation, mark: Transition): Step {
  const { node, elapsed, times } = situation;
  const age = ageOfConfigs(situation, mark) ?? 0;
  const left = Math.max(times.settle - elapsed, times.propagation - age);
  if (left > 0) {
    const what = times.propagation > age ? 'the configuration is on its way to the node' : 'what is under way arrives';
    return nothing(changing(mark, 'Propagating', what), left);
  }
  const { attempt: _, cordoned: __, ...told } = mark;
  const touchesMig = mark.mig !== undefined && node.mig !== mark.mig;
  const patch: NodePatch = {
    labels: {
      [TRIGGERS.plugin]: mark.plugin,
      // What it said of the last run would be taken for this one's.
      ...(touchesMig && { [TRIGGERS.mig]: mark.mig ?? null, [GFD.migConfigState]: null }),
    },
    annotations: { [NODE.partition]: JSON.stringify(told) },
  };
  return { do: 'patch', doing: 'tell', patch, phaseStatus: changing(mark, 'Told', "NVIDIA's components are told") };
}

/** The youngest of its names; undefined if one is missing. */
function ageOfConfigs({ age }: NodeSituation, { plugin, mig }: Transition): number | undefined {
  const ages = [age('plugin', plugin), ...(mig === undefined ? [] : [age('mig', mig)])];
  return ages.reduce((least, each) => (least === undefined || each === undefined ? undefined : Math.min(least, each)));
}

function whenApplied(situation: NodeSituation, mark: Transition): Step {
  const { node, desired, elapsed, times } = situation;
  const edit = drift(node, mark);
  if (edit !== undefined) {
    return end(
      node,
      mark,
      'fail',
      { reason: 'ForeignEdit', message: edit },
      { phase: 'Failed', reason: 'ForeignEdit', message: edit },
    );
  }
  const atWork = node.migState === 'pending' || node.migState === 'rebooting';
  const isOther = desired && !samePartition(mark.partition, desired.partition);
  // What could not begin would only come back to this.
  if (isOther && !(mark.mig !== undefined && atWork) && !blocker(situation, desired)) {
    return retarget(node, mark, desired);
  }
  if (mark.mig !== undefined && node.migState !== 'success') {
    if (node.migState === 'failed') return again(situation, mark, 'mig', 'MigFailed', 'mig-manager reports failed');
    if (elapsed < times.migDeadline) {
      const doing = node.migState === 'rebooting' ? 'the node reboots for MIG' : 'mig-manager is at work';
      return nothing(changing(mark, 'Partitioning', doing), times.migDeadline - elapsed);
    }
    const state = node.migState === undefined ? 'has not begun' : `is still ${node.migState}`;
    return again(situation, mark, 'mig', 'MigStuck', `mig-manager ${state} after ${seconds(times.migDeadline)}`);
  }
  if (agreement(node, mark.partition) === 'full') {
    // It may be what there was before: config-manager needs a moment to notice that it is told.
    if (elapsed < times.settle) return nothing(changing(mark, 'Registering', 'it settles'), times.settle - elapsed);
    return end(node, mark, 'finish', undefined, ready(node, mark.partition));
  }
  if (elapsed < times.pluginDeadline) {
    const doing =
      offers(node, mark.partition) === 'no'
        ? 'the device plugin registers anew'
        : 'GPU Feature Discovery has to label what is offered';
    return nothing(changing(mark, 'Registering', doing), times.pluginDeadline - elapsed);
  }
  const offered = offers(node, mark.partition);
  // An unhealthy GPU: the labels say what was told. No GPU Feature Discovery: all is offered, and being told once more has
  // changed nothing; before that, as many slots may be those of the partition before.
  const isThere = agreement(node, mark.partition) === 'partial' || (offered === 'full' && mark.attempt > 0);
  if (isThere) return end(node, mark, 'finish', undefined, ready(node, mark.partition));
  const late = offered === 'full' ? 'the labels still say otherwise' : 'the device plugin does not offer it';
  return again(situation, mark, 'plugin', 'PluginStuck', `${late} after ${seconds(times.pluginDeadline)}`);
}

/** Tells the component once more, under another name, and mends what it has left behind; or gives up. */
function again(
  { node }: NodeSituation,
  mark: Transition,
  component: 'plugin' | 'mig',
  reason: string,
  why: string,
): Step {
  const attempt = mark.attempt + 1;
  const repairs = [...mark.repairs, `${reason}: ${why}`].slice(-ATTEMPTS);
  if (attempt >= ATTEMPTS) {
    const message = `${why}; told ${ATTEMPTS} times in vain: see its log on the node`;
    const failed = { reason, message };
    return end(node, { ...mark, repairs }, 'fail', failed, { phase: 'Failed', ...failed });
  }
  const next: Transition = {
    ...mark,
    attempt,
    repairs,
    ...(component === 'plugin' && { plugin: tryAgain(mark.plugin) }),
    ...(component === 'mig' && mark.mig !== undefined && { mig: tryAgain(mark.mig) }),
  };
  const patch = { labels: resumed(node), annotations: { [NODE.transition]: JSON.stringify(next) } };
  return {
    do: 'patch',
    doing: 'repair',
    patch,
    phaseStatus: changing(next, 'Repairing', `${why}: it is told once more`),
  };
}

/** Takes the mark away: pods that were refused for it are tried again, since an annotation has changed. */
function end(
  node: ObservedNode,
  mark: Transition,
  doing: 'finish' | 'abort' | 'fail',
  failed: LastApplied['failed'],
  phaseStatus: PhaseStatus | undefined,
): Step {
  const { attempt: _, cordoned, ...told } = mark;
  const record = doing === 'abort' ? undefined : { ...told, ...(failed && { failed }) };
  const patch: NodePatch = {
    ...(doing === 'fail' && { labels: resumed(node) }),
    annotations: { [NODE.transition]: null, ...(record && { [NODE.partition]: JSON.stringify(record) }) },
    ...(cordoned && { unschedulable: null }),
  };
  return { do: 'patch', doing, patch, phaseStatus };
}

/** Nobody was told of this mark; but what they were told before it may not have come true yet: that is seen to its end. */
function rollback(node: ObservedNode, mark: Transition, phaseStatus: PhaseStatus | undefined): Step {
  const { lastApplied } = node;
  const isCut = lastApplied?.mig === undefined || node.migState === 'success';
  const isUnfinished =
    lastApplied &&
    !lastApplied.failed &&
    drift(node, lastApplied) === undefined &&
    !(isCut && agreement(node, lastApplied.partition) !== 'no');
  if (!isUnfinished) return end(node, mark, 'abort', undefined, phaseStatus);
  const { attempt, repairs, cordoned } = mark;
  const before: Transition = { ...lastApplied, attempt, repairs, cordoned };
  const patch = { annotations: { [NODE.transition]: JSON.stringify(before) } };
  return { do: 'patch', doing: 'retarget', patch, phaseStatus };
}

function blockers({ node, gpuPods }: NodeSituation, partition: Partition): GpuPod[] {
  const resources = disturbed(currentPartition(node), partition);
  return gpuPods.filter(
    (holder) =>
      resources === 'all' ||
      Object.keys(holder.resources).some((resource) => resource === ANYTHING || resources.has(resource)),
  );
}

function nothing(phaseStatus: PhaseStatus | undefined, wakeMs?: number): Step {
  return { do: 'nothing', phaseStatus, wakeMs };
}
