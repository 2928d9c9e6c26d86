/** A worker thread: takes jobs, one after the other, on the input that it was started with. */

import { parentPort, workerData } from 'node:worker_threads';
import { run } from '../../core/simulation/run.ts';
import { runSlots } from '../../core/simulation/slot-replay.ts';
import { strategyByName } from '../../core/strategies/registry.ts';
import type { Job, SharedInput } from './jobs.ts';

const input = workerData as SharedInput;

parentPort?.on('message', ({ strategy: name, seed }: Job) => {
  const strategy = strategyByName(name);
  if (!strategy) throw new RangeError(`no strategy is called ${name}`);
  const now = () => performance.now();
  const result =
    input.kind === 'slots' ? runSlots({ ...input, strategy, seed }, now) : run({ ...input, strategy, seed }, now);
  parentPort?.postMessage(result);
});
