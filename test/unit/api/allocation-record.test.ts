/** The annotation `gpu-autoscaler.io/allocation`: read back after a restart, and never trusted. */

import fc from 'fast-check';
import tap from 'tap';
import { type AllocationRecord, allocationRecordSchema, parseAllocationRecord } from '#src/api/allocation-record.ts';

const RECORD: AllocationRecord = {
  v: 1,
  node: 'gpu-node-01',
  strategy: 'bestfit',
  mode: 'mps',
  resource: 'nvidia.com/gpu.shared',
  count: 2,
  milliGpu: 500,
  memoryMiB: 20_480,
  gpus: [0, 3],
};
const { memoryMiB, ...UNTOLD } = RECORD;
const { v, node, strategy, ...HOLDING } = RECORD;

const parse = (record: unknown) => parseAllocationRecord(JSON.stringify(record));

tap.test('a record comes back as it was written', async (t) => {
  for (const record of [
    RECORD,
    UNTOLD,
    { ...RECORD, gpus: [] },
    (({ gpus: _, ...rest }) => rest)(RECORD),
    { ...RECORD, others: [HOLDING, { ...HOLDING, mode: 'mig' }] },
  ]) {
    t.strictSame(parse(record), record);
  }
});

tap.test('what a later version adds does not disturb', async (t) => {
  t.strictSame(parse({ ...RECORD, colour: 'green' }), RECORD);
});

tap.test('no record, or one that cannot be read, is none', async (t) => {
  t.equal(parseAllocationRecord(undefined), undefined);
  for (const text of ['', ' ', '{', 'null', '[]', '"x"', '1', '{}', 'undefined', JSON.stringify([RECORD])]) {
    t.equal(parseAllocationRecord(text), undefined, JSON.stringify(text));
  }
});

const broken: readonly [says: string, fields: object][] = [
  ['another version', { v: 2 }],
  ['no version', { v: undefined }],
  ['a version as text', { v: '1' }],
  ['no node', { node: undefined }],
  ['no strategy', { strategy: undefined }],
  ['an unknown mode', { mode: 'magic' }],
  ['a mode in capitals', { mode: 'MPS' }],
  ['no resource', { resource: undefined }],
  ['no slot', { count: 0 }],
  ['less than no slot', { count: -1 }],
  ['half a slot', { count: 0.5 }],
  ['a count beyond exact numbers', { count: 2 ** 53 }],
  ['a count as text', { count: '2' }],
  ['negative compute', { milliGpu: -1 }],
  ['half a milli-GPU', { milliGpu: 0.5 }],
  ['half a MiB', { memoryMiB: 0.5 }],
  ['negative memory', { memoryMiB: -1 }],
  ['memory null', { memoryMiB: null }],
  ['a negative GPU', { gpus: [-1] }],
  ['half a GPU', { gpus: [0.5] }],
  ['GPUs that are no list', { gpus: 0 }],
  ['a broken part', { others: [{ ...HOLDING, count: 0 }] }],
  ['parts that are no list', { others: {} }],
];
for (const [says, fields] of broken) {
  tap.test(`a record with ${says} is none`, async (t) => t.equal(parse({ ...RECORD, ...fields }), undefined));
}

tap.test('any text is answered: with a valid record, or none', async () => {
  const field = fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(RECORD)));
  const almost = fc
    .tuple(fc.constantFrom(...Object.keys(RECORD)), field)
    .map(([key, value]) => JSON.stringify({ ...RECORD, [key]: value }));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), almost), (text) => {
      const record = parseAllocationRecord(text);
      return (
        record === undefined || (record.v === 1 && allocationRecordSchema.safeParse(record).success && record.count > 0)
      );
    }),
    { numRuns: 500 },
  );
});
