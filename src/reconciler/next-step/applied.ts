/** The rules for a node in transition whose configuration has been applied: NVIDIA's components are at work. */

import { tryAgain } from '../../api/config-name.ts';
import { NODE } from '../../api/keys.ts';
import { samePartition } from '../../core/partitioning/partition.ts';
import { agreement, offers, type Transition } from '../../state/observed-node.ts';
import { changing, foreignEdit, ready, seconds } from '../phase-status.ts';
import type { Step } from '../step.ts';
import { drift, resumed } from '../transitions.ts';
import { waitForPods } from './begin.ts';
import { firstStep, type Rule } from './rule.ts';
import type { TransitionSituation } from './situation.ts';
import { end, nothing, retarget } from './steps.ts';

/** Attempts until a change is given up. */
const MAX_ATTEMPTS = 3;

/** In the order in which they are asked. */
const RULES: readonly Rule<TransitionSituation>[] = [
  failOnForeignEdit,
  followDesired,
  awaitMigManager,
  finishAgreed,
  awaitDevicePlugin,
  finishUnlabelled,
];

/** The next step once the configuration has been applied. */
export function stepWhenApplied(situation: TransitionSituation): Step {
  return firstStep(RULES, situation) ?? repairDevicePlugin(situation);
}

/** A label that another client has edited breaks the change off. */
function failOnForeignEdit({ node, transition }: TransitionSituation): Step | undefined {
  const message = drift(node, transition);
  if (message === undefined) return undefined;
  return end(node, transition, 'fail', { reason: 'ForeignEdit', message }, foreignEdit(message));
}

/** Another partition that is wanted now replaces this one, unless mig-manager is at work or pods are in its way. */
function followDesired(situation: TransitionSituation): Step | undefined {
  const { node, transition, desired } = situation;
  if (!desired || samePartition(transition.partition, desired.partition)) return undefined;
  const isCutting = transition.mig !== undefined && (node.migState === 'pending' || node.migState === 'rebooting');
  return isCutting || waitForPods(situation, desired) ? undefined : retarget(node, transition, desired);
}

/** mig-manager is waited for, and repaired where it has failed or is stuck. */
function awaitMigManager(situation: TransitionSituation): Step | undefined {
  const { node, transition, elapsed, times } = situation;
  const { migState } = node;
  if (transition.mig === undefined || migState === 'success') return undefined;
  if (migState === 'failed') return repair(situation, 'mig', 'MigFailed', 'mig-manager reports failed');
  if (elapsed < times.migDeadline) {
    const what = migState === 'rebooting' ? 'the node reboots for MIG' : 'mig-manager is at work';
    return nothing(changing(transition, 'Partitioning', what), times.migDeadline - elapsed);
  }
  const state = migState === undefined ? 'has not begun' : `is still ${migState}`;
  return repair(situation, 'mig', 'MigStuck', `mig-manager ${state} after ${seconds(times.migDeadline)}`);
}

/**
 * A node that offers what was applied, and is labelled so, is finished. It may be what was there before, since
 * config-manager needs a moment to notice its label: that moment is waited for.
 */
function finishAgreed({ node, transition, elapsed, times }: TransitionSituation): Step | undefined {
  if (agreement(node, transition.partition) !== 'full') return undefined;
  if (elapsed < times.settle) return nothing(changing(transition, 'Registering', 'it settles'), times.settle - elapsed);
  return end(node, transition, 'finish', undefined, ready(node, transition.partition));
}

/** The device plugin, and GPU Feature Discovery, are waited for until the deadline. */
function awaitDevicePlugin({ node, transition, elapsed, times }: TransitionSituation): Step | undefined {
  if (elapsed >= times.pluginDeadline) return undefined;
  const what =
    offers(node, transition.partition) === 'no'
      ? 'the device plugin registers again'
      : 'GPU Feature Discovery has to label what is offered';
  return nothing(changing(transition, 'Registering', what), times.pluginDeadline - elapsed);
}

/**
 * A node is finished with an unhealthy GPU, where the labels say what was applied; or without GPU Feature Discovery,
 * where all is offered and another attempt has changed nothing. Before that, as many slots may be those of the partition
 * before.
 */
function finishUnlabelled({ node, transition }: TransitionSituation): Step | undefined {
  const { partition, attempt } = transition;
  const isThere = agreement(node, partition) === 'partial' || (offers(node, partition) === 'full' && attempt > 0);
  return isThere ? end(node, transition, 'finish', undefined, ready(node, partition)) : undefined;
}

/** A device plugin that is late is repaired. */
function repairDevicePlugin(situation: TransitionSituation): Step {
  const { node, transition, times } = situation;
  const isOffered = offers(node, transition.partition) === 'full';
  const late = isOffered ? 'the labels still say otherwise' : 'the device plugin does not offer it';
  return repair(situation, 'plugin', 'PluginStuck', `${late} after ${seconds(times.pluginDeadline)}`);
}

/** The configuration is applied again under another name, and paused components resume; the last attempt fails. */
function repair(
  { node, transition }: TransitionSituation,
  component: 'plugin' | 'mig',
  reason: string,
  why: string,
): Step {
  const attempt = transition.attempt + 1;
  const repairs = [...transition.repairs, { reason, message: why }].slice(-MAX_ATTEMPTS);
  if (attempt >= MAX_ATTEMPTS) {
    const message = `${why}; applied ${MAX_ATTEMPTS} times in vain: see its log on the node`;
    const failed = { reason, message };
    return end(node, { ...transition, repairs }, 'fail', failed, { phase: 'Failed', ...failed });
  }
  const next: Transition = {
    ...transition,
    attempt,
    repairs,
    ...(component === 'plugin' && { plugin: tryAgain(transition.plugin) }),
    ...(component === 'mig' && transition.mig !== undefined && { mig: tryAgain(transition.mig) }),
  };
  const patch = { labels: resumed(node), annotations: { [NODE.transition]: JSON.stringify(next) } };
  const phaseStatus = changing(next, 'Repairing', `${why}: the configuration is applied again`);
  return { do: 'patch', action: 'repair', patch, phaseStatus };
}
