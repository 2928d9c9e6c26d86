/** A role of ours as users run it, on a real API server. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../test/cluster/processes.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
/** Another checkout's `src/main.ts`, which is started in turn with ours. */
export const BASELINE = process.env.COLD_START_BASELINE;

export interface LiveRole {
  readonly url: string;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** Resolves once it is ready. @throws Error if it ends before */
export async function startRole(
  role: 'extender' | 'controller',
  kubeconfigFile: string,
  flags: readonly string[] = [],
  main = MAIN,
): Promise<LiveRole> {
  const [port = 0] = await freePorts(1);
  const all = [`--${role}-port`, String(port), '--kubeconfig', kubeconfigFile, '--log-level', 'warn', ...flags];
  const child = spawn(process.execPath, [main, role, ...all], { stdio: 'inherit' });
  const exit = once(child, 'exit');
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    child.kill();
    await exit;
  };
  while (!(await fetch(`${url}/readyz`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null) throw new Error(`the ${role} ended with exit code ${child.exitCode}`);
    await sleep(20);
  }
  return { url, pid: child.pid, stop };
}
