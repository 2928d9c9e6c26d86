/** Ties a control plane to a test: stopped with it, logs kept if it failed, skipped where it cannot be had. */

import { join } from 'node:path';
import type { Test } from 'tap';
import { ProgramsMissingError } from './programs.ts';
import { type Stack, type StackOptions, startStack } from './stack.ts';
import { type Cluster, type ClusterOptions, startCluster } from './start.ts';

/** Undefined if the test has been skipped: return at once. */
export async function clusterFor(t: Test, options?: ClusterOptions): Promise<Cluster | undefined> {
  return tie(t, async () => {
    const cluster = await startCluster({ ...options, log: (line) => t.comment(line) });
    return { running: cluster, dir: cluster.dir };
  });
}

/** The same with webhook, extender and scheduler. */
export async function stackFor(t: Test, options?: StackOptions): Promise<Stack | undefined> {
  return tie(t, async () => {
    const stack = await startStack({ ...options, log: (line) => t.comment(line) });
    return { running: stack, dir: stack.cluster.dir };
  });
}

interface Stoppable {
  stop(options: { readonly keepLogs: boolean }): Promise<void>;
}

async function tie<T extends Stoppable>(
  t: Test,
  start: () => Promise<{ running: T; dir: string }>,
): Promise<T | undefined> {
  try {
    const { running, dir } = await start();
    t.teardown(async () => {
      const keepLogs = !t.passing();
      await running.stop({ keepLogs });
      if (keepLogs) t.comment(`logs: ${join(dir, 'logs')}`);
    });
    return running;
  } catch (error) {
    // In CI a machine without a control plane is a fault of the machine, not a reason to look away.
    if (!(error instanceof ProgramsMissingError) || process.env.CLUSTER_REQUIRED) throw error;
    t.pass('not run', { skip: `no control plane on this machine: ${error.message}` });
    return undefined;
  }
}
