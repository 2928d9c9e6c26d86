/** What the controller works on: a cluster that shares by MPS, pods as the API server stores them, policies. */

import { admissionConfigurationOf } from '#src/api/admission-settings.ts';
import { configurationSchema } from '#src/api/configuration.ts';
import { AdmissionState } from '#src/state/admission-state.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import type { AdmissionView } from '#src/state/evaluate-admission.ts';
import { mpsNode } from '../../cluster/gpu-nodes.ts';
import { gpuPod } from '../../cluster/pods.ts';
import { takeList } from '../../fakes/listing.ts';

export const NOW = new Date('2026-01-02T03:04:05.678Z');

/** Of a node with MPS; `configuration` as the file has it. */
export function viewOf(configuration: unknown = {}): AdmissionView {
  const settings = admissionConfigurationOf(configurationSchema.parse(configuration), 'gpu-autoscaler-system');
  const state = new ClusterState((why) => {
    throw new Error(why);
  });
  takeList(state.nodes, [mpsNode({ name: 'mps', gpus: 1, replicas: 8 })]);
  return new AdmissionState(state, settings).view();
}

export interface StoredPodOptions {
  readonly uid: string;
  readonly metadata?: object;
  readonly phase?: string;
  readonly gpus?: number;
  /** Slots of shared GPUs by name, instead of GPUs. */
  readonly slots?: number;
  readonly nodeName?: string;
}

/** An inference pod in namespace `team`, as the watch tells of it. */
export function storedPod({ uid, metadata, phase = 'Running', gpus = 1, slots, nodeName }: StoredPodOptions): object {
  const labels = { 'gpu-autoscaler.io/workload-type': 'inference' };
  const manifest = gpuPod({
    name: uid,
    ...(slots === undefined ? { gpus } : { resources: { 'nvidia.com/gpu.shared': slots } }),
    labels,
    schedulerName: 'default-scheduler',
    ...(nodeName && { nodeName }),
  });
  const pod = manifest as { metadata: object };
  return { ...pod, metadata: { ...pod.metadata, namespace: 'team', uid, ...metadata }, status: { phase } };
}
