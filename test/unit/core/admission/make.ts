/** Facts for decisions: a pod that asks for one GPU, and a cluster that offers every kind of slot. */

import type {
  AdmissionFacts,
  AdmissionSettings,
  Offer,
  PodFacts,
  SharedMode,
} from '../../../../src/core/admission/facts.ts';
import { parseMigProfile } from '../../../../src/core/mig/profile.ts';
import { migResource, SHARED_GPU, WHOLE_GPU } from '../../../../src/core/resources.ts';

export function slot(mode: SharedMode, slotMiB: number | undefined, slotMilli: number, nodes = 1): Offer {
  return { mode, resource: SHARED_GPU, profile: undefined, slotMiB, slotMilli, nodes };
}

export function instance(profile: string, slotMiB: number, slotMilli: number, nodes = 1): Offer {
  return { mode: 'mig', resource: migResource(profile), profile: parseMigProfile(profile), slotMiB, slotMilli, nodes };
}

/** Smallest first within a mode, as `offersOf` gives them. */
export const EVERY_KIND: readonly Offer[] = [
  instance('1g.5gb', 4_864, 142),
  instance('3g.20gb', 19_968, 428, 2),
  instance('7g.40gb', 40_192, 1_000),
  slot('mps', 5_120, 125),
  slot('mps', 10_240, 250),
  slot('timeslicing', 10_240, 250, 3),
];

const SETTINGS: AdmissionSettings = {
  schedulerName: 'gpu-autoscaler-scheduler',
  exemptNamespaces: new Set(['kube-system', 'production']),
  enabledModes: new Set(['mig', 'mps', 'timeslicing']),
};

const POD: PodFacts = {
  namespace: 'team',
  requested: new Map([[WHOLE_GPU, 1]]),
  schedulerName: 'default-scheduler',
  workloadType: undefined,
  optimize: true,
  alreadyDecided: false,
  sharingDisabled: false,
  explicitMode: undefined,
  explicitProfile: undefined,
  disabledModes: new Set(),
  memoryMiB: undefined,
  fractionMilli: undefined,
};

export function admission(
  pod: Partial<PodFacts>,
  offers: readonly Offer[] = EVERY_KIND,
  settings: Partial<AdmissionSettings> = {},
): AdmissionFacts {
  return { pod: { ...POD, ...pod }, offers, settings: { ...SETTINGS, ...settings } };
}
