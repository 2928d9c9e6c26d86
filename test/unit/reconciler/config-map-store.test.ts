/** Names in the two ConfigMaps: added, known for so long, taken away; and what others have there stays. */

import tap from 'tap';
import { parse } from 'yaml';
import type { Partition } from '#src/core/partitioning/partition.ts';
import { KubeError } from '#src/kube/kube-client.ts';
import { ConfigMapStore, ConfigMapStoreError } from '#src/reconciler/config-map-store.ts';
import { migConfig, type NamedConfig, pluginConfig } from '#src/reconciler/named-config.ts';
import { parseMigConfigs } from '#src/sandbox/gpu-node/mig-parted-config.ts';
import { ManualClock } from '../../objects/clock.ts';
import { cpuMs } from '../../objects/cpu-time.ts';
import { FakeApi } from './fake-api.ts';
import { MIXED, MPS, PRODUCT, SEVEN, SLICED } from './make.ts';

const MAPS = '/api/v1/namespaces/gpu-operator/configmaps';
const PLUGIN = `${MAPS}/plugin`;
const MIG = `${MAPS}/mig`;
const NOBODY: ReadonlySet<string> = new Set();
const nobody = () => NOBODY;

const P = pluginConfig(MPS, PRODUCT);
const Q = pluginConfig(SLICED, PRODUCT);
const M = migConfig(SEVEN);
const N = migConfig(MIXED);

function setUp(more: { plugin?: Record<string, string>; mig?: string; maySend?: () => boolean } = {}) {
  const api = new FakeApi();
  if (more.plugin) api.put(PLUGIN, { metadata: { name: 'plugin' }, data: more.plugin });
  if (more.mig !== undefined)
    api.put(MIG, { metadata: { name: 'mig' }, data: { 'config.yaml': more.mig, other: 'theirs' } });
  const clock = new ManualClock();
  const edits: string[] = [];
  const make = () =>
    new ConfigMapStore({
      client: api,
      namespace: 'gpu-operator',
      configMaps: { plugin: 'plugin', mig: 'mig' },
      clock,
      ...(more.maySend && { maySend: more.maySend }),
      edited: (component, name) => edits.push(`${component} ${name}`),
    });
  const data = (path: string) => (api.get(path)?.data ?? {}) as Record<string, string>;
  return { api, clock, edits, make, store: make(), data, file: () => data(MIG)['config.yaml'] ?? '' };
}

