/** What the mark of a node says against what the node was told and what its labels say. */

import { TRIGGERS } from '../api/keys.ts';
import { samePartition } from '../core/partition.ts';
import { baseOf, type Key, tryAgain } from './keys.ts';
import type { Mark, ObservedNode, Told } from './observed.ts';
import type { Target } from './step.ts';

export interface Course extends Pick<Mark, 'cordoned' | 'attempt' | 'repairs'> {
  /** What was told is not there any more. */
  readonly isLost?: boolean;
}

/** Names under which the components are told: others than those that did not work, or that somebody has overwritten. */
export function markFor(node: ObservedNode, target: Target, { isLost = false, ...course }: Course): Mark {
  const { config, generation, partition, plugin, mig } = target;
  const { told } = node;
  const fresh = (key: Key, is: string | undefined, was: string | undefined, works: boolean) => {
    if (was !== undefined && was !== is && baseOf(was) === key.name) return tryAgain(was);
    if (is === undefined || baseOf(is) !== key.name) return key.name;
    return works && !told?.failed && !isLost ? is : tryAgain(is);
  };
  const touchesMig = partition.layouts.some(Boolean) || !isWithoutMig(node);
  return {
    config,
    generation,
    plugin: fresh(plugin, node.plugin, told?.plugin, true),
    ...(touchesMig && { mig: fresh(mig, node.mig, told?.mig, node.migState === 'success') }),
    partition: { layouts: [...partition.layouts], sharing: partition.sharing },
    ...course,
  };
}

/** Nobody has ever switched MIG on, as far as labels tell; a label may be gone, and what it did still be there. */
function isWithoutMig({ mig, migState, migCounts, told }: ObservedNode): boolean {
  if (told?.mig !== undefined || Object.values(migCounts).some((count) => count > 0)) return false;
  return mig === undefined || (mig === 'all-disabled' && migState === 'success');
}

/** mig-manager leaves them paused if it ends halfway: then nothing of NVIDIA's runs on the node any more. */
export function resumed({ paused }: ObservedNode): Record<string, string> {
  return Object.fromEntries(paused.map((key) => [key, 'true']));
}

/** They are told the same once more: whoever still holds GPUs there holds none that change. */
export function isToldMore(node: ObservedNode, mark: Mark): boolean {
  const { told } = node;
  return (
    told !== undefined &&
    !told.failed &&
    foreignEdit(node, told) === undefined &&
    samePartition(told.partition, mark.partition)
  );
}

/** We have told the components what the mark says; whether the labels still say so is for `foreignEdit`. */
export function isTold({ told }: ObservedNode, mark: Mark): boolean {
  return (
    told?.plugin === mark.plugin &&
    told.mig === mark.mig &&
    told.failed === undefined &&
    samePartition(told.partition, mark.partition)
  );
}

export function foreignEdit(
  { plugin, mig, name }: ObservedNode,
  told: Pick<Told, 'plugin' | 'mig'>,
): string | undefined {
  const edits = [
    ...(plugin === told.plugin ? [] : [[TRIGGERS.plugin, plugin, told.plugin] as const]),
    ...(told.mig === undefined || mig === told.mig ? [] : [[TRIGGERS.mig, mig, told.mig] as const]),
  ];
  if (edits.length === 0) return undefined;
  const sentences = edits.map(
    ([key, is, was]) =>
      `somebody else has ${is === undefined ? 'removed' : `set to ${JSON.stringify(is)}`} the label ${key}, which was ${was}`,
  );
  const back = edits.map(([key, , was]) => `${key}=${was}`).join(' ');
  return `${sentences.join('; ')}. To take it back: kubectl label node ${name} --overwrite ${back}`;
}
