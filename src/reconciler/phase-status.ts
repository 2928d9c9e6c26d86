/** The sentences of a GPUNodeConfig's status, by how its node stands. */

import { describePartition, type Partition } from '../core/partitioning/partition.ts';
import type { GpuPod } from '../state/gpu-pods.ts';
import { agreement, type ObservedNode, offers, type Transition } from '../state/observed-node.ts';
import type { PhaseStatus } from './step.ts';

export function queued(): PhaseStatus {
  return { phase: 'Pending', reason: 'Queued', message: 'about to begin' };
}

export function ready(node: ObservedNode, partition: Partition): PhaseStatus {
  const is = describePartition(partition);
  switch (agreement(node, partition)) {
    case 'full':
      return { phase: 'Ready', reason: 'Ready', message: is };
    case 'partial':
      return { phase: 'Ready', reason: 'SlotsMissing', message: `${is}; some are not offered: a GPU may be unhealthy` };
    case 'no':
      return offers(node, partition) !== 'full'
        ? { phase: 'Failed', reason: 'NotOffered', message: notOffered(node, is) }
        : { phase: 'Ready', reason: 'LabelsMissing', message: `${is}; GPU Feature Discovery does not label it so` };
  }
}

function notOffered({ lastApplied, migState }: ObservedNode, is: string): string {
  const why = lastApplied?.mig !== undefined && migState === 'failed' ? 'mig-manager reports failed, and ' : '';
  return `${why}the device plugin does not offer what was applied: ${is}. If that stays so it is applied again`;
}

/** Of a drain. */
export const TRIED_AGAIN = 'tried again after 15 minutes, or when the spec changes';

export function changing({ partition }: Pick<Transition, 'partition'>, reason: string, what: string): PhaseStatus {
  return { phase: 'Configuring', reason, message: `to ${describePartition(partition)}: ${what}` };
}

/** @param edit the sentence of `drift` */
export function foreignEdit(edit: string): PhaseStatus {
  return { phase: 'Failed', reason: 'ForeignEdit', message: edit, isForeignEdit: true };
}

export function notReadyReason(busy: readonly GpuPod[], drainGivenUp: boolean): PhaseStatus {
  const until = `waits until these are gone, which hold GPUs that are to change: ${names(busy)}`;
  if (drainGivenUp)
    return { phase: 'Failed', reason: 'DrainTimeout', message: `could not be drained: ${TRIED_AGAIN}; ${until}` };
  return { phase: 'Pending', reason: 'Busy', message: until };
}

export function cannotDrain(staying: readonly GpuPod[]): PhaseStatus {
  const [first] = staying;
  const message = `cannot be drained: ${first?.namespace}/${first?.name} ${first?.nonEvictableReason ?? ''}`;
  return { phase: 'Pending', reason: 'CannotDrain', message };
}

/** A few of them: the list goes into a status. */
export function names(pods: readonly GpuPod[]): string {
  const shown = pods.slice(0, 3).map(({ namespace, name }) => `${namespace}/${name}`);
  const more = pods.length - shown.length;
  return shown.sort().join(', ') + (more > 0 ? ` and ${more} more` : '');
}

export function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
