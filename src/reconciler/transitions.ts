/** The transition of a node, compared with what was applied last and with the node's labels. */

import { baseOf, tryAgain } from '../api/config-name.ts';
import { TRIGGERS } from '../api/keys.ts';
import { samePartition } from '../core/partitioning/partition.ts';
import type { LastApplied, ObservedNode, Transition } from '../state/observed-node.ts';
import type { NamedConfig } from './named-config.ts';
import type { DesiredState } from './step.ts';

export interface Course extends Pick<Transition, 'cordoned' | 'attempt' | 'repairs'> {
  /** The node offers no more what was applied last. */
  readonly isLost?: boolean;
}

/** The transition to the desired state, under other names than those that failed or were overwritten by others. */
export function transitionTo(
  node: ObservedNode,
  desired: DesiredState,
  { isLost = false, ...course }: Course,
): Transition {
  const { config, generation, partition, plugin, mig } = desired;
  const { lastApplied } = node;
  const fresh = (key: NamedConfig, is: string | undefined, was: string | undefined, works: boolean) => {
    if (was !== undefined && was !== is && baseOf(was) === key.name) return tryAgain(was);
    if (is === undefined || baseOf(is) !== key.name) return key.name;
    return works && !lastApplied?.failed && !isLost ? is : tryAgain(is);
  };
  const touchesMig = partition.layouts.some(Boolean) || !isWithoutMig(node);
  return {
    config,
    generation,
    plugin: fresh(plugin, node.plugin, lastApplied?.plugin, true),
    ...(touchesMig && { mig: fresh(mig, node.mig, lastApplied?.mig, node.migState === 'success') }),
    partition: { layouts: [...partition.layouts], sharing: partition.sharing },
    ...course,
  };
}

/** Whether MIG was never switched on, as far as labels show; a label may be gone, and what it did still be there. */
function isWithoutMig({ mig, migState, migCounts, lastApplied }: ObservedNode): boolean {
  if (lastApplied?.mig !== undefined || Object.values(migCounts).some((count) => count > 0)) return false;
  return mig === undefined || (mig === 'all-disabled' && migState === 'success');
}

/** Labels that resume the components which mig-manager leaves paused if it ends halfway. */
export function resumed({ paused }: ObservedNode): Record<string, string> {
  return Object.fromEntries(paused.map((key) => [key, 'true']));
}

/** Whether the same partition is applied again: pods that still hold GPUs there hold none that change. */
export function isReapplied(node: ObservedNode, transition: Transition): boolean {
  const { lastApplied } = node;
  return (
    lastApplied !== undefined &&
    !lastApplied.failed &&
    drift(node, lastApplied) === undefined &&
    samePartition(lastApplied.partition, transition.partition)
  );
}

/** Whether the transition has been applied; whether the labels still say so is for `drift`. */
export function isApplied({ lastApplied }: ObservedNode, transition: Transition): boolean {
  return (
    lastApplied?.plugin === transition.plugin &&
    lastApplied.mig === transition.mig &&
    lastApplied.failed === undefined &&
    samePartition(lastApplied.partition, transition.partition)
  );
}

/** A sentence on labels that another client has edited since they were applied; undefined if there are none. */
export function drift(
  { plugin, mig, name }: ObservedNode,
  applied: Pick<LastApplied, 'plugin' | 'mig'>,
): string | undefined {
  const edits = [
    ...(plugin === applied.plugin ? [] : [[TRIGGERS.plugin, plugin, applied.plugin] as const]),
    ...(applied.mig === undefined || mig === applied.mig ? [] : [[TRIGGERS.mig, mig, applied.mig] as const]),
  ];
  if (edits.length === 0) return undefined;
  const sentences = edits.map(
    ([key, is, was]) =>
      `another client has ${is === undefined ? 'removed' : `set to ${JSON.stringify(is)}`} the label ${key}, which was ${was}`,
  );
  const back = edits.map(([key, , was]) => `${key}=${was}`).join(' ');
  return `${sentences.join('; ')}. To take it back: kubectl label node ${name} --overwrite ${back}`;
}