/** What mig-parted reads. */
function configs(file: string) {
  const parsed = parseMigConfigs(file);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

tap.test('where there is no ConfigMap it is made', async (t) => {
  const { api, store, data, file } = setUp();
  await store.add('plugin', [P], nobody);
  await store.add('mig', [M], nobody);
  t.strictSame(data(PLUGIN), { [P.name]: P.text });
  t.strictSame([...configs(file()).keys()], [M.name]);
  t.equal(api.count(/^POST/), 2);
});

tap.test('a name that is there is not written again, whoever wrote it', async (t) => {
  const { api, store, make } = setUp();
  await store.add('plugin', [P], nobody);
  await store.add('plugin', [P], nobody);
  await make().add('plugin', [P], nobody);
  t.equal(api.count(/^(POST|PATCH)/), 1);
});

tap.test('what others have there stays', async (t) => {
  const theirs = `version: v1
# Ours since 2024.
mig-configs:
  all-disabled:
    - devices: all
      mig-enabled: false
  # By team vision.
  "yes":
    - device-filter: ["0x20B010DE", "0x20B110DE"]
      devices: [0, 1]
      mig-enabled: true
      mig-devices:
        "1g.5gb": 2
        "3g.20gb": 1
  7: [{devices: all, mig-enabled: false}]
  "with: colon": [{devices: all, mig-enabled: false}]
`;
  const { api, store, data, file } = setUp({
    plugin: { default: 'version: v1', 'gpu-autoscaler-mine': 'x' },
    mig: theirs,
  });
  const before = configs(theirs);
  await store.add('plugin', [P], nobody);
  await store.add('mig', [M], nobody);
  await store.add('mig', [N], nobody);
  t.strictSame(data(PLUGIN), { default: 'version: v1', 'gpu-autoscaler-mine': 'x', [P.name]: P.text });
  const after = configs(file());
  for (const [name, entries] of before) t.strictSame(after.get(name), entries, name);
  t.equal(after.size, before.size + 2);
  t.equal(data(MIG).other, 'theirs');
  t.equal(api.count(/^PATCH/), 3);
});

tap.test('what only YAML 1.1 understands is kept in its meaning, as mig-parted reads it', async (t) => {
  const theirs = `version: v1
mig-configs:
  "yes": [{devices: all, mig-enabled: no}]
  base: &base
    - &cut {devices: [0], mig-enabled: on, mig-devices: {1g.5gb: 7}}
  more: [{<<: *cut, devices: [1]}]
`;
  const { store, file } = setUp({ mig: theirs });
  await store.add('mig', [M], nobody);
  await store.add('mig', [N], nobody);
  const read = (text: string) => parse(text, { version: '1.1' })['mig-configs'];
  const { [M.name]: _, [N.name]: __, ...after } = read(file());
  t.strictSame(after, read(theirs));
  t.strictSame(configs(file()).get('more'), [{ devices: [1], migEnabled: true, layout: { '1g.5gb': 7 } }]);
});

tap.test('a ConfigMap that somebody has changed meanwhile is not overwritten', async (t) => {
  const { api, store, data } = setUp({ plugin: { default: 'version: v1' } });
  api.before = (call) => {
    if (call.startsWith('PATCH')) api.put(PLUGIN, { metadata: { name: 'plugin' }, data: { default: 'theirs' } });
  };
  const refused = await store.add('plugin', [P], nobody).catch((error: KubeError) => error.status);
  t.equal(refused, 409);
  api.before = () => {};
  t.equal(store.age('plugin', P.name), undefined, 'it is not there');
  await store.add('plugin', [P], nobody);
  t.strictSame(data(PLUGIN), { default: 'theirs', [P.name]: P.text });
});

tap.test('an answer that is lost: the name is found, and old enough from then on', async (t) => {
  const { api, store, clock } = setUp({ plugin: {} });
  api.faults.push({ on: /^GET/, status: undefined });
  await t.rejects(store.add('plugin', [P], nobody), KubeError);
  t.equal(store.age('plugin', P.name), undefined);
  await store.add('plugin', [P], nobody);
  clock.ms += 5_000;
  t.equal(store.age('plugin', P.name), 5_000);
});

tap.test('the age of a name: since it has been seen there', async (t) => {
  const { store, make, clock, api } = setUp();
  t.equal(store.age('plugin', P.name), undefined);
  await store.add('plugin', [P], nobody);
  t.equal(store.age('plugin', P.name), 0);
  t.equal(store.age('mig', P.name), undefined, 'in the other ConfigMap it is not');
  clock.ms += 60_000;
  await store.add('plugin', [Q], nobody);
  t.equal(store.age('plugin', P.name), 60_000);
  t.equal(store.age('plugin', Q.name), 0);
  const restarted = make();
  t.equal(restarted.age('plugin', P.name), undefined);
  await restarted.add('plugin', [P], nobody);
  t.equal(restarted.age('plugin', P.name), 0, 'who has just come does not know for how long');
  api.objects.delete(PLUGIN);
  await store.add('plugin', [Q], nobody);
  t.equal(store.age('plugin', P.name), undefined, 'what somebody has removed is not there any more');
});

tap.test('a text of ours that somebody has edited is told once, and written anew', async (t) => {
  const { store, api, edits, data, clock } = setUp();
  await store.add('plugin', [P], nobody);
  clock.ms += 60_000;
  const edit = () => api.put(PLUGIN, { metadata: { name: 'plugin' }, data: { [P.name]: 'version: v1' } });
  edit();
  await store.add('plugin', [Q], nobody);
  await store.collect('plugin', NOBODY);
  t.strictSame(edits, [`plugin ${P.name}`]);
  t.equal(store.age('plugin', P.name), undefined, 'it is as if it were not there');
  await store.add('plugin', [P], nobody);
  t.equal(data(PLUGIN)[P.name], P.text);
  t.equal(store.age('plugin', P.name), 0);
  edit();
  await store.add('plugin', [Q], nobody);
  t.equal(edits.length, 2, 'another edit is told again');
});

tap.test('who may not write any more does not', async (t) => {
  const { store, api } = setUp({ maySend: () => false });
  await t.rejects(store.add('plugin', [P], nobody), KubeError);
  t.equal(api.count(/^(POST|PATCH)/), 0);
});

tap.test('a file that is none of mig-parted is refused in a sentence, and left alone', async (t) => {
  const cases: readonly [says: string, file: string][] = [
    ['no YAML', 'version: v1\nmig-configs: {'],
    ['another version', 'version: v2\nmig-configs: {}'],
    ['no map', 'version: v1\nmig-configs: [a]'],
    ['a text', 'hello'],
    ['a key twice', 'version: v1\nmig-configs: {a: [], a: []}'],
    [
      'aliases without end',
      `a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nversion: v1\nmig-configs: {a: [*c,*c,*c,*c,*c,*c,*c,*c,*c]}`,
    ],
  ];
  for (const [says, file] of cases) {
    const { store, api } = setUp({ mig: file });
    await t.rejects(store.add('mig', [M], nobody), ConfigMapStoreError, says);
    await t.rejects(store.add('mig', [M], nobody), {
      message: 'config.yaml of the ConfigMap gpu-operator/mig is no configuration of mig-parted: mend or empty it',
    });
    t.equal(api.count(/^PATCH/), 0, says);
  }
  for (const empty of ['', ' \n', 'version: v1\n', 'version: v1\nmig-configs:\n']) {
    const { store, file } = setUp({ mig: empty });
    await store.add('mig', [M], nobody);
    t.strictSame([...configs(file()).keys()], [M.name], `but this is empty: ${JSON.stringify(empty)}`);
  }
});

tap.test('our own file, mended by hand, is read as what it is', async (t) => {
  const { store, api, file } = setUp();
  await store.add('mig', [M], nobody);
  const hand = '  by-hand:\n    - devices: all\n      mig-enabled: false\n';
  api.put(MIG, { metadata: { name: 'mig' }, data: { 'config.yaml': `${file()}# mine\n${hand}` } });
  await store.add('mig', [N], nobody);
  t.strictSame([...configs(file()).keys()].sort(), [M.name, N.name, 'by-hand'].sort());
  t.ok((store.age('mig', M.name) ?? -1) >= 0, 'and ours are still ours');
});

tap.test('names are collected once nobody has needed them for ten minutes', async (t) => {
  const { store, clock, data, api } = setUp({
    plugin: { default: 'version: v1' },
    mig: 'version: v1\nmig-configs:\n  gpu-1: []\n',
  });
  await store.add('plugin', [P, Q], nobody);
  await store.add('mig', [M, N], nobody);
  clock.ms += 599_999;
  t.equal(await store.collect('plugin', NOBODY), 0);
  clock.ms += 1;
  const patches = api.count(/^PATCH/);
  t.equal(await store.collect('plugin', new Set([P.name, Q.name])), 0, 'somebody needs them');
  t.equal(api.count(/^PATCH/), patches);
  t.equal(await store.collect('plugin', new Set([P.name])), 1);
  t.strictSame(data(PLUGIN), { default: 'version: v1', [P.name]: P.text });
  t.equal(store.age('plugin', Q.name), undefined);
  t.equal(await store.collect('mig', new Set([N.name])), 1);
  t.strictSame([...configs(data(MIG)['config.yaml'] ?? '').keys()], ['gpu-1', N.name]);
});

tap.test('who has just come collects nothing: it does not know for how long nobody has needed it', async (t) => {
  const { store, make, clock } = setUp();
  await store.add('plugin', [P], nobody);
  clock.ms += 3_600_000;
  const restarted = make();
  t.equal(await restarted.collect('plugin', NOBODY), 0);
  clock.ms += 600_000;
  t.equal(await restarted.collect('plugin', NOBODY), 1);
});

tap.test('a name that begins like another is another', async (t) => {
  const { store, clock, data } = setUp({
    plugin: { [`${P.name}0`]: 'theirs', [`x${P.name}`]: 'theirs', 'gpu-1': 'theirs', 'gpu-10': 'theirs' },
  });
  const again = { ...P, name: `${P.name}-r1` };
  await store.add('plugin', [P, again], nobody);
  clock.ms += 600_000;
  t.equal(await store.collect('plugin', new Set([again.name])), 1);
  t.strictSame(Object.keys(data(PLUGIN)).sort(), [`${P.name}0`, again.name, `x${P.name}`, 'gpu-1', 'gpu-10'].sort());
});

/** Layouts of eight GPUs, all different, and as long as they get. */
function layouts(count: number): NamedConfig[] {
  const kinds = [
    { '1g.5gb': 3, '2g.10gb': 2 },
    { '1g.5gb': 1, '1g.5gb+me': 1, '2g.10gb': 1, '3g.20gb': 1 },
    { '1g.10gb': 1, '1g.5gb': 2, '4g.20gb': 1 },
    { '1g.5gb': 7 },
    { '3g.20gb': 2 },
    { '1g.5gb': 5, '2g.10gb': 1 },
    { '1g.10gb': 3, '1g.5gb': 1 },
    { '1g.5gb': 4, '3g.20gb': 1 },
  ];
  const found: NamedConfig[] = [];
  const go = (taken: Partition['layouts'], rest: Partition['layouts']) => {
    if (found.length === count) return;
    if (rest.length === 0) found.push(migConfig({ layouts: taken, sharing: undefined }));
    for (const kind of rest)
      go(
        [...taken, kind],
        rest.filter((other) => other !== kind),
      );
  };
  go([], kinds);
  return found;
}

const FULL = 'the ConfigMap gpu-operator/mig is full: its nodes differ in too many ways';

tap.test('5,000 nodes in 5,000 layouts: as many as fit are kept, and more are refused in a sentence', async (t) => {
  const keys = layouts(5_000);
  const fits = (count: number) =>
    setUp()
      .store.add('mig', keys.slice(0, count), nobody)
      .then(
        () => true,
        () => false,
      );
  let [fit, over] = [0, keys.length];
  while (over - fit > 1) {
    const middle = Math.floor((fit + over) / 2);
    if (await fits(middle)) fit = middle;
    else over = middle;
  }
  const { store, api, file } = setUp();
  const held = new Set(keys.slice(0, fit).map(({ name }) => name));
  const inUse = () => held;
  await store.add('mig', keys.slice(0, fit), inUse);
  t.comment(`${fit} layouts of 8 GPUs fit, ${Buffer.byteLength(file())} bytes`);
  t.ok(fit > 1_000);
  t.ok(Buffer.byteLength(file()) <= 1_048_576);
  const next = keys[fit] as NamedConfig;
  const writes = api.count(/^(POST|PATCH)/);
  for (const more of [[next], keys]) await t.rejects(store.add('mig', more, inUse), { message: FULL });
  t.equal(api.count(/^(POST|PATCH)/), writes, 'nothing is written');
  t.equal(configs(file()).size, fit, 'none of them is lost');

  const [gone = ''] = held;
  held.delete(gone);
  const before = cpuMs();
  await store.add('mig', [next], inUse);
  t.comment(`a write among ${fit} entries took ${(cpuMs() - before).toFixed(1)} ms, with the copies of the fake`);
  const after = configs(file());
  t.ok(after.has(next.name));
  t.notOk(after.has(gone), 'what nobody needs makes room at once');
  t.equal(after.size, fit);
});

tap.test('2,000 nodes that share few layouts take little room', async (t) => {
  const { store, file } = setUp();
  const keys = Array.from({ length: 2_000 }, (_, i) =>
    migConfig({ layouts: new Array(8).fill({ '1g.5gb': 1 + (i % 7) }), sharing: undefined }),
  );
  for (let i = 0; i < 14; i += 1) await store.add('mig', keys.slice(i, i + 100), nobody);
  t.equal(configs(file()).size, 7);
});

tap.test('thousands of entries are read and written without a stall', async (t) => {
  const { store, api } = setUp();
  await store.add('mig', layouts(1_500), nobody);
  const [, extra] = layouts(2);
  const times: number[] = [];
  for (let i = 1; i <= 5; i += 1) {
    const before = cpuMs();
    await store.add('mig', [{ name: `gpu-autoscaler-00000000000${i}`, text: extra?.text ?? '' }], nobody);
    times.push(cpuMs() - before);
  }
  t.comment(`a write among 1,500 entries: ${times.map((ms) => ms.toFixed(1)).join(', ')} ms`);
  t.ok(Math.min(...times) < 50);
  t.equal(api.count(/^PATCH/), 5);
});
