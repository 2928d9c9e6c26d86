/**
 * The configuration of NVIDIA's device plugin, as the plugin itself reads it. Source: k8s-device-plugin 0.20
 * (`api/config/v1`); what it takes, warns of and refuses.
 */

import { z } from 'zod';
import { mostMpsClients } from '../../core/gpu-catalog.ts';
import { WHOLE_GPU } from '../../core/resources.ts';
import type { Parsed } from '../../core/units.ts';
import { readYaml } from './read-yaml.ts';

export type MigStrategy = 'none' | 'single' | 'mixed';

export interface PluginSharing {
  readonly mode: 'timeslicing' | 'mps';
  /** Slots of each device, by the resource that is shared. */
  readonly replicas: ReadonlyMap<string, number>;
  /** `nvidia.com/gpu` becomes `nvidia.com/gpu.shared`. */
  readonly renameByDefault: boolean;
  /** A container that asks for more than one slot is refused. */
  readonly failRequestsGreaterThanOne: boolean;
}

export interface PluginConfig {
  readonly migStrategy: MigStrategy;
  readonly allocationPolicy: 'distributed' | 'packed';
  readonly sharing: PluginSharing | undefined;
  /** What the plugin logs and goes on from. */
  readonly warnings: readonly string[];
}

const resources = z.array(
  z.object({
    name: z.string().min(1),
    replicas: z.int().min(2, { error: 'number of replicas must be >= 2' }),
    devices: z.unknown().optional(),
    rename: z.string().optional(),
  }),
);
const sharing = z.object({
  renameByDefault: z.boolean().default(false),
  failRequestsGreaterThanOne: z.boolean().optional(),
  resources: resources.min(1),
});
const configSchema = z.object({
  version: z.literal('v1', { error: 'unknown version' }),
  flags: z
    .object({
      migStrategy: z.enum(['none', 'single', 'mixed']).default('none'),
      plugin: z
        .object({ sharedDevicesAllocationPolicy: z.enum(['distributed', 'packed']).default('distributed') })
        .prefault({}),
    })
    .prefault({}),
  sharing: z.object({ timeSlicing: sharing.optional(), mps: sharing.optional() }).prefault({}),
});

/**
 * @param product of the node's GPUs, which bounds the clients of MPS
 */
export function parsePluginConfig(text: string, product: string): Parsed<PluginConfig> {
  const parsed = readYaml(text, configSchema);
  if (!parsed.ok) return parsed;
  const { flags, sharing } = parsed.value;
  const warnings: string[] = [];
  // Of the two, MPS wins without a word.
  const mode = sharing.mps ? 'mps' : 'timeslicing';
  const chosen = sharing.mps ?? sharing.timeSlicing;
  for (const { devices, rename } of chosen?.resources ?? []) {
    if (devices !== undefined && devices !== 'all')
      warnings.push('customizing the devices field is not yet supported: all');
    if (rename !== undefined) warnings.push('customizing the rename field is not yet supported: by default');
  }
  if (mode === 'mps' && chosen) {
    if (flags.migStrategy === 'mixed')
      return { ok: false, reason: 'using --mig-strategy=mixed is not supported with MPS' };
    const most = mostMpsClients(product);
    const over = chosen.resources.find(({ replicas }) => replicas > most);
    if (over) return { ok: false, reason: `invalid MPS configuration: ${over.replicas} replicas, at most ${most}` };
    const other = chosen.resources.find(({ name }) => name !== WHOLE_GPU);
    if (other) return { ok: false, reason: `invalid MPS configuration: ${other.name} cannot be shared by MPS` };
  }
  return {
    ok: true,
    value: {
      migStrategy: flags.migStrategy,
      allocationPolicy: flags.plugin.sharedDevicesAllocationPolicy,
      sharing: chosen && {
        mode,
        replicas: new Map(chosen.resources.map(({ name, replicas }) => [name, replicas])),
        renameByDefault: chosen.renameByDefault,
        failRequestsGreaterThanOne: chosen.failRequestsGreaterThanOne ?? mode === 'mps',
      },
      warnings,
    },
  };
}

/** What the plugin does without a configuration of its own. */
export const PLAIN: PluginConfig = {
  migStrategy: 'none',
  allocationPolicy: 'distributed',
  sharing: undefined,
  warnings: [],
};
