/** What nodes offer to a pod, by where it may go; kept up to date node by node. */

import fc from 'fast-check';
import tap from 'tap';
import { type NodeConstraints, SlotIndex, type SlotIndexOptions } from '#src/core/admission/slot-index.ts';
import type { NodeFacts } from '#src/core/inventory.ts';
import { equalTo, type Labels, type Requirement } from '#src/core/label-selector.ts';
import type { Toleration } from '#src/core/taints.ts';
import { node, sharedNode } from '../../make.ts';

const NOTHING_ON_DEMAND: SlotIndexOptions = { onDemand: {}, nodes: {} };
const shared = (name: string, labels: Labels = {}, mode: 'mps' | 'timeslicing' = 'mps', replicas = 4) => {
  return { inventory: sharedNode(mode, replicas, { name }), labels, taints: [] };
};
const whole = (name: string, labels: Labels = {}, facts: Partial<NodeFacts> = {}) => {
  return { inventory: node({ name, ...facts }), labels, taints: [] };
};

/** `mps 250 x2`: each kind, and how many nodes offer it; `+3`: how many could. */
function seen(book: SlotIndex, placement: NodeConstraints = []): string[] {
  return book.offers(placement).map(({ mode, profile, slotMilli, nodes, possible }) => {
    return `${profile?.name ?? mode} ${slotMilli} x${nodes}${possible > 0 ? `+${possible}` : ''}`;
  });
}

function bookOf(terms: SlotIndexOptions, ...nodes: Parameters<SlotIndex['set']>[0][]): SlotIndex {
  const book = new SlotIndex(terms);
  for (const each of nodes) book.set(each);
  return book;
}

const on = (key: string, operator: Requirement['operator'], ...values: string[]): Requirement => {
  return { key, operator, values };
};

const ZONES = [
  shared('a', { zone: 'a', gpus: '4' }),
  shared('b', { zone: 'b', gpus: '8' }),
  shared('c', { gpus: 'many' }),
  whole('d', { zone: 'a' }),
];
const placements: readonly [says: string, placement: NodeConstraints, seen: string[]][] = [
  ['anywhere', [], ['exclusive 1000 x1', 'mps 250 x3']],
  ['a nodeSelector', [equalTo({ zone: 'a' })], ['exclusive 1000 x1', 'mps 250 x1']],
  ['a nodeSelector that nobody satisfies', [equalTo({ zone: 'z' })], []],
  ['In', [[on('zone', 'In', 'a', 'b')]], ['exclusive 1000 x1', 'mps 250 x2']],
  ['NotIn', [[on('zone', 'NotIn', 'a')]], ['mps 250 x2']],
  ['Exists', [[on('zone', 'Exists')]], ['exclusive 1000 x1', 'mps 250 x2']],
  ['DoesNotExist', [[on('zone', 'DoesNotExist')]], ['mps 250 x1']],
  ['Gt', [[on('gpus', 'Gt', '4')]], ['mps 250 x1']],
  ['Lt', [[on('gpus', 'Lt', '8')]], ['mps 250 x1']],
  ['all conditions of a term', [[on('zone', 'Exists'), on('gpus', 'Gt', '4')]], ['mps 250 x1']],
  ['one term of several', [[on('zone', 'In', 'b')], [on('gpus', 'DoesNotExist')]], ['exclusive 1000 x1', 'mps 250 x1']],
  ['a node that satisfies both counts once', [[on('zone', 'In', 'b')], [on('gpus', 'Gt', '1')]], ['mps 250 x2']],
];
tap.test('what counts: nodes that the pod tolerates', async (t) => {
  const taints = [{ key: 'team', value: 'a', effect: 'NoSchedule' }];
  const book = bookOf(NOTHING_ON_DEMAND, { ...shared('a'), taints }, whole('b'));
  const offered = (tolerations?: readonly Toleration[]) => book.offers([], tolerations).map(({ mode }) => mode);
  t.strictSame(offered([]), ['exclusive']);
  t.strictSame(offered([{ key: 'team', operator: 'Equal', value: 'b' }]), ['exclusive']);
  t.strictSame(offered([{ key: 'team', operator: 'Equal', value: 'a' }]), ['exclusive', 'mps']);
  t.strictSame(offered([{ operator: 'Exists' }]), ['exclusive', 'mps']);
  t.strictSame(offered(), ['exclusive', 'mps'], 'where taints do not matter');
});

