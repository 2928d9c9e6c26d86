/** A MIG profile's name, taken apart. */

export interface MigProfile {
  /** `1g.5gb`, `1g.5gb+me`, `1g.24gb+gfx`, `1g.24gb-me`: the name as NVIDIA prints it. */
  readonly name: string;
  readonly computeSlices: number;
  /** The memory in the name: a rounded figure, good for ordering and as a fallback. */
  readonly gib: number;
}

/**
 * What a profile has beside its slices: media engines (`+me`), all of them (`+me.all`), none (`-me`), or graphics (`+gfx`).
 * Source: MIG user guide, "MIG Device Names".
 */
export const PROFILE_ATTRIBUTES = ['+me', '+me.all', '-me', '+gfx'] as const;

const NAME = /^([1-9])g\.([1-9]\d{0,3})gb(?:\+me|\+me\.all|-me|\+gfx)?$/;

/** Parses `1g.5gb`, also with one of the attributes; undefined for anything else. */
export function parseMigProfile(name: string): MigProfile | undefined {
  const match = NAME.exec(name);
  if (!match) return undefined;
  return { name, computeSlices: Number(match[1]), gib: Number(match[2]) };
}

/** Smallest first: by memory, then by compute, then plain before media-engine. */
export function compareMigProfiles(a: MigProfile, b: MigProfile): number {
  return a.gib - b.gib || a.computeSlices - b.computeSlices || a.name.length - b.name.length;
}

/** Its share of the compute of a GPU that has `computeSlices`, in milli-GPU, rounded down. */
export function instanceMilli(profile: MigProfile, computeSlices: number): number {
  return Math.floor((1000 * Math.min(profile.computeSlices, computeSlices)) / computeSlices);
}

/** The memory in a name is rounded; an instance has at least this much of it (1g.5gb: 4864 MiB). Source: MIG user guide. */
const LEAST_OF_NAMED = 0.95;

/** The memory, in MiB, that an instance has at least. */
export function namedMiB({ gib }: MigProfile): number {
  return Math.floor(gib * 1024 * LEAST_OF_NAMED);
}
