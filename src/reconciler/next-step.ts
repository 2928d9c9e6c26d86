/**
 * What is to be done next on one node, from nothing but what the API server shows and how long that has been so. Each
 * step is one write; after it, or after a restart anywhere in between, the same question is asked again.
 */

import { GFD, NODE, TRIGGERS } from '../api/keys.ts';
import { disturbed, type Partition, samePartition } from '../core/partition.ts';
import { tryAgain } from './keys.ts';
import { foreignEdit, isTold, isToldMore, markFor, resumed } from './marks.ts';
import {
  agreement,
  currentPartition,
  type Mark,
  type ObservedNode,
  offers,
  type Told,
  UNREADABLE,
} from './observed.ts';
import { cannotDrain, changing, names, queued, ready, seconds, TRIED_AGAIN, waitsFor } from './standings.ts';
import {
  ANYTHING,
  type Holder,
  type NodePatch,
  type Situation,
  type Standing,
  type Step,
  type Target,
} from './step.ts';

/** NVIDIA's components are told so often, then it is given up. */
const ATTEMPTS = 3;

/** Of a node; the time in it is what deadlines are measured by. */
export function phaseOf(node: ObservedNode): string {
  const { mark, told } = node;
  if (!mark && told?.failed) return `failed ${told.plugin} ${told.mig}`;
  if (!mark) return isLost(node) ? 'lost' : 'rest';
  const names = `${mark.plugin} ${mark.mig}`;
  return isTold(node, mark) ? `told ${names} ${node.migState}` : `marked ${names}`;
}

export function nextStep(situation: Situation): Step {
  return situation.node.mark ? underWay(situation, situation.node.mark) : atRest(situation);
}

function atRest(situation: Situation): Step {
  const { node, target, elapsed, times } = situation;
  const { told } = node;
  if (!target) return nothing(undefined);
  const isNew = told?.config !== target.config || told.generation !== target.generation;
  const isWanted = told
    ? samePartition(told.partition, target.partition)
    : agreement(node, target.partition) === 'full';
  if (!isWanted) return begin(situation, target);
  if (!told) return nothing(ready(node, target.partition));
  const edit = foreignEdit(node, told);
  if (edit !== undefined) {
    if (isNew) return begin(situation, target);
    return nothing({ phase: 'Failed', reason: 'ForeignEdit', message: edit });
  }
  if (!told.failed && isLost(node)) return lost(situation, target, isNew);
  if (!told.failed) return isNew ? adopt(node, target, told) : nothing(ready(node, target.partition));
  // An edit that is there no more has been taken back: what it broke off is done now.
  if (isNew || told.failed.reason === 'ForeignEdit' || elapsed >= times.retry) return begin(situation, target);
  return nothing({ phase: 'Failed', ...told.failed }, times.retry - elapsed);
}

/** What was told and offered once is offered no more, and not for want of a few slots. */
function isLost(node: ObservedNode): boolean {
  return node.told !== undefined && offers(node, node.told.partition) === 'no';
}

/** A plugin may be on its way up; where mig-manager has failed, or somebody asks again, that is not waited for. */
function lost(situation: Situation, target: Target, isNew: boolean): Step {
  const { node, elapsed, times } = situation;
  const hasFailed = node.told?.mig !== undefined && node.migState === 'failed';
  if (isNew || hasFailed || elapsed >= times.pluginDeadline) return begin(situation, target);
  return nothing(ready(node, target.partition), times.pluginDeadline - elapsed);
}

/** It is so already, by another wish: who edits the labels from now on edits what this one wants. */
function adopt(node: ObservedNode, { config, generation, partition }: Target, told: Told): Step {
  const patch = { annotations: { [NODE.partition]: JSON.stringify({ ...told, config, generation }) } };
  return { do: 'patch', doing: 'adopt', patch, standing: ready(node, partition) };
}

