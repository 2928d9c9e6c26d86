/** What a Node object tells of its partitions, and that no rubbish in it passes for more than it is. */

import tap from 'tap';
import type { Partition } from '#src/core/partitioning/partition.ts';
import { nextStep } from '#src/reconciler/next-step.ts';
import { agreement, currentPartition, offers, parseTransition, UNREADABLE } from '#src/state/observed-node.ts';
import { DISCOVERED } from '../../objects/nodes.ts';
import { observe } from '../../objects/records.ts';
import {
  GPU,
  HALVES,
  MIG,
  MIXED,
  MPS,
  mark,
  type NodeParts,
  nodeObject,
  observed,
  PARTITION,
  PAUSED,
  PLUGIN,
  PRODUCT,
  SEVEN,
  SEVENTHS,
  SHARED,
  SLICED,
  STATE,
  settled,
  shown,
  situation,
  TRANSITION,
  target,
  told,
  underWay,
  WHOLE,
} from '../reconciler/make.ts';

tap.test('a node as it shows itself', async (t) => {
  const record = told(SEVEN);
  const node = observed({
    labels: {
      ...shown(SEVEN).labels,
      [PLUGIN]: record.plugin,
      [MIG]: record.mig,
      [STATE]: 'pending',
      [PAUSED]: 'paused-for-mig-change',
      'nvidia.com/gpu.deploy.driver': 'true',
      'nvidia.com/mig.strategy': 'mixed',
    },
    annotations: { [PARTITION]: JSON.stringify(record), [TRANSITION]: JSON.stringify(mark(SEVEN, { attempt: 1 })) },
    allocatable: { cpu: '96', 'nvidia.com/other': '3', [SEVENTHS]: '14', [GPU]: '0' },
    cordoned: true,
  });
  t.strictSame(node, {
    name: 'a',
    gpus: { product: PRODUCT, gpus: 2, memoryMiB: 40_960 },
    plugin: record.plugin,
    mig: record.mig,
    migState: 'pending',
    paused: [PAUSED],
    allocatable: { [SEVENTHS]: 14, [GPU]: 0 },
    unknownResources: ['nvidia.com/other'],
    sharing: undefined,
    replicas: 1,
    migCounts: { [SEVENTHS]: 14 },
    cordoned: true,
    transition: JSON.parse(JSON.stringify(mark(SEVEN, { attempt: 1 }))),
    lastApplied: JSON.parse(JSON.stringify(record)),
  });
});

tap.test('which nodes are looked at', async (t) => {
  const bare = Object.fromEntries(Object.keys(DISCOVERED).map((key) => [key, undefined]));
  const cases: readonly [says: string, parts: NodeParts, isOne: boolean][] = [
    ['one that is labelled, whatever it offers', { allocatable: {} }, true],
    ['one that offers GPUs, though nobody has labelled it', { labels: bare }, true],
    ['one whose GPUs are at 0', { labels: bare, allocatable: { [GPU]: '0' } }, true],
    ['not one without GPUs', { labels: bare, allocatable: { cpu: '1' } }, false],
    [
      'but one that has a mark, which keeps pods away',
      { labels: bare, allocatable: {}, annotations: { [TRANSITION]: '?' } },
      true,
    ],
  ];
  for (const [says, parts, isOne] of cases) t.equal(observe(nodeObject(parts)) !== undefined, isOne, says);
  for (const rubbish of [undefined, null, 1, 'node', [], {}, { metadata: {} }, { metadata: { name: 1 } }]) {
    t.equal(observe(rubbish), undefined, JSON.stringify(rubbish));
  }
});

