/**
 * What is known of GPU products: memory, compute capability, and how MIG cuts them. Profiles are
 * derived by NVIDIA's rules (MIG user guide), not listed.
 */

/** A kind of MIG instance. */
export interface InstanceKind {
  readonly compute: number;
  readonly memory: number;
  /** With the GPU's media engines, of which there is one set. */
  readonly me?: true;
  /** Memory slices at which it may start. */
  readonly starts: readonly number[];
}

export interface MigClass {
  /** Compute slices of a whole GPU. */
  readonly computeSlices: number;
  /** Memory slices of a whole GPU. */
  readonly memorySlices: number;
  readonly instances: readonly InstanceKind[];
}

/** A100, H100, H200, GH200, H20, B200, GB200. */
const SEVEN_SLICE: MigClass = {
  computeSlices: 7,
  memorySlices: 8,
  instances: [
    { compute: 1, memory: 1, starts: [0, 1, 2, 3, 4, 5, 6] },
    { compute: 1, memory: 1, me: true, starts: [0, 1, 2, 3, 4, 5, 6] },
    { compute: 1, memory: 2, starts: [0, 2, 4, 6] },
    { compute: 2, memory: 2, starts: [0, 2, 4] },
    { compute: 3, memory: 4, starts: [0, 4] },
    { compute: 4, memory: 4, starts: [0] },
    { compute: 7, memory: 8, starts: [0] },
  ],
};
const A30: MigClass = {
  computeSlices: 4,
  memorySlices: 4,
  instances: [
    { compute: 1, memory: 1, starts: [0, 1, 2, 3] },
    { compute: 1, memory: 1, me: true, starts: [0, 1, 2, 3] },
    { compute: 2, memory: 2, starts: [0, 2] },
    { compute: 2, memory: 2, me: true, starts: [0, 2] },
    { compute: 4, memory: 4, starts: [0] },
  ],
};
const RTX_PRO_6000: MigClass = {
  computeSlices: 4,
  memorySlices: 4,
  instances: [
    { compute: 1, memory: 1, starts: [0, 1, 2, 3] },
    { compute: 2, memory: 2, starts: [0, 2] },
    { compute: 4, memory: 4, starts: [0] },
  ],
};

interface Product {
  readonly pattern: RegExp;
  /** Memory sizes sold, in GiB; the first is meant where the label does not say. */
  readonly gib: readonly number[];
  readonly compute: ComputeCapability;
  readonly migClass?: MigClass;
}

export type ComputeCapability = readonly [major: number, minor: number];

/** By the name in GPU Feature Discovery's label. Source: NVIDIA's data sheets and its table of CUDA GPUs. */
const PRODUCTS: readonly Product[] = [
  { pattern: named('A100'), gib: [40, 80], compute: [8, 0], migClass: SEVEN_SLICE },
  { pattern: named('GH200'), gib: [96, 141], compute: [9, 0], migClass: SEVEN_SLICE },
  { pattern: named('H100'), gib: [80, 94], compute: [9, 0], migClass: SEVEN_SLICE },
  { pattern: named('H200'), gib: [141], compute: [9, 0], migClass: SEVEN_SLICE },
  { pattern: named('H20'), gib: [96], compute: [9, 0], migClass: SEVEN_SLICE },
  { pattern: named('G?B200'), gib: [180], compute: [10, 0], migClass: SEVEN_SLICE },
  { pattern: named('A30'), gib: [24], compute: [8, 0], migClass: A30 },
  { pattern: /RTX-PRO-6000/, gib: [96], compute: [12, 0], migClass: RTX_PRO_6000 },
  { pattern: named('L40S?'), gib: [48], compute: [8, 9] },
  { pattern: named('L4'), gib: [24], compute: [8, 9] },
  { pattern: named('A40'), gib: [48], compute: [8, 6] },
  { pattern: named('A10G?'), gib: [24], compute: [8, 6] },
  { pattern: named('T4'), gib: [16], compute: [7, 5] },
  { pattern: named('V100S?'), gib: [16, 32], compute: [7, 0] },
  { pattern: named('P100'), gib: [16, 12], compute: [6, 0] },
];

/** Memory of the largest GPU that we know, in MiB. */
export const LARGEST_GPU_MIB = Math.max(...PRODUCTS.flatMap(({ gib }) => gib)) * 1024;

function named(name: string): RegExp {
  return new RegExp(`(^|-)${name}(-|$)`);
}

export interface GpuModel {
  /** Nominal memory in MiB; what a driver reports may be a little less. */
  readonly memoryMiB: number;
  readonly compute: ComputeCapability;
  readonly migClass: MigClass | undefined;
}

/** The product itself: `NVIDIA-A100-SXM4-40GB`, without `-SHARED` and `-MIG-…`, which the device plugin adds. */
export function productOf(label: string): string {
  return label.replace(/-SHARED$/, '').replace(/-MIG-.*$/, '');
}

/**
 * What a product label stands for: `NVIDIA-A100-SXM4-40GB`, also with what the device plugin adds
 * (`…-SHARED`, `…-MIG-1g.5gb`); undefined for a product we do not know.
 */
export function gpuModelOf(label: string): GpuModel | undefined {
  const name = productOf(label);
  const product = PRODUCTS.find(({ pattern }) => pattern.test(name));
  if (!product) return undefined;
  const stated = Number(/(?:^|-)(\d+)GB(?:-|$)/.exec(name)?.[1]);
  const gib = product.gib.includes(stated) ? stated : (product.gib[0] ?? 0);
  return { memoryMiB: gib * 1024, compute: product.compute, migClass: product.migClass };
}

/** MIG class of a product label such as `NVIDIA-A100-SXM4-40GB`; undefined if it has no MIG or is unknown. */
export function migClassOf(label: string): MigClass | undefined {
  return gpuModelOf(label)?.migClass;
}

/**
 * Clients that MPS takes on one GPU: 48, and 16 before compute capability 7.5. An unknown product counts as new.
 * Source: NVIDIA, "Multi-Process Service"; the device plugin checks it.
 */
export function mostMpsClients(label: string): number {
  const [major, minor] = gpuModelOf(label)?.compute ?? [7, 5];
  return major > 7 || (major === 7 && minor >= 5) ? 48 : 16;
}

/** Profile names of a GPU of `gib` GiB: `1g.5gb`, `1g.5gb+me`, … in the order of the class. */
export function migProfiles(migClass: MigClass, gib: number): string[] {
  return migClass.instances.map(({ compute, memory, me }) => {
    const eighths = Math.ceil((8 * memory) / migClass.memorySlices);
    // The rule of go-nvlib: the share of memory, in eighths, of the whole GiB, rounded half up.
    return `${compute}g.${Math.round((eighths * gib) / 8)}gb${me ? '+me' : ''}`;
  });
}

/** Every MIG profile of every known product, for the configuration of a scheduler. */
export function allMigProfiles(): string[] {
  const names = PRODUCTS.flatMap(({ migClass, gib }) =>
    migClass ? gib.flatMap((size) => migProfiles(migClass, size)) : [],
  );
  return [...new Set(names)].sort();
}
