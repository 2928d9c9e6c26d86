/** What a pod's labels and annotations ask of us, parsed once. Faults are sentences for its author. */

import type { PodFacts, SharedMode } from '../core/admission/decision-input.ts';
import type { WorkloadType } from '../core/admission/workload-type.ts';
import { type MigProfile, parseMigProfile } from '../core/mig/profile.ts';
import type { SharingMode } from '../core/sharing-mode.ts';
import { type Parsed, parseGpuFraction, parseMiB, quote } from '../core/units.ts';
import { LABELS, READ, WRITTEN } from './keys.ts';

type Wished =
  | 'workloadType'
  | 'optimize'
  | 'alreadyDecided'
  | 'sharingDisabled'
  | 'explicitMode'
  | 'explicitProfile'
  | 'disabledModes'
  | 'memoryMiB'
  | 'fractionMilli';

/** What the admission decision needs of them, and two things more. */
export interface PodOptions extends Pick<PodFacts, Wished> {
  /** The mode that admission promised, for the scheduler. */
  readonly promisedMode: SharingMode | undefined;
  /** One sentence for each value that cannot be read; such a pod is admitted unchanged. */
  readonly faults: readonly string[];
}

type Strings = Readonly<Record<string, string>> | null | undefined;

const SWITCH = { true: true, false: false } as const;
const SHARING = { enabled: false, disabled: true } as const;
const MODES: Readonly<Record<string, SharingMode>> = {
  mig: 'mig',
  mps: 'mps',
  timeslicing: 'timeslicing',
  'time-slicing': 'timeslicing',
  exclusive: 'exclusive',
};
const WORKLOAD_TYPES: Readonly<Record<string, WorkloadType>> = {
  training: 'training',
  inference: 'inference',
  serving: 'inference',
  development: 'development',
  testing: 'development',
  jupyter: 'development',
  notebook: 'development',
  batch: 'batch',
};

export function parsePodOptions(labels: Strings, annotations: Strings): PodOptions {
  const faults: string[] = [];
  const take = <T>(from: Strings, key: string, parse: (text: string) => Parsed<T>): T | undefined => {
    const text = from && Object.hasOwn(from, key) ? from[key] : undefined;
    if (text === undefined) return undefined;
    const parsed = parse(text);
    if (parsed.ok) return parsed.value;
    faults.push(`${key}: ${parsed.reason}`);
    return undefined;
  };
  const off = (key: string) => take(annotations, key, oneOf(SWITCH)) === false;
  const disabled: [SharedMode, boolean][] = [
    ['mig', off(READ.migEnabled)],
    ['mps', off(READ.mpsEnabled)],
    ['timeslicing', off(READ.timeSlicingEnabled)],
  ];
  const labelled = take(labels, LABELS.memoryRequirement, gpuMemory);
  return {
    optimize: !off(READ.optimize),
    alreadyDecided: annotations?.[WRITTEN.optimized] !== undefined,
    sharingDisabled: take(annotations, READ.sharing, oneOf(SHARING)) ?? false,
    explicitMode: take(annotations, READ.sharingMode, oneOf(MODES)),
    explicitProfile: take(annotations, READ.migProfile, migProfile),
    disabledModes: new Set(disabled.filter(([, isOff]) => isOff).map(([mode]) => mode)),
    workloadType: take(labels, LABELS.workloadType, oneOf(WORKLOAD_TYPES)),
    memoryMiB: take(annotations, READ.gpuMemory, gpuMemory) ?? labelled,
    fractionMilli: take(annotations, READ.gpuFraction, parseGpuFraction),
    promisedMode: take(annotations, WRITTEN.strategy, oneOf(MODES)),
    faults,
  };
}

function oneOf<T>(table: Readonly<Record<string, T>>): (text: string) => Parsed<T> {
  return (text) => {
    const value = Object.hasOwn(table, text) ? table[text] : undefined;
    if (value !== undefined) return { ok: true, value };
    return { ok: false, reason: `${quote(text)} is not one of ${Object.keys(table).join(', ')}` };
  };
}

/** A number without a unit is bytes: nobody means so few. */
function gpuMemory(text: string): Parsed<number> {
  const parsed = parseMiB(text);
  if (!parsed.ok || parsed.value > 1 || !/^\d{1,4}(\.\d+)?$/.test(text)) return parsed;
  return { ok: false, reason: `${quote(text)} is a number of bytes: write ${text}Gi` };
}

function migProfile(text: string): Parsed<MigProfile> {
  const value = parseMigProfile(text);
  if (value) return { ok: true, value };
  return { ok: false, reason: `${quote(text)} is not a MIG profile such as 1g.5gb or 1g.5gb+me` };
}
