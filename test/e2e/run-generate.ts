/** Runs `gpu-autoscaler generate`, as a user does. */

import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const BIN = join(root, 'bin/gpu-autoscaler.js');

export function generate(args: readonly string[], input = '') {
  return spawnSync(process.execPath, [BIN, 'generate', ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
    input,
    env: { ...process.env, KUBECONFIG: '/nowhere/kubeconfig' },
  });
}