tap.test('GPUs by their labels', async (t) => {
  const [product, count, memory] = ['product', 'count', 'memory'].map((part) => `nvidia.com/gpu.${part}`) as [
    string,
    string,
    string,
  ];
  const cases: readonly [says: string, labels: Record<string, string | undefined>, gpus: object | undefined][] = [
    [
      'shared under the plain name',
      { [product]: `${PRODUCT}-SHARED` },
      { product: PRODUCT, gpus: 2, memoryMiB: 40_960 },
    ],
    ['instances in the place of GPUs: not ours to change', { [product]: `${PRODUCT}-MIG-1g.5gb` }, undefined],
    [
      'without their memory: that of the product',
      { [memory]: undefined },
      { product: PRODUCT, gpus: 2, memoryMiB: 40_960 },
    ],
    ['of an unknown product without memory', { [product]: 'X', [memory]: '' }, { product: 'X', gpus: 2, memoryMiB: 0 }],
    ['no product', { [product]: '' }, undefined],
    ['no GPU', { [count]: '0' }, undefined],
    ['a number that is none', { [count]: '2e3' }, undefined],
    ['fewer than none', { [count]: '-2' }, undefined],
    ['more than any machine has', { [count]: '1025' }, undefined],
    ['far more', { [count]: '9'.repeat(40) }, undefined],
  ];
  for (const [says, labels, gpus] of cases) t.strictSame(observed({ labels }).gpus, gpus, says);
});

tap.test('GPU Feature Discovery calls the replicas of a GPU 0 where MIG has all of them', async (t) => {
  // Source: k8s-device-plugin, `internal/lm/resource.go`: NewGPUResourceLabelerWithoutSharing.
  const { labels, allocatable } = shown(SEVEN);
  t.equal(labels['nvidia.com/gpu.replicas'], '0');
  const node = observed({ labels, allocatable });
  t.equal(node.replicas, 1);
  t.equal(agreement(node, SEVEN), 'full');
});

tap.test('whether what a node offers and says is the partition', async (t) => {
  type Answer = 'full' | 'partial' | 'no';
  const cases: readonly [says: string, parts: NodeParts, partition: Partition, offered: Answer, agreed: Answer][] = [
    ['whole GPUs', {}, WHOLE, 'full', 'full'],
    ['without a label of sharing', { labels: { 'nvidia.com/gpu.sharing-strategy': undefined } }, WHOLE, 'full', 'full'],
    ['MPS', shown(MPS), MPS, 'full', 'full'],
    ['time-slicing', shown(SLICED), SLICED, 'full', 'full'],
    ['instances', shown(MIXED), MIXED, 'full', 'full'],
    ['another partition', shown(MPS), WHOLE, 'no', 'no'],
    ['one of its resources besides others', { ...shown(MIXED), allocatable: { [SEVENTHS]: '7' } }, MIXED, 'no', 'no'],
    [
      'what has gone is still there, at 0',
      { ...shown(MPS), allocatable: { [SHARED]: '16', [GPU]: '0' } },
      MPS,
      'full',
      'full',
    ],
    ['what has to go is still there', { ...shown(MPS), allocatable: { [SHARED]: '16', [GPU]: '2' } }, MPS, 'no', 'no'],
    ['a GPU is unhealthy', { ...shown(MPS), allocatable: { [SHARED]: '8' } }, MPS, 'partial', 'partial'],
    ['more than there should be', { ...shown(MPS), allocatable: { [SHARED]: '17' } }, MPS, 'no', 'no'],
    ['the device plugin is away', { ...shown(MPS), allocatable: { [SHARED]: '0' } }, MPS, 'no', 'no'],
    [
      'the same number by other means',
      shown({ ...MPS, sharing: { mode: 'timeslicing', replicas: 8 } }),
      MPS,
      'full',
      'no',
    ],
    ['the labels come later', { ...shown(MPS), labels: shown(WHOLE).labels }, MPS, 'full', 'no'],
    [
      'the number of replicas comes later',
      { ...shown(MPS), labels: { ...shown(MPS).labels, 'nvidia.com/gpu.replicas': '4' } },
      MPS,
      'full',
      'no',
    ],
    ['the labels of instances come later', { ...shown(MIXED), labels: shown(SEVEN).labels }, MIXED, 'full', 'no'],
    ['labels of instances are left over', { labels: shown(SEVEN).labels }, WHOLE, 'full', 'no'],
    ['but not if they count none', { labels: { [`${SEVENTHS}.count`]: '0' } }, WHOLE, 'full', 'full'],
  ];
  for (const [says, parts, partition, offered, agreed] of cases) {
    t.equal(offers(observed(parts), partition), offered, `${says}: offers`);
    t.equal(agreement(observed(parts), partition), agreed, `${says}: agrees`);
  }
});