for (const [says, placement, expected] of placements) {
  tap.test(`what counts: ${says}`, async (t) => {
    const book = bookOf(NOTHING_ON_DEMAND, ...ZONES);
    t.strictSame(seen(book, placement), expected);
    t.strictSame(seen(book, placement), expected, 'asked again');
  });
}

tap.test('a change of a node is in the next answer', async (t) => {
  const book = bookOf(NOTHING_ON_DEMAND, shared('a', { zone: 'a' }));
  const inZone = [equalTo({ zone: 'b' })];
  t.strictSame([seen(book), seen(book, inZone)], [['mps 250 x1'], []]);
  book.set(shared('a', { zone: 'b' }));
  t.strictSame(seen(book, inZone), ['mps 250 x1'], 'of its labels');
  book.set(shared('a', { zone: 'b' }, 'mps', 8));
  t.strictSame(seen(book, inZone), ['mps 125 x1'], 'of its allocatable');
  book.set(shared('b', { zone: 'b' }, 'mps', 8));
  t.strictSame(seen(book, inZone), ['mps 125 x2'], 'another one');
  book.delete('a');
  t.strictSame(seen(book, inZone), ['mps 125 x1'], 'one less');
  book.delete('a');
  t.equal(book.size, 1);
});

tap.test('on demand: what nodes could be configured to offer', async (t) => {
  const onDemand = { mig: true, mps: 4, timeslicing: 2 } as const;
  const book = bookOf({ onDemand, nodes: {} }, whole('a'));
  t.strictSame(seen(book), [
    'exclusive 1000 x1',
    '1g.5gb 142 x0+1',
    '1g.10gb 142 x0+1',
    '2g.10gb 285 x0+1',
    '3g.20gb 428 x0+1',
    '4g.20gb 571 x0+1',
    '7g.40gb 1000 x0+1',
    'mps 250 x0+1',
    'mps 500 x0+1',
    'timeslicing 500 x0+1',
  ]);
  book.set(shared('b'));
  t.ok(seen(book).includes('mps 250 x1+2'), 'one has it, both could have it');
});

tap.test('a mode counts on the nodes that the configuration gives it', async (t) => {
  const terms: SlotIndexOptions = {
    onDemand: { mps: 2 },
    nodes: { mps: equalTo({ 'nvidia.com/mps.capable': 'true' }) },
  };
  const capable = { 'nvidia.com/mps.capable': 'true' };
  const book = bookOf(terms, shared('a'), shared('b', capable), whole('c'), whole('d', capable));
  t.strictSame(seen(book), ['exclusive 1000 x2', 'mps 250 x1', 'mps 500 x0+2']);
});

tap.test('other terms hold from the next answer on', async (t) => {
  const book = bookOf(NOTHING_ON_DEMAND, whole('a'), shared('b', { zone: 'b' }));
  t.strictSame(seen(book), ['exclusive 1000 x1', 'mps 250 x1']);
  book.setOptions({ onDemand: { timeslicing: 2 }, nodes: { mps: equalTo({ zone: 'z' }) } });
  t.strictSame(seen(book), ['exclusive 1000 x1', 'timeslicing 500 x0+1']);
  book.setOptions(NOTHING_ON_DEMAND);
  t.strictSame(seen(book), ['exclusive 1000 x1', 'mps 250 x1']);
});

tap.test('ever so many different questions take no more memory than a thousand', async (t) => {
  const book = bookOf(NOTHING_ON_DEMAND, ...ZONES);
  for (let i = 0; i < 2_500; i += 1) {
    book.offers([equalTo({ host: `h${i}` })]);
    if (book.remembered > 1_000) return t.fail(`${book.remembered} are remembered`);
  }
  const longest = Array.from({ length: 1_000 }, (_, i) => equalTo({ host: `h${i}` }));
  const before = book.remembered;
  t.strictSame(
    seen(book, [...longest, equalTo({ zone: 'b' })]),
    ['mps 250 x1'],
    'a question of any length is answered',
  );
  t.equal(book.remembered, before, 'but not remembered');
});

tap.test('the order in which nodes come does not matter', async () => {
  const told = seen(bookOf({ onDemand: { mig: true, mps: 16 }, nodes: {} }, ...ZONES));
  fc.assert(
    fc.property(fc.shuffledSubarray(ZONES, { minLength: ZONES.length }), (nodes) => {
      return seen(bookOf({ onDemand: { mig: true, mps: 16 }, nodes: {} }, ...nodes)).join() === told.join();
    }),
  );
});
