/** The configuration as admission uses it. */

import type { AdmissionSettings } from '../core/admission/decision-input.ts';
import type { SlotIndexOptions } from '../core/admission/slot-index.ts';
import { equalTo } from '../core/label-selector.ts';
import { type ReplicaMode, SHARED_MODES, SHARING_MODES, type SharedMode } from '../core/sharing-mode.ts';
import type { Configuration } from './configuration.ts';
import { GFD, SCHEDULER_NAME } from './keys.ts';
import { conditionsOf } from './labels.ts';

export interface AdmissionConfiguration {
  readonly settings: AdmissionSettings;
  readonly offers: SlotIndexOptions;
  /** Whether one GPU stays whole on nodes by whose label cluster-autoscaler expects one. */
  readonly keepWholeGpu: boolean;
  /** Whether a time-slice may use the memory of the whole GPU. */
  readonly oversubscribe: boolean;
}

/** Pods keep this one where ours is not installed. */
const DEFAULT_SCHEDULER = 'default-scheduler';

/**
 * @param namespace our own, which is always exempt: our own pods must start without us
 * @param schedulerName of our scheduler
 */
export function admissionConfigurationOf(
  { binPacking, sharing, admissionWebhook, reconciler }: Configuration,
  namespace: string,
  schedulerName: string = SCHEDULER_NAME,
): AdmissionConfiguration {
  const { optimization } = admissionWebhook;
  const { mig, mps, timeSlicing } = sharing;
  const enabled: Readonly<Record<SharedMode, boolean>> = {
    mig: mig.enabled && optimization.enableMIG,
    mps: mps.enabled && optimization.enableMPS,
    timeslicing: timeSlicing.enabled && optimization.enableTimeSlicing,
  };
  // Slots by MPS and by time-slicing bear the same name: another scheduler would take the ones for the others.
  const labelOf = (mode: ReplicaMode) =>
    binPacking.enabled ? {} : { [GFD.sharingStrategy]: SHARING_MODES[mode].label };
  return {
    oversubscribe: timeSlicing.oversubscribe,
    keepWholeGpu: reconciler.planner.keepWholeGpu,
    settings: {
      whenFull: sharing.whenFull,
      schedulerName: binPacking.enabled ? schedulerName : DEFAULT_SCHEDULER,
      exemptNamespaces: new Set([namespace, ...admissionWebhook.exemptNamespaces]),
      namespaceSelector: conditionsOf(admissionWebhook.namespaceSelector),
      enabledModes: new Set(SHARED_MODES.filter((mode) => enabled[mode])),
      rewriteRequests: admissionWebhook.rewriteRequests,
      autoDetectWorkloadType: optimization.autoDetectWorkloadType,
      defaultMigProfile: mig.defaultProfile,
      modeSelectors: { mig: {}, mps: labelOf('mps'), timeslicing: labelOf('timeslicing') },
      mps: {
        maxClients: mps.maxClients,
        defaultActiveThreads: mps.defaultActiveThreads,
        memoryLimitMiB: mps.resources.memoryLimitMB,
      },
      timeSlicing: {
        replicasPerGpu: timeSlicing.replicasPerGPU,
        sliceMs: timeSlicing.sliceMs,
        fairnessMode: timeSlicing.fairnessMode,
      },
    },
    offers: {
      onDemand: reconciler.enabled
        ? {
            ...(mig.autoConfig && { mig: true }),
            ...(mps.autoConfig && { mps: mps.maxClients }),
            ...(timeSlicing.autoConfig && { timeslicing: timeSlicing.replicasPerGPU }),
          }
        : {},
      nodes: {
        mig: equalTo(mig.nodeSelector),
        mps: equalTo(mps.nodeSelector),
        timeslicing: equalTo(timeSlicing.nodeSelector),
      },
    },
  };
}
