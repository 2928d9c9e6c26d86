/** What NVIDIA's components are told: read here as they read it. */

import tap from 'tap';
import { baseOf, isOurs, tryAgain } from '#src/api/config-name.ts';
import { type Partition, wholeGpus } from '#src/core/partitioning/partition.ts';
import { migConfig, pluginConfig } from '#src/reconciler/named-config.ts';
import { parseMigConfigs } from '#src/sandbox/gpu-node/mig-parted-config.ts';
import { type PluginConfig, parsePluginConfig } from '#src/sandbox/gpu-node/plugin-config.ts';
import { MIXED, MPS, PRODUCT, SEVEN, SLICED, WHOLE } from './make.ts';

const T4 = 'Tesla-T4';

function readByPlugin(partition: Partition, product: string): PluginConfig {
  const parsed = parsePluginConfig(pluginConfig(partition, product).text, product);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

function readByMigParted(partition: Partition): unknown {
  const { name, text } = migConfig(partition);
  const parsed = parseMigConfigs(`version: v1\nmig-configs:\n  ${name}: ${text}\n`);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value.get(name);
}

tap.test('the device plugin takes its text, and without a warning', async (t) => {
  const shared = (mode: 'mps' | 'timeslicing', replicas: number) => ({
    sharing: {
      mode,
      replicas: new Map([['nvidia.com/gpu', replicas]]),
      renameByDefault: true,
      // Nobody is refused for a second slot but under MPS, whose default that is.
      failRequestsGreaterThanOne: mode === 'mps',
    },
  });
  const cases: readonly [says: string, partition: Partition, product: string, is: object][] = [
    [
      'whole GPUs that MIG could cut: instances would be offered',
      WHOLE,
      PRODUCT,
      { migStrategy: 'mixed', sharing: undefined },
    ],
    ['whole GPUs without MIG', WHOLE, T4, { migStrategy: 'none', sharing: undefined }],
    ['MPS, which is refused under mixed', MPS, PRODUCT, { migStrategy: 'none', ...shared('mps', 8) }],
    ['time-slicing', SLICED, PRODUCT, { migStrategy: 'mixed', ...shared('timeslicing', 4) }],
    ['time-slicing without MIG in the hardware', SLICED, T4, { migStrategy: 'none', ...shared('timeslicing', 4) }],
    ['MIG', SEVEN, PRODUCT, { migStrategy: 'mixed', sharing: undefined }],
    [
      'MIG, and the rest time-sliced',
      { layouts: [{ '1g.5gb': 7 }, undefined], sharing: SLICED.sharing },
      PRODUCT,
      { migStrategy: 'mixed', ...shared('timeslicing', 4) },
    ],
  ];
  for (const [says, partition, product, is] of cases) {
    t.strictSame(readByPlugin(partition, product), { allocationPolicy: 'packed', warnings: [], ...is }, says);
  }
});

tap.test('mig-parted takes its entry, which names every GPU', async (t) => {
  const seven = { migEnabled: true, layout: { '1g.5gb': 7 } };
  const cases: readonly [says: string, partition: Partition, is: object[]][] = [
    ['one layout everywhere', SEVEN, [{ devices: 'all', ...seven }]],
    ['none', WHOLE, [{ devices: 'all', migEnabled: false, layout: {} }]],
    [
      'one without instances',
      { layouts: [{}], sharing: undefined },
      [{ devices: 'all', migEnabled: true, layout: {} }],
    ],
    [
      'layouts of some, and the others off',
      { layouts: [undefined, { '1g.5gb': 7 }, { '1g.5gb+me': 1, '3g.20gb': 1 }, { '1g.5gb': 7 }], sharing: undefined },
      [
        { devices: [0], migEnabled: false, layout: {} },
        { devices: [1, 3], ...seven },
        { devices: [2], migEnabled: true, layout: { '1g.5gb+me': 1, '3g.20gb': 1 } },
      ],
    ],
  ];
  for (const [says, partition, is] of cases) t.strictSame(readByMigParted(partition), is, says);
});

tap.test('nodes that are to be the same share a name, and only they', async (t) => {
  t.equal(pluginConfig(WHOLE, PRODUCT).name, pluginConfig(wholeGpus(8), PRODUCT).name, 'however many GPUs they have');
  t.equal(pluginConfig(SEVEN, PRODUCT).name, pluginConfig(MIXED, PRODUCT).name, 'the plugin is not told of layouts');
  t.equal(migConfig(WHOLE).name, migConfig(MPS).name, 'mig-parted is not told of sharing');
  const [ordered, reordered] = [
    { '1g.5gb': 1, '2g.10gb': 3 },
    { '2g.10gb': 3, '1g.5gb': 1 },
  ].map((layout) => migConfig({ layouts: [layout], sharing: undefined }));
  t.strictSame(ordered, reordered, 'the order in which profiles are named is none');
  const fewer: Partition = { ...WHOLE, sharing: { mode: 'timeslicing', replicas: 2 } };
  const texts = [WHOLE, MPS, SLICED, fewer].map((partition) => pluginConfig(partition, PRODUCT).name);
  t.equal(new Set(texts).size, texts.length);
  const swapped: Partition = { layouts: [...MIXED.layouts].reverse(), sharing: undefined };
  const entries = [WHOLE, SEVEN, MIXED, swapped].map((partition) => migConfig(partition).name);
  t.equal(new Set(entries).size, entries.length, 'it matters which GPU has which layout');
});

tap.test('a name can be a label and a key of a ConfigMap, also with the number of a try', async (t) => {
  for (const { name } of [pluginConfig(MPS, PRODUCT), migConfig(MIXED)]) {
    for (const each of [name, tryAgain(name)]) {
      t.match(each, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
      t.ok(each.length <= 63);
      t.ok(isOurs(each), each);
    }
  }
});

tap.test('a new try has a new name, for ever, and never the one before', async (t) => {
  const { name } = migConfig(SEVEN);
  const tries = [name];
  for (let i = 0; i < 30; i += 1) tries.push(tryAgain(tries.at(-1) ?? ''));
  t.equal(new Set(tries).size, 10);
  for (const [i, each] of tries.entries()) {
    t.not(each, tries[i - 1]);
    t.equal(baseOf(each), name);
    t.ok(isOurs(each), each);
  }
});

tap.test('whose name it is', async (t) => {
  const ours = ['gpu-autoscaler-0123456789ab', 'gpu-autoscaler-0123456789ab-r1', 'gpu-autoscaler-0123456789ab-r9'];
  const others = [
    '',
    'all-disabled',
    'gpu-autoscaler-',
    'gpu-autoscaler-0123456789a',
    'gpu-autoscaler-0123456789abc',
    'gpu-autoscaler-0123456789AB',
    'gpu-autoscaler-0123456789ab-r0',
    'gpu-autoscaler-0123456789ab-r10',
    'gpu-autoscaler-0123456789ab-mine',
    'my-gpu-autoscaler-0123456789ab',
    'gpu-autoscaler-0123456789ab\n',
  ];
  for (const name of ours) t.ok(isOurs(name), name);
  for (const name of others) {
    t.notOk(isOurs(name), JSON.stringify(name));
    t.equal(baseOf(name), name, 'and it has no number of ours');
  }
});