function begin(situation: Situation, target: Target): Step {
  const { node, mayBegin } = situation;
  const hindered = hindrance(situation, target);
  if (hindered) return hindered;
  const drains = target.whenBusy === 'Drain' && blockers(situation, target.partition).length > 0;
  if (!mayBegin) {
    const message = 'waits for its turn: as many nodes are changing as reconciler.maxInTransition allows';
    return nothing({ phase: 'Pending', reason: 'Queued', message });
  }
  const cordoned = drains && !node.cordoned;
  const mark = markFor(node, target, { cordoned, attempt: 0, repairs: [], isLost: isLost(node) });
  // A ConfigMap that cannot be used must not keep the node from its pods.
  if (ageOfKeys(situation, mark) === undefined) return writeKeys(mark, target);
  const patch = {
    annotations: { [NODE.transition]: JSON.stringify(mark) },
    ...(cordoned && { unschedulable: true as const }),
  };
  return { do: 'patch', doing: 'begin', patch, standing: changing(mark, 'Marked', 'nobody is placed on it any more') };
}

function writeKeys(mark: Mark, target: Target): Step {
  const plugin = { ...target.plugin, name: mark.plugin };
  const mig = mark.mig === undefined ? undefined : { ...target.mig, name: mark.mig };
  const standing = changing(mark, 'WritingKeys', 'the configuration is being written');
  return { do: 'write-keys', plugin, mig, standing };
}

/** Pods that the node must not be taken from, for now. */
function hindrance(situation: Situation, target: Target): Step | undefined {
  const { drainGivenUp, times } = situation;
  const busy = blockers(situation, target.partition);
  if (busy.length === 0) return undefined;
  const drains = target.whenBusy === 'Drain';
  if (!drains || drainGivenUp) return nothing(waitsFor(busy, drains), drains ? times.retry : undefined);
  const staying = busy.filter(({ stays }) => stays !== undefined);
  return staying.length > 0 ? nothing(cannotDrain(staying)) : undefined;
}

function underWay(situation: Situation, mark: Mark): Step {
  const { node, target } = situation;
  if (mark.config === '') return end(node, UNREADABLE, 'abort', undefined, target && queued());
  if (isTold(node, mark)) return whenTold(situation, mark);
  if (!target) return giveBack(node, mark, undefined);
  if (!samePartition(mark.partition, target.partition)) return retarget(node, mark, target);

  const busy = isToldMore(node, mark) ? [] : blockers(situation, target.partition);
  if (busy.length > 0 && target.whenBusy === 'Wait') return giveBack(node, mark, waitsFor(busy, false));
  if (ageOfKeys(situation, mark) === undefined) return writeKeys(mark, target);
  if (busy.length > 0) return drain(situation, mark, target, busy);
  return waitAndTell(situation, mark);
}

function retarget(node: ObservedNode, mark: Mark, target: Target): Step {
  const { cordoned, repairs } = mark;
  const next = markFor(node, target, { cordoned, repairs, attempt: 0 });
  const patch = { annotations: { [NODE.transition]: JSON.stringify(next) } };
  return { do: 'patch', doing: 'retarget', patch, standing: changing(next, 'Marked', 'the wish has changed') };
}

function drain({ node, elapsed, times }: Situation, mark: Mark, { drainMs }: Target, busy: readonly Holder[]): Step {
  const staying = busy.filter(({ stays }) => stays !== undefined);
  if (staying.length > 0) return giveBack(node, mark, cannotDrain(staying));
  if (elapsed >= drainMs) {
    const message = `not drained within ${drainMs / 1000} s, the node is given back: ${names(busy)} did not go; ${TRIED_AGAIN}`;
    return giveBack(node, mark, { phase: 'Failed', reason: 'DrainTimeout', message });
  }
  const standing = changing(mark, 'Draining', `evicting ${names(busy)}`);
  const pods = busy.filter(({ terminating }) => !terminating);
  return { do: 'evict', pods, wakeMs: Math.min(times.evict, drainMs - elapsed), standing };
}

