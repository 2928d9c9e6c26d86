/**
 * What is known of GPU products: memory, compute capability, and how MIG cuts them. Profiles are
 * derived by NVIDIA's rules (MIG user guide), not listed.
 */

import { type MigProfile, PROFILE_ATTRIBUTES, parseMigProfile } from './mig/profile.ts';

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
  /** Its instances come with every attribute too: we make none of those, but may meet them. */
  readonly hasGraphics?: true;
}

/** A100, A800, H100, H800, H200, GH200, H20, B200, GB200, B300, GB300. */
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
/** RTX PRO 5000 and 4500: two halves. */
const TWO_SLICE: MigClass = {
  computeSlices: 2,
  memorySlices: 2,
  instances: [
    { compute: 1, memory: 1, starts: [0, 1] },
    { compute: 2, memory: 2, starts: [0] },
  ],
  hasGraphics: true,
};
const RTX_PRO_6000: MigClass = {
  computeSlices: 4,
  memorySlices: 4,
  instances: [
    { compute: 1, memory: 1, starts: [0, 1, 2, 3] },
    { compute: 2, memory: 2, starts: [0, 2] },
    { compute: 4, memory: 4, starts: [0] },
  ],
  hasGraphics: true,
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
  { pattern: named('A100'), gib: [40, 80, 64], compute: [8, 0], migClass: SEVEN_SLICE },
  { pattern: named('A800'), gib: [80, 40], compute: [8, 0], migClass: SEVEN_SLICE },
  { pattern: named('GH200'), gib: [96, 141, 144], compute: [9, 0], migClass: SEVEN_SLICE },
  { pattern: named('H[18]00'), gib: [80, 94, 96], compute: [9, 0], migClass: SEVEN_SLICE },
  { pattern: named('H200'), gib: [141], compute: [9, 0], migClass: SEVEN_SLICE },
  { pattern: named('H20'), gib: [96, 141], compute: [9, 0], migClass: SEVEN_SLICE },
  { pattern: named('B200'), gib: [180, 192], compute: [10, 0], migClass: SEVEN_SLICE },
  { pattern: named('GB200'), gib: [186, 192], compute: [10, 0], migClass: SEVEN_SLICE },
  { pattern: named('B300'), gib: [269], compute: [10, 3], migClass: SEVEN_SLICE },
  { pattern: named('GB300'), gib: [278], compute: [10, 3], migClass: SEVEN_SLICE },
  { pattern: named('A30'), gib: [24], compute: [8, 0], migClass: A30 },
  { pattern: /RTX-PRO-6000/, gib: [96], compute: [12, 0], migClass: RTX_PRO_6000 },
  { pattern: /RTX-PRO-5000/, gib: [48, 72], compute: [12, 0], migClass: TWO_SLICE },
  { pattern: /RTX-PRO-4500/, gib: [32], compute: [12, 0], migClass: TWO_SLICE },
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
  // The guest of a vGPU has a part of the GPU whose name it bears: `GRID-A100-10C`.
  const product = name.startsWith('GRID-') ? undefined : PRODUCTS.find(({ pattern }) => pattern.test(name));
  if (!product) return undefined;
  const stated = Number(/(?:^|-)(\d+)GB?(?:-|$)/.exec(name)?.[1]);
  const gib = product.gib.includes(stated) ? stated : (product.gib[0] ?? 0);
  return { memoryMiB: gib * 1024, compute: product.compute, migClass: product.migClass };
}

/**
 * The profile in a product label under the MIG strategy `single`: `NVIDIA-A100-SXM4-40GB-MIG-1g.5gb`; undefined without
 * MIG; `unknown` for what is no profile (`…-MIG-INVALID`).
 */
export function profileOfProduct(label: string): MigProfile | 'unknown' | undefined {
  const name = /-MIG-(.+)$/.exec(label.replace(/-SHARED$/, ''))?.[1];
  // A label holds no `+`.
  return name === undefined ? undefined : (parseMigProfile(name.replace(/\.(me|me\.all|gfx)$/, '+$1')) ?? 'unknown');
}

/** The GPUs behind so many instances of one profile, and the memory of each in MiB, by the name of the profile. */
export function gpusWithInstances(
  product: string,
  profile: MigProfile,
  instances: number | undefined,
): { readonly gpus: number | undefined; readonly gpuMiB: number | undefined } {
  const entry = PRODUCTS.find(({ pattern }) => pattern.test(product));
  const migClass = entry?.migClass;
  const gib = migClass && entry.gib.find((size) => migProfiles(migClass, size).includes(profile.name));
  const kind = migClass && gib ? migClass.instances[migProfiles(migClass, gib).indexOf(profile.name)] : undefined;
  const perGpu = kind ? maxInstances(kind, migClass?.computeSlices ?? 7) : Math.floor(7 / profile.computeSlices);
  return {
    gpus: instances === undefined ? undefined : Math.ceil(instances / Math.max(1, perGpu)),
    gpuMiB: gib === undefined ? undefined : gib * 1024,
  };
}

/** The most instances of a kind on one GPU. */
function maxInstances({ compute, me, starts }: InstanceKind, computeSlices: number): number {
  return me ? 1 : Math.min(starts.length, Math.floor(computeSlices / compute));
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

/** Every MIG profile of every known product. */
export function allMigProfiles(): string[] {
  const names = PRODUCTS.flatMap(({ migClass, gib }) => {
    if (!migClass) return [];
    const attributes = migClass.hasGraphics ? ['', ...PROFILE_ATTRIBUTES] : [''];
    return gib.flatMap((size) =>
      migProfiles(migClass, size).flatMap((name) => attributes.map((attribute) => name + attribute)),
    );
  });
  return [...new Set(names)].sort();
}
