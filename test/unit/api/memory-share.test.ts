/** The share of a GPU's memory that a server says it takes. */

import tap from 'tap';
import { admissionPodSchema } from '#src/api/admission-pod.ts';
import { memoryShareOf } from '#src/api/memory-share.ts';

const CASES: readonly [says: string, containers: readonly object[], milli: number | undefined][] = [
  ['a flag with its value', [{ args: ['--gpu-memory-utilization=0.3'] }], 300],
  ['in two words', [{ command: ['vllm', 'serve'], args: ['m', '--gpu-memory-utilization', '0.25'] }], 250],
  ['with underscores', [{ args: ['--gpu_memory_utilization=0.3'] }], 300],
  ['within a script', [{ command: ['sh', '-c'], args: ['vllm serve m --gpu-memory-utilization 0.4 && true'] }], 400],
  ['rounded up', [{ args: ['--gpu-memory-utilization=0.3335'] }], 334],
  ['all of it', [{ args: ['--gpu-memory-utilization=1'] }], 1_000],
  [
    'the largest of several',
    [{ args: ['--gpu-memory-utilization=0.1'] }, { args: ['--gpu-memory-utilization=0.2'] }],
    200,
  ],
  ['none', [{ args: ['--model', 'm'] }], undefined],
  ['by a variable', [{ args: ['--gpu-memory-utilization=$(SHARE)'] }], undefined],
  [
    'one that cannot be read beside one that can',
    [{ args: ['--gpu-memory-utilization=0.1', '--gpu-memory-utilization'] }],
    undefined,
  ],
  ['more than there is', [{ args: ['--gpu-memory-utilization=1.5'] }], undefined],
  ['nothing', [{ args: ['--gpu-memory-utilization=0'] }], undefined],
];
for (const [says, containers, milli] of CASES) {
  tap.test(says, async (t) => {
    const pod = { metadata: {}, spec: { containers: containers.map((each, i) => ({ name: `c${i}`, ...each })) } };
    t.equal(memoryShareOf(admissionPodSchema.parse(pod)), milli);
  });
}
