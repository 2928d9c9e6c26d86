import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** Default 30 s. */
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

/**
 * The probe's first answer that is neither undefined nor false.
 * @throws Error that says what was waited for
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs = 30_000, everyMs = 50 }: WaitOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`);
    await sleep(everyMs);
  }
}
