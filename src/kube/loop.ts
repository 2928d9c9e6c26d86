/** Work that is due after changes: some time after the first of many, one run at a time, and again if it failed. */

import { setTimeout as sleep } from 'node:timers/promises';

export interface LoopOptions {
  /** Rejects if it must be tried again. */
  readonly work: () => Promise<void>;
  readonly failed: (error: Error) => void;
  /** ms from a change to the run. */
  readonly settleMs: number;
  /** ms until another try. */
  readonly retryMs: number;
}

export class Loop {
  readonly #options: LoopOptions;
  readonly #stopping = new AbortController();
  #due = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** Something has changed. */
  trigger(): void {
    this.#due.resolve();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.trigger();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { work, failed, settleMs, retryMs } = this.#options;
    const { signal } = this.#stopping;
    const pause = (ms: number) => sleep(ms, undefined, { signal, ref: false }).catch(() => {});
    for (;;) {
      await this.#due.promise;
      await pause(settleMs);
      if (signal.aborted) return;
      this.#due = Promise.withResolvers();
      try {
        await work();
      } catch (error) {
        if (signal.aborted) return;
        failed(error as Error);
        this.trigger();
        await pause(retryMs);
      }
    }
  }
}
