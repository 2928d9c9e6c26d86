/** Runs on worker threads. What comes out does not depend on how many there are. */

import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { RunOptions, RunResult } from '../../core/simulation/run.ts';
import type { SlotRunOptions } from '../../core/simulation/slot-replay.ts';

export interface Job {
  readonly strategy: string;
  readonly seed: number;
}

/** A trace, whose GPUs any pod may cut as it needs; or nodes with the slots that they have. */
export type SharedInput =
  | ({ readonly kind: 'trace' } & Omit<RunOptions, 'strategy' | 'seed'>)
  | ({ readonly kind: 'slots' } & Omit<SlotRunOptions, 'strategy' | 'seed'>);

export interface JobsOptions {
  readonly jobs: readonly Job[];
  readonly input: SharedInput;
  readonly workers: number;
  /** Called after each job. */
  readonly done: (finished: number) => void;
}

/** In the order of the jobs. @throws what a run throws */
export async function runJobs({ jobs, input, workers, done }: JobsOptions): Promise<RunResult[]> {
  const results = new Array<RunResult>(jobs.length);
  // The same file, compiled or not.
  const file = join(import.meta.dirname, `worker${extname(import.meta.filename)}`);
  const threads = Array.from({ length: Math.min(workers, jobs.length) }, () => new Worker(file, { workerData: input }));
  let next = 0;
  let finished = 0;
  const work = (worker: Worker) =>
    new Promise<void>((resolve, reject) => {
      const give = () => {
        const index = next;
        const job = jobs[index];
        if (!job) return resolve();
        next += 1;
        worker.once('message', (result: RunResult) => {
          results[index] = result;
          finished += 1;
          done(finished);
          give();
        });
        worker.postMessage(job);
      };
      worker.once('error', reject);
      give();
    });
  try {
    await Promise.all(threads.map(work));
    return results;
  } finally {
    await Promise.all(threads.map((worker) => worker.terminate()));
  }
}
