/** A stored GPUSharingPolicy: what is kept of it, whatever is wrong with it. */

import tap from 'tap';
import { readPolicy } from '#src/state/policy-record.ts';

function read(object: unknown) {
  const complaints: string[] = [];
  const reading = readPolicy(object, (message, details) => complaints.push(`${message}: ${JSON.stringify(details)}`));
  return { reading, complaints };
}

const STATUS = { appliedPods: 3, lastUpdateTime: '2026-01-02T03:04:05Z', conditions: [] };

tap.test('name, version, generation, spec and status', async (t) => {
  const { reading, complaints } = read({
    metadata: { name: 'p', generation: 4, resourceVersion: '17' },
    spec: { strategy: 'mps' },
    status: STATUS,
  });
  t.match(reading, {
    key: 'p',
    resourceVersion: '17',
    record: { name: 'p', generation: 4, parsed: { ok: true, value: { name: 'p', strategy: 'mps' } }, status: STATUS },
  });
  t.strictSame(complaints, []);
});

tap.test('one that somebody wrote by hand has neither version nor generation', async (t) => {
  const { reading } = read({ metadata: { name: 'p' }, spec: { strategy: 'mps' } });
  t.equal(reading?.resourceVersion, undefined);
  t.match(reading?.record, { generation: 0, status: undefined });
});

tap.test('a spec that cannot be read is told of and kept as such: its status has to say so', async (t) => {
  const { reading, complaints } = read({ metadata: { name: 'p', generation: 2 }, spec: { strategy: 'magic' } });
  t.match(reading?.record, { generation: 2, parsed: { ok: false, reason: /^spec\.strategy: / } });
  t.match(complaints, [/^a GPUSharingPolicy cannot be read and is left out: \{"name":"p","faults":"spec\.strategy: /]);
});

const STATUSES: readonly [says: string, status: unknown][] = [
  ['there is none', undefined],
  ['it is no object', 'fine'],
  ['a number that is none', { ...STATUS, appliedPods: 'many' }],
  ['conditions of another kind', { ...STATUS, conditions: [{ type: 'Accepted' }] }],
];
for (const [says, status] of STATUSES) {
  tap.test(`a status that cannot be read is written anew: ${says}`, async (t) => {
    const { reading, complaints } = read({ metadata: { name: 'p' }, spec: { strategy: 'mps' }, status });
    t.match(reading?.record, { parsed: { ok: true }, status: undefined });
    t.strictSame(complaints, []);
  });
}

for (const object of [undefined, null, 'policy', {}, { metadata: {} }, { metadata: { name: 7 } }]) {
  tap.test(`nothing is kept of ${JSON.stringify(object)}`, async (t) => t.equal(read(object).reading, undefined));
}
