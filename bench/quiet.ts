/** Waits for a moment at which nobody else computes: benches of processes share their machine with others'. */

import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 3_000;
/** Of all cores' time. */
const IDLE = 0.85;

/** Resolves once the machine is idle, or after a while of waiting in vain. @param log told of the latter */
export async function quiet(log: (line: string) => void, longestMs = 300_000): Promise<void> {
  const until = performance.now() + longestMs;
  for (let before = times(); performance.now() < until; ) {
    await sleep(LOOK_MS);
    const now = times();
    if ((now.idle - before.idle) / (now.all - before.all) > IDLE) return;
    before = now;
  }
  log('others are at work on this machine: figures are too high');
}

function times(): { readonly idle: number; readonly all: number } {
  const each = cpus().map((core) => core.times);
  return {
    idle: each.reduce((sum, { idle }) => sum + idle, 0),
    all: each.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0),
  };
}