tap.test('how it is partitioned now', async (t) => {
  const cases: readonly [says: string, node: ReturnType<typeof observed>, is: Partition | undefined][] = [
    ['as it was told', settled(MIXED), MIXED],
    ['as it was told, though a GPU is unhealthy', settled(MPS, {}, { allocatable: { [SHARED]: '8' } }), MPS],
    ['whole, as nobody has ever told it anything', observed(), WHOLE],
    ['shared by somebody else', observed(shown(MPS)), undefined],
    [
      'whole by its slots, but shared by its label',
      observed({ labels: { 'nvidia.com/gpu.replicas': '2' } }),
      undefined,
    ],
    ['told something else by somebody', settled(MPS, {}, { labels: { [PLUGIN]: 'theirs' } }), undefined],
    ['cut by somebody else', settled(SEVEN, {}, { labels: { [MIG]: 'all-3g.20gb' } }), undefined],
    ['it does not offer what it was told', settled(MPS, {}, { allocatable: { [SHARED]: '0' } }), undefined],
    ['it has got another number of GPUs', settled(MPS, {}, { labels: { 'nvidia.com/gpu.count': '3' } }), undefined],
    ['nobody has labelled it', settled(MPS, {}, { labels: { 'nvidia.com/gpu.count': undefined } }), undefined],
    [
      'it was given up: what it was told may be what it is not',
      settled(MIXED, { failed: { reason: 'MigFailed', message: '' } }),
      undefined,
    ],
  ];
  for (const [says, node, is] of cases) t.same(plain(currentPartition(node)), plain(is), says);
});

tap.test('repairs as an older controller wrote them are understood', async (t) => {
  const texts = ['MigStuck: still pending', 'MigFailed: failed: again', 'no reason', ''];
  const now = { reason: 'PluginStuck', message: 'late' };
  const repairs = [
    { reason: 'MigStuck', message: 'still pending' },
    { reason: 'MigFailed', message: 'failed: again' },
    { reason: 'Unknown', message: 'no reason' },
    { reason: 'Unknown', message: '' },
    now,
  ];
  const write = (record: object) => JSON.stringify({ ...record, repairs: [...texts, now] });
  const node = observed({ annotations: { [TRANSITION]: write(mark(MPS)), [PARTITION]: write(told(MPS)) } });
  t.strictSame(node.transition?.repairs, repairs);
  t.strictSame(node.lastApplied?.repairs, repairs);
  t.strictSame(parseTransition(JSON.stringify(node.transition)), node.transition, 'and written as they are now');
});

const HUGE = '9'.repeat(300);
const MANY = JSON.stringify({ ...mark(WHOLE), partition: { layouts: new Array(10_000).fill(null) } });
const MANY_PROFILES = JSON.stringify({
  ...mark(WHOLE),
  partition: { layouts: [Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`1g.${i}gb`, 1])), null] },
});
/** Texts that somebody may have written into an annotation of ours. */
const RUBBISH: readonly string[] = [
  '',
  ' ',
  '?',
  '{',
  'null',
  'true',
  '0',
  '[]',
  '{}',
  '"text"',
  '{"__proto__":{}}',
  '\u0000',
  `{"config":"c","generation":1,"plugin":"p","partition":{"layouts":[{"__proto__":1}],"sharing":{"mode":"mps","replicas":1}}}`,
  `{"config":"c","generation":1,"plugin":"p","partition":{"layouts":[{"constructor":1},{"__proto__":5}]}}`,
  `{"config":"c","generation":1,"plugin":"p","partition":{"layouts":[{"1g.5gb":1e308},null]}}`,
  `{"config":"c","generation":1,"plugin":"p","partition":{"layouts":[{"1g.5gb":0},null]}}`,
  `{"config":"c","generation":1,"plugin":"p","partition":{"layouts":[null,null],"sharing":{"mode":"mps","replicas":1}}}`,
  `{"config":"c","generation":${HUGE},"plugin":"p","partition":{"layouts":[]}}`,
  `{"config":"c","generation":1,"plugin":"p","partition":{"layouts":[]},"attempt":-1}`,
  `{"config":"c","generation":1,"plugin":"p","partition":{"layouts":[]},"repairs":[{"reason":"MigStuck"}]}`,
  `{"config":"c","generation":1,"plugin":"p","partition":{"layouts":[]},"attempt":${HUGE}}`,
  MANY,
  MANY_PROFILES,
  '['.repeat(100_000),
];