function waitAndTell(situation: Situation, mark: Mark): Step {
  const { node, elapsed, times } = situation;
  const age = ageOfKeys(situation, mark) ?? 0;
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
  return { do: 'patch', doing: 'tell', patch, standing: changing(mark, 'Told', "NVIDIA's components are told") };
}

/** The youngest of its names; undefined if one is missing. */
function ageOfKeys({ age }: Situation, { plugin, mig }: Mark): number | undefined {
  const ages = [age('plugin', plugin), ...(mig === undefined ? [] : [age('mig', mig)])];
  return ages.reduce((least, each) => (least === undefined || each === undefined ? undefined : Math.min(least, each)));
}

function whenTold(situation: Situation, mark: Mark): Step {
  const { node, target, elapsed, times } = situation;
  const edit = foreignEdit(node, mark);
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
  const isOther = target && !samePartition(mark.partition, target.partition);
  // What could not begin would only come back to this.
  if (isOther && !(mark.mig !== undefined && atWork) && !hindrance(situation, target)) {
    return retarget(node, mark, target);
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
function again({ node }: Situation, mark: Mark, component: 'plugin' | 'mig', reason: string, why: string): Step {
  const attempt = mark.attempt + 1;
  const repairs = [...mark.repairs, `${reason}: ${why}`].slice(-ATTEMPTS);
  if (attempt >= ATTEMPTS) {
    const message = `${why}; told ${ATTEMPTS} times in vain: see its log on the node`;
    const failed = { reason, message };
    return end(node, { ...mark, repairs }, 'fail', failed, { phase: 'Failed', ...failed });
  }
  const next: Mark = {
    ...mark,
    attempt,
    repairs,
    ...(component === 'plugin' && { plugin: tryAgain(mark.plugin) }),
    ...(component === 'mig' && mark.mig !== undefined && { mig: tryAgain(mark.mig) }),
  };
  const patch = { labels: resumed(node), annotations: { [NODE.transition]: JSON.stringify(next) } };
  return { do: 'patch', doing: 'repair', patch, standing: changing(next, 'Repairing', `${why}: it is told once more`) };
}

/** Takes the mark away: pods that were refused for it are tried again, since an annotation has changed. */
function end(
  node: ObservedNode,
  mark: Mark,
  doing: 'finish' | 'abort' | 'fail',
  failed: Told['failed'],
  standing: Standing | undefined,
): Step {
  const { attempt: _, cordoned, ...told } = mark;
  const record = doing === 'abort' ? undefined : { ...told, ...(failed && { failed }) };
  const patch: NodePatch = {
    ...(doing === 'fail' && { labels: resumed(node) }),
    annotations: { [NODE.transition]: null, ...(record && { [NODE.partition]: JSON.stringify(record) }) },
    ...(cordoned && { unschedulable: null }),
  };
  return { do: 'patch', doing, patch, standing };
}

/** Nobody was told of this mark; but what they were told before it may not have come true yet: that is seen to its end. */
function giveBack(node: ObservedNode, mark: Mark, standing: Standing | undefined): Step {
  const { told } = node;
  const isCut = told?.mig === undefined || node.migState === 'success';
  const isUnfinished =
    told &&
    !told.failed &&
    foreignEdit(node, told) === undefined &&
    !(isCut && agreement(node, told.partition) !== 'no');
  if (!isUnfinished) return end(node, mark, 'abort', undefined, standing);
  const { attempt, repairs, cordoned } = mark;
  const before: Mark = { ...told, attempt, repairs, cordoned };
  const patch = { annotations: { [NODE.transition]: JSON.stringify(before) } };
  return { do: 'patch', doing: 'retarget', patch, standing };
}

function blockers({ node, holders }: Situation, partition: Partition): Holder[] {
  const resources = disturbed(currentPartition(node), partition);
  return holders.filter(
    (holder) =>
      resources === 'all' ||
      Object.keys(holder.resources).some((resource) => resource === ANYTHING || resources.has(resource)),
  );
}

function nothing(standing: Standing | undefined, wakeMs?: number): Step {
  return { do: 'nothing', standing, wakeMs };
}
