/**
 * What is known of GPU products: how many slices MIG cuts them into, and how profiles are named.
 * Profiles are derived by NVIDIA's rules (MIG user guide), not listed.
 */

export interface MigClass {
  /** Compute slices of a whole GPU. */
  readonly computeSlices: number;
  /** Memory slices of a whole GPU. */
  readonly memorySlices: number;
  /** Compute and memory slices of each kind of instance; `me` where a media-engine variant exists. */
  readonly instances: readonly { readonly compute: number; readonly memory: number; readonly me?: true }[];
}

/** A100, H100, H200, GH200, H20, B200, GB200. */
const SEVEN_SLICE: MigClass = {
  computeSlices: 7,
  memorySlices: 8,
  instances: [
    { compute: 1, memory: 1 },
    { compute: 1, memory: 1, me: true },
    { compute: 1, memory: 2 },
    { compute: 2, memory: 2 },
    { compute: 3, memory: 4 },
    { compute: 4, memory: 4 },
    { compute: 7, memory: 8 },
  ],
};
const A30: MigClass = {
  computeSlices: 4,
  memorySlices: 4,
  instances: [
    { compute: 1, memory: 1 },
    { compute: 1, memory: 1, me: true },
    { compute: 2, memory: 2 },
    { compute: 2, memory: 2, me: true },
    { compute: 4, memory: 4 },
  ],
};
const RTX_PRO_6000: MigClass = {
  computeSlices: 4,
  memorySlices: 4,
  instances: [
    { compute: 1, memory: 1 },
    { compute: 2, memory: 2 },
    { compute: 4, memory: 4 },
  ],
};

/** MIG-capable products by the start of GPU Feature Discovery's label, with the memory sizes sold, in GiB. */
const MIG_PRODUCTS: readonly {
  readonly pattern: RegExp;
  readonly migClass: MigClass;
  readonly gib: readonly number[];
}[] = [
  { pattern: /(^|-)A100(-|$)/, migClass: SEVEN_SLICE, gib: [40, 80] },
  { pattern: /(^|-)GH200(-|$)/, migClass: SEVEN_SLICE, gib: [96, 141] },
  { pattern: /(^|-)H100(-|$)/, migClass: SEVEN_SLICE, gib: [80, 94] },
  { pattern: /(^|-)H200(-|$)/, migClass: SEVEN_SLICE, gib: [141] },
  { pattern: /(^|-)H20(-|$)/, migClass: SEVEN_SLICE, gib: [96] },
  { pattern: /(^|-)G?B200(-|$)/, migClass: SEVEN_SLICE, gib: [180] },
  { pattern: /(^|-)A30(-|$)/, migClass: A30, gib: [24] },
  { pattern: /RTX-PRO-6000/, migClass: RTX_PRO_6000, gib: [96] },
];

/** MIG class of a product label such as `NVIDIA-A100-SXM4-40GB`; undefined if it has no MIG or is unknown. */
export function migClassOf(product: string): MigClass | undefined {
  return MIG_PRODUCTS.find(({ pattern }) => pattern.test(product))?.migClass;
}

/** Profile names of a GPU of `gib` GiB: `1g.5gb`, `1g.5gb+me`, … in the order of the class. */
export function migProfiles(migClass: MigClass, gib: number): string[] {
  return migClass.instances.map(({ compute, memory, me }) => {
    const eighths = Math.ceil((8 * memory) / migClass.memorySlices);
    // The rule of go-nvlib: the share of memory, in eighths, of the whole GiB, rounded half up.
    return `${compute}g.${Math.round((eighths * gib) / 8)}gb${me ? '+me' : ''}`;
  });
}

/** Every MIG profile of every known product: what a scheduler must be told it may meet. */
export function allMigProfiles(): string[] {
  const names = MIG_PRODUCTS.flatMap(({ migClass, gib }) => gib.flatMap((size) => migProfiles(migClass, size)));
  return [...new Set(names)].sort();
}
