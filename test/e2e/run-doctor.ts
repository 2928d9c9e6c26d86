/** Runs `gpu-autoscaler doctor`, as a user does. */

import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { z } from 'zod';

const root = resolve(import.meta.dirname, '../..');
const BIN = join(root, 'bin/gpu-autoscaler.js');

export function doctor(args: readonly string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}) {
  const env = { ...process.env, KUBECONFIG: '/nowhere/kubeconfig', ...options.env };
  return spawnSync(process.execPath, [BIN, 'doctor', ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
    ...options,
    env,
  });
}

const listSchema = z.strictObject({
  apiVersion: z.literal('gpu-autoscaler.io/v1'),
  kind: z.literal('FindingList'),
  items: z.array(
    z.strictObject({
      check: z.string(),
      severity: z.enum(['error', 'warning']),
      message: z.string(),
      fix: z.string(),
      objects: z.array(z.string()),
    }),
  ),
  checks: z.array(
    z.strictObject({ name: z.string(), about: z.string(), result: z.enum(['fine', 'found', 'unknown']) }),
  ),
  notLookedAt: z.array(z.strictObject({ kinds: z.array(z.string()), why: z.string(), checks: z.array(z.string()) })),
  gpuNodes: z.number().nullable(),
});
/** Of `-o json`. */
export const findingListOf = (stdout: string) => listSchema.parse(JSON.parse(stdout));

/** `severity check` of each item, in order. */
export const namesIn = (stdout: string) =>
  findingListOf(stdout).items.map(({ severity, check }) => `${severity} ${check}`);
