/** What may be given to `decide`, and where a fault is. */

import tap from 'tap';
import { readManifests } from '#src/cli/decide/manifests.ts';
import { cpuMs } from '../../../objects/cpu-time.ts';

const pod = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: {} });
const yaml = (name: string) => `apiVersion: v1\nkind: Pod\nmetadata:\n  name: ${name}\nspec: {}\n`;
const list = (kind: string, ...items: readonly unknown[]) => JSON.stringify({ apiVersion: 'v1', kind, items });

const GOOD: readonly [says: string, text: string, names: readonly string[]][] = [
  ['nothing', '', []],
  ['a comment', '# nothing yet\n', []],
  ['one YAML document', yaml('a'), ['a']],
  ['several, some of them empty', `---\n${yaml('a')}---\n---\n# no more\n---\n${yaml('b')}...\n`, ['a', 'b']],
  ['JSON', JSON.stringify(pod('a')), ['a']],
  ['JSON over several lines, with tabs', `\n${JSON.stringify(pod('a'), null, '\t')}\n`, ['a']],
  ['a List', list('List', pod('a'), pod('b')), ['a', 'b']],
  ['a PodList', list('PodList', pod('a')), ['a']],
  ['an empty List', list('List'), []],
  [
    'a List as YAML',
    `apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n`,
    ['a'],
  ],
  ['anchors', `x-common: &c {name: a}\napiVersion: v1\nkind: Pod\nmetadata: *c\n`, ['a']],
  ['no metadata', 'apiVersion: v1\nkind: Pod\n', ['']],
];
for (const [says, text, names] of GOOD) {
  tap.test(says, async (t) => {
    const found = readManifests('f', text).map(({ object }) => object.metadata?.name ?? '');
    t.strictSame(found, names);
  });
}

const BAD: readonly [says: string, text: string, message: RegExp][] = [
  ['broken YAML', 'apiVersion: v1\nkind: [Pod\n', /^f:3:1: .*\]/],
  ['broken JSON', '{\n  "kind": "Pod"\n  "apiVersion": "v1"\n}', /^f:3:3: /],
  ['a key twice', 'kind: Pod\nkind: Job\n', /^f:2:1: .*unique/],
  ['no kind', 'apiVersion: v1\n', /^f:1:1: no Kubernetes object: kind: /],
  ['no kind in the second document', `${yaml('a')}---\napiVersion: v1\n`, /^f:7:1: no Kubernetes object: kind: /],
  ['a kind that is none', 'apiVersion: v1\nkind:\n  - Pod\n', /^f:3:3: no Kubernetes object: kind: /],
  ['no kind in JSON', '{\n "apiVersion": "v1"\n}', /^f:1:1: no Kubernetes object: kind: /],
  ['text', 'hello\n', /^f:1:1: no Kubernetes object: body: /],
  ['an array', '[]', /^f:1:1: no Kubernetes object: body: /],
  [
    'a fault in an item of a List',
    list('List', pod('a'), { kind: 'Pod' }).replaceAll('},{', '},\n{'),
    /^f:2:1: no Kubernetes object: apiVersion: /,
  ],
  ['an alias to nothing', 'apiVersion: v1\nkind: *nothing\n', /^f:(1:1|2:7): .*nothing/],
  [
    'aliases without end',
    `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c]\n`,
    /^f:1:1: Excessive alias count/,
  ],
];
for (const [says, text, message] of BAD) {
  tap.test(`${says}: a sentence with the place`, async (t) => {
    t.throws(() => readManifests('f', text), { name: 'InputError', message });
  });
}

tap.test('where something in a manifest is', async (t) => {
  for (const text of [yaml('a'), JSON.stringify(pod('a'), null, 1)]) {
    const [manifest] = readManifests('f', text);
    t.equal(manifest?.at(), 'f:1:1');
    t.match(manifest?.at(['metadata', 'name']), /^f:[45]:\d+$/);
    t.match(manifest?.at(['metadata', 'labels', 'app']), /^f:[345]:\d+$/, 'or where it should be');
  }
});

tap.test('a large snapshot is read fast', async (t) => {
  const labels = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`example.com/label-${i}`, String(i)]));
  const items = Array.from({ length: 5_000 }, (_, i) => ({ ...pod(`p${i}`), metadata: { name: `p${i}`, labels } }));
  const started = cpuMs();
  t.equal(readManifests('f', list('List', ...items)).length, 5_000);
  t.ok(cpuMs() - started < 2_000);
});
