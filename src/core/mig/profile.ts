/** A MIG profile's name, taken apart. */

export interface MigProfile {
  /** `1g.5gb`, `1g.5gb+me`: the name as NVIDIA prints it. */
  readonly name: string;
  readonly computeSlices: number;
  /** The memory in the name: a rounded figure, good for ordering and as a fallback. */
  readonly gib: number;
}

const NAME = /^([1-9])g\.([1-9]\d{0,3})gb((?:\+me)?)$/;

/** Parses `1g.5gb` and `1g.5gb+me`; undefined for anything else. */
export function parseMigProfile(name: string): MigProfile | undefined {
  const match = NAME.exec(name);
  if (!match) return undefined;
  return { name, computeSlices: Number(match[1]), gib: Number(match[2]) };
}

/** Smallest first: by memory, then by compute, then plain before media-engine. */
export function compareMigProfiles(a: MigProfile, b: MigProfile): number {
  return a.gib - b.gib || a.computeSlices - b.computeSlices || a.name.length - b.name.length;
}