tap.test('rubbish in an annotation never throws, and never makes a node look finished', async (t) => {
  for (const text of RUBBISH) {
    const says = text.length > 60 ? `${text.slice(0, 60)}… (${text.length})` : text;
    const parts = { ...shown(WHOLE), allocatable: { [GPU]: '0', [SHARED]: '0' } };
    for (const key of [TRANSITION, PARTITION]) {
      const node = observed({ ...parts, annotations: { [key]: text } });
      const step = nextStep(situation(node, target(MPS)));
      t.not(step.phaseStatus?.phase, 'Ready', `${key}: ${says}`);
    }
    t.ok(
      observed({ ...parts, annotations: { [TRANSITION]: text } }).transition,
      `a mark that nobody can read is one: ${says}`,
    );
  }
});

tap.test('a mark that nobody can read is taken away', async (t) => {
  for (const text of ['?', '{}', MANY]) {
    const node = observed({ annotations: { [TRANSITION]: text } });
    t.strictSame(node.transition, UNREADABLE);
    for (const wanted of [target(MPS), target(WHOLE), undefined]) {
      t.match(nextStep(situation(node, wanted)), {
        do: 'patch',
        action: 'abort',
        patch: { annotations: { [TRANSITION]: null } },
      });
    }
  }
});

tap.test('rubbish in labels and resources never throws, and never makes a node look finished', async (t) => {
  const texts = ['', '-1', '1e3', '0x10', HUGE, '١٢', 'NaN', 'true', '1.5', ' 16 ', '1Ki', '__proto__'];
  for (const text of texts) {
    const nodes = [
      ...Object.keys(DISCOVERED).map((key) => underWay(MPS, WHOLE, {}, { labels: { [key]: text } })),
      ...[`${SEVENTHS}.count`, STATE, PAUSED].map((key) => underWay(MPS, WHOLE, {}, { labels: { [key]: text } })),
      underWay(MPS, WHOLE, {}, { allocatable: { [SHARED]: text } }),
      underWay(SEVEN, WHOLE, {}, { allocatable: { [SEVENTHS]: text, [HALVES]: text }, labels: { [STATE]: text } }),
    ];
    for (const node of nodes) {
      for (const elapsed of [0, 100_000]) {
        const step = nextStep(situation(node, undefined, { elapsed }));
        t.not(step.do === 'patch' && step.action, 'finish', text);
      }
    }
  }
});

tap.test('names out of a prototype are names', async (t) => {
  const object = JSON.parse(
    `{"metadata":{"name":"a","labels":{"__proto__":"x","constructor":"y","toString.count":"3"},"annotations":{"__proto__":"z"}},
      "status":{"allocatable":{"__proto__":"1","constructor":"1","nvidia.com/gpu":"2"}}}`,
  );
  const node = observe(object);
  t.strictSame(node?.allocatable, { [GPU]: 2 });
  t.strictSame(node?.migCounts, {});
  t.equal(node?.transition, undefined);
  t.equal(({} as Record<string, unknown>).x, undefined);
});

/** Without what JSON leaves out: a record has been through it. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
