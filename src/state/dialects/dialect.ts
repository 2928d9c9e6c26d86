/** How a node says what it is: one interface for all dialects; the conformance suite of the tests holds each of them to it. */

import type { StoredNode } from '../../api/stored-objects.ts';
import type { PlainInstance } from '../../core/inventory.ts';
import type { ReplicaMode } from '../../core/sharing-mode.ts';

/** The facts of a node's GPUs, as far as its dialect reports them. All others are unknown, never a guess. */
export interface GpuReading {
  /** The product, without what a device plugin adds to its name: `Tesla-T4`, never `Tesla-T4-SHARED`; '' if unknown. */
  readonly product: string;
  /** Physical GPUs; undefined if unknown. */
  readonly gpus: number | undefined;
  /** Memory of one of them in MiB; undefined if unknown. */
  readonly gpuMiB: number | undefined;
  /** Slots on each GPU that is shared, at least 1. */
  readonly replicas: number;
  /** How GPUs without MIG are shared; undefined: not at all, or unknown. */
  readonly sharing: ReplicaMode | undefined;
  /** Memory of one MIG instance in MiB, by resource: `nvidia.com/mig-1g.5gb`. */
  readonly migMiB: ReadonlyMap<string, number>;
  /** MIG instances on the whole node, by resource. */
  readonly migCounts: Readonly<Record<string, number>>;
  /** Slots on each MIG instance that is shared in turn, by resource; at least 2. */
  readonly migReplicas: ReadonlyMap<string, number>;
  /** What the device plugin offers under the name of a GPU, where that is a MIG instance. */
  readonly instance: PlainInstance | undefined;
  /** Whether MIG cannot be switched on. */
  readonly noMig: boolean;
  /** Whether NVIDIA's device plugin and mig-manager run on the node, which change partitions for us. */
  readonly changeable: boolean;
  /** Why the labels do not tell the size of what is offered, in one sentence; undefined: they do. */
  readonly unsized: string | undefined;
}

export interface NodeDialect {
  /** What people call it: `GPU Feature Discovery`. */
  readonly name: string;
  /** The facts that the node reports; undefined if it does not speak this dialect. Never throws. */
  read(node: StoredNode): GpuReading | undefined;
}

/** A node that no dialect understands. */
export const SILENT: GpuReading = {
  product: '',
  gpus: undefined,
  gpuMiB: undefined,
  replicas: 1,
  sharing: undefined,
  migMiB: new Map(),
  migCounts: {},
  migReplicas: new Map(),
  instance: undefined,
  noMig: false,
  changeable: false,
  unsized: undefined,
};

/** A label's count; undefined for what is no number from 1 to the bound: a label is only text, and must not size an array. */
export function positive(text: string | undefined, max = Number.MAX_SAFE_INTEGER): number | undefined {
  const value = wholeNumber(text) ?? 0;
  return value > 0 && value <= max ? value : undefined;
}

/** Undefined for what is no whole number. */
export function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
