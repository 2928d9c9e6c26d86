/** The share of a GPU's memory that an inference server takes, by the flag that tells it so. */

import type { AdmissionPod } from './admission-pod.ts';
import { commandWords, flagAt } from './command-words.ts';

/** vLLM's, and of servers built on it. */
const FLAG = '--gpu-memory-utilization';

/** In milli-GPU, the largest of several; undefined where no command says so, or says it by a variable. */
export function memoryShareOf({ spec }: AdmissionPod): number | undefined {
  const words = commandWords(spec.containers);
  const shares: number[] = [];
  for (const i of words.keys()) {
    const flag = flagAt(words, i);
    if (flag?.name !== FLAG) continue;
    const share = Number(flag.value);
    // What cannot be read may be anything.
    if (flag.value === '' || !(share > 0 && share <= 1)) return undefined;
    shares.push(Math.ceil(share * 1_000));
  }
  return shares.length > 0 ? Math.max(...shares) : undefined;
}
