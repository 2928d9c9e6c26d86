/** How a node says what it is: one interface for all dialects; the conformance suite of the tests holds each of them to it. */

import type { StoredNode } from '../../api/stored-objects.ts';
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
}

export interface NodeDialect {
  /** What people call it: `GPU Feature Discovery`. */
  readonly name: string;
  /** The facts that the node reports; undefined if it does not speak this dialect. Never throws. */
  read(node: StoredNode): GpuReading | undefined;
}

/** A node that reports nothing. */
export const SILENT: GpuReading = {
  product: '',
  gpus: undefined,
  gpuMiB: undefined,
  replicas: 1,
  sharing: undefined,
  migMiB: new Map(),
  migCounts: {},
};
