/** The configuration of mig-parted, as it reads it: unknown fields are errors. Source: mig-parted 0.15 (`api/spec/v1`). */

import { z } from 'zod';
import type { Parsed } from '../../core/units.ts';
import type { Layout } from './hardware.ts';
import { readYaml } from './read-yaml.ts';

/** What is wanted of some GPUs. */
export interface MigConfigEntry {
  readonly devices: 'all' | readonly number[];
  readonly migEnabled: boolean;
  readonly layout: Layout;
}

const entry = z
  .strictObject({
    'device-filter': z.union([z.string(), z.array(z.string())]).optional(),
    devices: z.union([z.literal('all'), z.array(z.int().min(0))]),
    'mig-enabled': z.boolean(),
    'mig-devices': z.record(z.string(), z.int().min(0)).optional(),
  })
  .refine((fields) => !fields['mig-enabled'] || fields['mig-devices'] !== undefined, {
    error: 'missing required field: mig-devices',
  });
const configSchema = z.strictObject({
  version: z.literal('v1', { error: 'unknown version' }),
  'mig-configs': z.record(z.string(), z.array(entry)),
});

/** By name. */
export function parseMigConfigs(text: string): Parsed<ReadonlyMap<string, readonly MigConfigEntry[]>> {
  const parsed = readYaml(text, configSchema);
  if (!parsed.ok) return parsed;
  const configs = Object.entries(parsed.value['mig-configs']).map(([name, entries]): [string, MigConfigEntry[]] => [
    name,
    entries.map((each) => ({
      devices: each.devices,
      migEnabled: each['mig-enabled'],
      layout: each['mig-devices'] ?? {},
    })),
  ]);
  return { ok: true, value: new Map(configs) };
}
