/** Runs `gpu-autoscaler decide`, as a user does. */

import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { z } from 'zod';

const root = resolve(import.meta.dirname, '../..');
export const BIN = join(root, 'bin/gpu-autoscaler.js');

export function decide(args: readonly string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}) {
  const env = { ...process.env, KUBECONFIG: '/nowhere/kubeconfig', ...options.env };
  return spawnSync(process.execPath, [BIN, 'decide', ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
    ...options,
    env,
  });
}

const listSchema = z.object({
  apiVersion: z.literal('gpu-autoscaler.io/v1'),
  kind: z.literal('DecisionList'),
  items: z.array(
    z.looseObject({
      file: z.string(),
      object: z.string(),
      action: z.string(),
      strategy: z.string(),
      resource: z.string().nullable(),
      policy: z.string().nullable(),
      reasons: z.array(z.string()),
      pod: z.looseObject({}).nullable(),
    }),
  ),
});
/** Of `-o json`. */
export const itemsOf = (stdout: string) => listSchema.parse(JSON.parse(stdout)).items;
