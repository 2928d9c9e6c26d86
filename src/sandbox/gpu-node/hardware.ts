/** The GPUs of an emulated node, and what the driver knows of them. */

import { gpuModelOf, migProfiles } from '../../core/gpu-catalog.ts';
import { EMPTY, MigGeometry } from '../../core/mig/geometry.ts';

export interface Gpu {
  readonly index: number;
  readonly uuid: string;
  /** MIG mode. */
  readonly migEnabled: boolean;
  /** Instances, by profile name, in the order in which they were made; empty without MIG. */
  readonly instances: readonly Instance[];
}

export interface Instance {
  readonly uuid: string;
  /** `1g.5gb` */
  readonly profile: string;
}

export interface GpuKind {
  /** As GPU Feature Discovery labels it: `NVIDIA-A100-SXM4-40GB`. */
  readonly product: string;
  /** `nvidia.com/gpu.memory` */
  readonly memoryMiB: number;
}

/** What the driver knows by now. */
export interface Driver {
  gpus: readonly Gpu[];
}

/** GPUs as they leave the factory: MIG off. */
export function newGpus(node: string, count: number): Gpu[] {
  return Array.from({ length: count }, (_, index) => {
    return { index, uuid: `GPU-${node}-${index}`, migEnabled: false, instances: [] };
  });
}

/** How many of each profile. */
export type Layout = Readonly<Record<string, number>>;

export function layoutOf({ instances }: Gpu): Layout {
  const layout: Record<string, number> = {};
  for (const { profile } of instances) layout[profile] = (layout[profile] ?? 0) + 1;
  return layout;
}

export function sameLayout(a: Layout, b: Layout): boolean {
  const counts = (layout: Layout) =>
    JSON.stringify(
      Object.entries(layout)
        .filter(([, count]) => count > 0)
        .sort(),
    );
  return counts(a) === counts(b);
}

/** Whether a GPU of that kind can be cut so; false for one without MIG, and for a profile that it does not have. */
export function canHold({ product, memoryMiB }: GpuKind, layout: Layout): boolean {
  const migClass = gpuModelOf(product)?.migClass;
  if (!migClass) return Object.values(layout).every((count) => count === 0);
  const names = migProfiles(migClass, Math.ceil(memoryMiB / 1024));
  if (!Object.keys(layout).every((name) => names.includes(name))) return false;
  return new MigGeometry(migClass).canHost(
    EMPTY,
    names.map((name) => layout[name] ?? 0),
  );
}
