/** What a pod's labels and annotations ask of us, parsed once. Faults are sentences for its author. */

import type { PodFacts } from '../core/admission/decision-input.ts';
import type { WorkloadType } from '../core/admission/workload-type.ts';
import { type MigProfile, parseMigProfile } from '../core/mig/profile.ts';
import { SHARED_MODES, SHARING_MODE_SPELLINGS, type SharingMode, sharingModeOf } from '../core/sharing-mode.ts';
import { type Parsed, parseGpuFraction, parseMiB, quote } from '../core/units.ts';
import { LABELS, modeSwitch, READ, WRITTEN } from './keys.ts';

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

/** What the admission decision needs of them, and what is wrong with them. */
export interface PodOptions extends Pick<PodFacts, Wished>, SlotOptions {
  /** One sentence for each value that cannot be read; such a pod is admitted unchanged. */
  readonly faults: readonly string[];
}

type Strings = Readonly<Record<string, string>> | null | undefined;

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

/** The options that say which slot the pod may have: what the scheduler needs of them. */
export interface SlotOptions {
  /** The mode that admission promised. */
  readonly promisedMode: SharingMode | undefined;
  /** Declared GPU memory, MiB. */
  readonly memoryMiB: number | undefined;
  /** Declared share of one GPU, milli-GPU. */
  readonly fractionMilli: number | undefined;
}

type Parser<T> = (text: string) => Parsed<T>;

const ON_OR_OFF = oneOf({ true: true, false: false });
const SHARING = oneOf({ enabled: false, disabled: true });
const MODE: Parser<SharingMode> = (text) => {
  const value = sharingModeOf(text);
  return value ? { ok: true, value } : notOneOf(text, SHARING_MODE_SPELLINGS);
};
const WORKLOAD_TYPE = oneOf(WORKLOAD_TYPES);

/** What cannot be read is absent. */
export function parseSlotOptions(labels: Strings, annotations: Strings): SlotOptions {
  return slotOptions(labels, annotations, ignore);
}

function slotOptions(labels: Strings, annotations: Strings, fault: (text: string) => void): SlotOptions {
  const labelled = take(labels, LABELS.memoryRequirement, gpuMemory, fault);
  const strategy = take(annotations, WRITTEN.strategy, MODE, fault);
  const isWord = annotations?.[READ.sharingMode] === 'exclusive' || annotations?.[READ.sharing] === 'disabled';
  return {
    memoryMiB: take(annotations, READ.gpuMemory, gpuMemory, fault) ?? labelled,
    fractionMilli: take(annotations, READ.gpuFraction, parseGpuFraction, fault),
    // A whole GPU is promised by somebody's word alone: else a pod would wait for one where there are only slots.
    promisedMode: strategy === 'exclusive' && !isWord ? undefined : strategy,
  };
}

function ignore(): void {}

export function parsePodOptions(labels: Strings, annotations: Strings): PodOptions {
  const faults: string[] = [];
  const fault = (text: string) => void faults.push(text);
  const off = (key: string) => take(annotations, key, ON_OR_OFF, fault) === false;
  const disabledModes = new Set(SHARED_MODES.filter((mode) => off(modeSwitch(mode))));
  return {
    optimize: !off(READ.optimize),
    alreadyDecided: annotations?.[WRITTEN.optimized] !== undefined,
    sharingDisabled: take(annotations, READ.sharing, SHARING, fault) ?? false,
    explicitMode: take(annotations, READ.sharingMode, MODE, fault),
    explicitProfile: take(annotations, READ.migProfile, migProfile, fault),
    disabledModes,
    workloadType: take(labels, LABELS.workloadType, WORKLOAD_TYPE, fault),
    ...slotOptions(labels, annotations, fault),
    faults,
  };
}

/** The value under the key; undefined if it is absent, or cannot be read. */
function take<T>(from: Strings, key: string, parse: Parser<T>, fault: (text: string) => void): T | undefined {
  const text = from && Object.hasOwn(from, key) ? from[key] : undefined;
  if (text === undefined) return undefined;
  const parsed = parse(text);
  if (parsed.ok) return parsed.value;
  fault(`${key}: ${parsed.reason}`);
  return undefined;
}

function oneOf<T>(table: Readonly<Record<string, T>>): (text: string) => Parsed<T> {
  return (text) => {
    const value = Object.hasOwn(table, text) ? table[text] : undefined;
    return value === undefined ? notOneOf(text, Object.keys(table)) : { ok: true, value };
  };
}

function notOneOf(text: string, words: readonly string[]): Parsed<never> {
  return { ok: false, reason: `${quote(text)} is not one of ${words.join(', ')}` };
}

/** A small number without a unit is refused: it means bytes. */
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
