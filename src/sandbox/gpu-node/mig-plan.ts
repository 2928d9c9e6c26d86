/** What mig-parted would do to a node's GPUs, and when it fails. Pure. Source: mig-parted 0.15, `pkg/mig/{mode,config}`. */

import type { Parsed } from '../../core/units.ts';
import { canHold, type Gpu, type GpuKind, type Layout, layoutOf, sameLayout } from './hardware.ts';
import type { MigConfigEntry } from './mig-parted-config.ts';

export interface MigPlan {
  /** GPUs whose MIG mode changes. */
  readonly modes: readonly number[];
  /** GPUs that are cleared and cut again, with what they get. */
  readonly cuts: ReadonlyMap<number, Layout>;
}

/** Whether there are neither modes nor cuts: it is so already, and no pod is disturbed. */
export function isDone({ modes, cuts }: MigPlan): boolean {
  return modes.length === 0 && cuts.size === 0;
}

/**
 * A GPU that has what it should is left alone only if no mode changes anywhere in the configuration: else every GPU
 * that is named is cleared.
 */
export function planMig(gpus: readonly Gpu[], kind: GpuKind, entries: readonly MigConfigEntry[]): Parsed<MigPlan> {
  const wanted = new Map<number, MigConfigEntry>();
  for (const entry of entries) {
    const named = entry.devices === 'all' ? gpus.map(({ index }) => index) : entry.devices;
    for (const index of named) {
      if (!gpus.some((gpu) => gpu.index === index)) return { ok: false, reason: `there is no GPU ${index}` };
      wanted.set(index, entry);
    }
    if (!canHold(kind, entry.layout)) return { ok: false, reason: `no GPU holds ${JSON.stringify(entry.layout)}` };
  }
  const modes = gpus.flatMap(({ index, migEnabled }) => {
    const entry = wanted.get(index);
    return entry && entry.migEnabled !== migEnabled ? [index] : [];
  });
  const cuts = new Map<number, Layout>();
  for (const gpu of gpus) {
    const entry = wanted.get(gpu.index);
    if (!entry) continue;
    if (modes.length > 0 || !sameLayout(layoutOf(gpu), entry.layout)) cuts.set(gpu.index, entry.layout);
  }
  return { ok: true, value: { modes, cuts } };
}

/** The GPUs after it. @param uuid of each new instance */
export function applyMig(gpus: readonly Gpu[], { modes, cuts }: MigPlan, uuid: () => string): Gpu[] {
  return gpus.map((gpu) => {
    const migEnabled = modes.includes(gpu.index) ? !gpu.migEnabled : gpu.migEnabled;
    const layout = cuts.get(gpu.index);
    if (!layout) return { ...gpu, migEnabled };
    const instances = Object.entries(layout).flatMap(([profile, count]) =>
      Array.from({ length: count }, () => ({ uuid: uuid(), profile })),
    );
    return { ...gpu, migEnabled, instances };
  });
}
