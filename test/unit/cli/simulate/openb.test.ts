/** Reading nodes and pods as CSV: what comes of good files, and what is said of bad ones. */

import tap from 'tap';
import { readNodes, readPods, readTimedPods } from '#src/cli/simulate/openb.ts';

const NODES = 'sn,cpu_milli,memory_mib,gpu,model';
const PODS = 'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time';
const nodes = (...lines: string[]) => readNodes({ name: 'nodes.csv', text: lines.join('\n') });
const pods = (...lines: string[]) => readPods({ name: 'pods.csv', text: lines.join('\n') });

tap.test('nodes come in the order of the file', async (t) => {
  t.strictSame(nodes(NODES, 'b,64000,262144,2,P100', 'a,96000,393216,8,G2', ''), [
    { name: 'b', createdAt: 0, product: 'P100', cpuMilli: 64_000, memoryMiB: 262_144, gpus: 2 },
    { name: 'a', createdAt: 1, product: 'G2', cpuMilli: 96_000, memoryMiB: 393_216, gpus: 8 },
  ]);
});

tap.test('pods of one kind are one demand', async (t) => {
  const [a, b, c] = pods(
    PODS,
    'a,6000,12288,1,460,,LS,Running,1,2',
    'b,6000,12288,1,460,,BE,Running,3,4',
    'c,1,2,8,1000,T4|P100,,,,',
  );
  t.equal(a, b);
  t.strictSame(a, { cpuMilli: 6_000, memoryMiB: 12_288, gpus: 1, milli: 460, products: undefined });
  t.strictSame(c, { cpuMilli: 1, memoryMiB: 2, gpus: 8, milli: 1_000, products: new Set(['T4', 'P100']) });
});

tap.test('columns may be fewer, in another order, quoted, and behind a byte order mark', async (t) => {
  const [only] = pods('\ufeffgpu_milli,num_gpu,"name",memory_mib,cpu_milli', '0,0,"a ""pod"", quoted",2,1');
  t.strictSame(only, { cpuMilli: 1, memoryMiB: 2, gpus: 0, milli: 0, products: undefined });
});

tap.test('times: an empty end is no end', async (t) => {
  const file = { name: 'pods.csv', text: [PODS, 'a,1,2,1,1000,,,,10,20', 'b,1,2,1,1000,,,,30,'].join('\n') };
  t.match(readTimedPods(file), [
    { start: 10, end: 20 },
    { start: 30, end: Number.POSITIVE_INFINITY },
  ]);
});

const BAD: readonly [what: string, read: () => unknown, says: string][] = [
  ['nothing', () => nodes(''), 'nodes.csv: the file is empty'],
  ['a heading alone', () => nodes(NODES), 'nodes.csv: there are no rows after the heading'],
  [
    'a column that is missing',
    () => nodes('sn,cpu_milli', 'a,1'),
    'nodes.csv:1: there is no column memory_mib; found are sn, cpu_milli',
  ],
  [
    'a word for a number',
    () => nodes(NODES, 'a,1,2,8,G2', 'b,1,2,eight,G2'),
    'nodes.csv:3:4: gpu "eight" is not a whole number from 0 on',
  ],
  [
    'a negative number',
    () => nodes(NODES, 'a,-1,2,8,G2'),
    'nodes.csv:2:2: cpu_milli "-1" is not a whole number from 0 on',
  ],
  [
    'a fraction',
    () => pods(PODS, 'a,1.5,2,1,1000,,,,,'),
    'pods.csv:2:2: cpu_milli "1.5" is not a whole number from 0 on',
  ],
  ['a number of 400 digits', () => nodes(NODES, `a,1,2,${'9'.repeat(400)},G2`), 'nodes.csv:2:4: gpu "999'],
  [
    'more GPUs than any machine has',
    () => nodes(NODES, 'a,1,2,100000,G2'),
    'nodes.csv:2:4: gpu "100000" is more than 1024 GPUs',
  ],
  [
    'a part of more than a GPU',
    () => pods(PODS, 'a,1,2,1,1001,,,,,'),
    'pods.csv:2:5: gpu_milli "1001" is more than 1000',
  ],
  ['a GPU of no part', () => pods(PODS, 'a,1,2,1,0,,,,,'), 'pods.csv:2:5: gpu_milli "0" is 0'],
  [
    'parts of several GPUs',
    () => pods(PODS, 'a,1,2,2,500,,,,,'),
    'pods.csv:2:5: gpu_milli "500" is less than 1000, with several GPUs',
  ],
  [
    'a line that is too short',
    () => nodes(NODES, 'a,1,2'),
    'nodes.csv:2: Invalid Record Length: expect 5, got 3 on line 2',
  ],
  ['a quote that is not closed', () => nodes(NODES, '"a,1,2,8,G2'), 'nodes.csv:2: Quote Not Closed'],
  [
    'no times, though departures are wanted',
    () => readTimedPods({ name: 'pods.csv', text: 'name,cpu_milli,memory_mib,num_gpu,gpu_milli\na,1,2,1,1000' }),
    'pods.csv:2: there is no creation_time, which departures need',
  ],
];
for (const [what, read, says] of BAD) {
  tap.test(`${what}: ${says}`, async (t) => {
    const error = t.throws(read) as Error | undefined;
    t.equal(error?.name, 'InputError');
    t.equal(error?.message.slice(0, says.length), says);
  });
}
