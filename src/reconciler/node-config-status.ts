/** What the status of a GPUNodeConfig should say. Pure. */

import { isDeepStrictEqual } from 'node:util';
import type { NodeConfig, NodeConfigStatus } from '../api/node-config.ts';
import { conditionOf, type Finding, timeOf } from '../api/status.ts';
import type { Rejection } from '../core/partitioning/desired-partition.ts';
import { migProfileOf, SHARED_GPU } from '../core/resources.ts';
import type { GpuPod } from '../state/gpu-pods.ts';
import type { ObservedNode } from '../state/observed-node.ts';
import type { PhaseStatus } from './step.ts';

export interface StatusFacts {
  readonly config: NodeConfig;
  readonly phaseStatus: PhaseStatus;
  readonly rejection: Rejection | undefined;
  /** Undefined if there is no such node. */
  readonly node: ObservedNode | undefined;
  readonly gpuPods: readonly GpuPod[];
  /** What the planner would make of the node, if it might. */
  readonly recommendation: string | undefined;
}

/** The status to be written; undefined if what stands there is right. */
export function nodeConfigStatus(facts: StatusFacts, now: Date): NodeConfigStatus | undefined {
  const { config, phaseStatus, node, gpuPods } = facts;
  const before = config.status;
  const status: NodeConfigStatus = {
    phase: phaseStatus.phase,
    message: phaseStatus.message,
    ...(node && sharingStatus(node, gpuPods)),
    conditions: findings(facts).map((finding) => conditionOf(finding, config.generation, before?.conditions, now)),
  };
  const { lastUpdateTime: _, ...same } = before ?? {};
  return isDeepStrictEqual(same, status) ? undefined : { ...status, lastUpdateTime: timeOf(now) };
}

function findings({ phaseStatus, rejection, node, recommendation }: StatusFacts): Finding[] {
  const { phase, reason, message, isForeignEdit } = phaseStatus;
  const found: Finding[] = [
    rejection
      ? { type: 'Rejected', status: 'True', reason: rejection.code, message: rejection.message }
      : { type: 'Rejected', status: 'False', reason: 'Accepted', message: 'nothing stands against it' },
    { type: 'Ready', status: phase === 'Ready' ? 'True' : 'False', reason, message },
  ];
  const repairs = node?.transition?.repairs ?? node?.lastApplied?.repairs ?? [];
  const last = repairs.at(-1);
  if (last) {
    const sentences = repairs.map((repair) => `${repair.reason}: ${repair.message}`);
    found.push({ type: 'Repaired', status: 'True', reason: last.reason, message: sentences.join('; ') });
  }
  if (isForeignEdit) found.push({ type: 'ForeignEdit', status: 'True', reason: 'LabelChanged', message });
  if (recommendation !== undefined)
    found.push({ type: 'Recommended', status: 'True', reason: 'PodsWait', message: recommendation });
  return found;
}

/** As it is on the node, not as it is wanted. */
function sharingStatus(
  { allocatable, sharing, replicas }: ObservedNode,
  gpuPods: readonly GpuPod[],
): Pick<NodeConfigStatus, 'migStatus' | 'mpsStatus' | 'timeSlicingStatus'> {
  const instances = Object.entries(allocatable).flatMap(([resource, count]) => {
    const profile = count > 0 ? migProfileOf(resource) : undefined;
    return profile ? [{ name: profile.name, count }] : [];
  });
  const shared = allocatable[SHARED_GPU] ?? 0;
  const offersShared = shared > 0 && replicas > 1;
  const clients = gpuPods.reduce((sum, { resources }) => sum + (resources[SHARED_GPU] ?? 0), 0);
  return {
    migStatus: {
      enabled: instances.length > 0,
      ...(instances.length > 0 && {
        configuredProfiles: instances.map(({ name }) => name).sort(),
        availableDevices: instances.reduce((sum, { count }) => sum + count, 0),
      }),
    },
    mpsStatus: {
      enabled: offersShared && sharing === 'mps',
      ...(offersShared && sharing === 'mps' && { activeClients: clients, maxClients: replicas }),
    },
    timeSlicingStatus: {
      enabled: offersShared && sharing === 'timeslicing',
      ...(offersShared &&
        sharing === 'timeslicing' && {
          physicalGPUs: Math.ceil(shared / replicas),
          virtualGPUs: shared,
          replicasPerGPU: replicas,
        }),
    },
  };
}
