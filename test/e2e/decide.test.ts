/** `gpu-autoscaler decide`, as a user runs it. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import tap from 'tap';
import { stringify } from 'yaml';
import { NODES } from '../fixtures/surroundings.ts';
import { gpuPod } from '../objects/pods.ts';
import { BIN, decide, itemsOf } from './run-decide.ts';

const KEY = 'gpu-autoscaler.io/';

const SNAPSHOT = {
  apiVersion: 'v1',
  kind: 'List',
  items: NODES.map((node) => ({ apiVersion: 'v1', kind: 'Node', ...node })),
};
const inference = { [`${KEY}workload-type`]: 'inference' };
const pod = (name: string, more: object = {}) => gpuPod({ name, gpus: 1, schedulerName: 'default-scheduler', ...more });
const policy = (name: string, spec: object) => ({
  apiVersion: 'gpuautoscaler.io/v1alpha1',
  kind: 'GPUSharingPolicy',
  metadata: { name },
  spec,
});
const template = {
  metadata: { labels: inference },
  spec: { containers: [{ name: 'main', resources: { limits: { 'nvidia.com/gpu': 1 } } }] },
};

tap.test('text: what becomes of the pod, and why', async (t) => {
  const dir = t.testdir({
    'nodes.json': JSON.stringify(SNAPSHOT),
    'pod.yaml': stringify(pod('server', { labels: inference })),
  });
  const file = join(dir, 'pod.yaml');
  const { status, stdout, stderr } = decide(['-f', file, '-s', join(dir, 'nodes.json')]);
  t.equal(status, 0, stderr);
  t.equal(stderr, '');
  t.equal(
    stdout,
    [
      `Pod server (${file})`,
      '  1. skipped MIG: no GPU memory is declared',
      '  2. considered MPS: inference takes a slot of 1/8 GPU (5Gi), offered by 1 node',
      '  → shares a GPU by mps: nvidia.com/gpu.shared: 1 instead of nvidia.com/gpu: 1',
      '    placed by gpu-autoscaler-scheduler',
      '',
    ].join('\n'),
  );
});

const WORKLOADS: readonly [kind: string, spec: object, strategy: string, action: string][] = [
  ['Pod', template.spec, 'none', 'schedule'],
  ['Deployment', { template }, 'mps', 'share'],
  ['ReplicaSet', { template }, 'mps', 'share'],
  ['StatefulSet', { template }, 'mps', 'share'],
  ['DaemonSet', { template }, 'none', 'leave'],
  ['Job', { template }, 'mps', 'share'],
  ['CronJob', { jobTemplate: { spec: { template } } }, 'mps', 'share'],
];

tap.test('every kind of workload, in several files, a List, and standard input', async (t) => {
  const manifests = WORKLOADS.map(([kind, spec]) => ({ apiVersion: 'v1', kind, metadata: { name: 'x' }, spec }));
  const dir = t.testdir({
    'nodes.yaml': SNAPSHOT.items.map((item) => stringify(item)).join('---\n'),
    'some.yaml': manifests
      .slice(0, 3)
      .map((each) => stringify(each))
      .join('---\n'),
    'list.json': JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests.slice(3, 6) }),
  });
  const files = ['some.yaml', 'list.json'].map((name) => join(dir, name));
  const { status, stdout, stderr } = decide(
    [...[...files, '-'].flatMap((file) => ['-f', file]), '-s', join(dir, 'nodes.yaml'), '-o', 'json'],
    { input: stringify(manifests[6]) },
  );
  t.equal(status, 0, stderr);
  const items = itemsOf(stdout);
  t.strictSame(
    items.map(({ object, strategy, action }) => [object, strategy, action]),
    WORKLOADS.map(([kind, , strategy, action]) => [`${kind} x`, kind === 'Pod' ? 'exclusive' : strategy, action]),
  );
  t.strictSame(
    items.map(({ file }) => file),
    [...Array(3).fill(files[0]), ...Array(3).fill(files[1]), 'standard input'],
  );
});

tap.test('-o json: fields that programs may count on', async (t) => {
  const dir = t.testdir({
    'nodes.json': JSON.stringify(SNAPSHOT),
    'pods.json': JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [
        pod('shares', { labels: inference }),
        pod('left', { annotations: { [`${KEY}optimize`]: 'false' } }),
        pod('wrong', { annotations: { [`${KEY}sharing-mode`]: 'turbo' } }),
      ],
    }),
  });
  const { stdout } = decide(['-f', join(dir, 'pods.json'), '-s', join(dir, 'nodes.json'), '-o', 'json']);
  const [shares, left, wrong] = itemsOf(stdout);
  t.strictSame(Object.keys(shares ?? {}).sort(), [
    'action',
    'faults',
    'file',
    'object',
    'pod',
    'policy',
    'reasons',
    'resource',
    'strategy',
    'warnings',
  ]);
  t.match(shares, {
    resource: 'nvidia.com/gpu.shared',
    policy: null,
    pod: { spec: { containers: [{ resources: { limits: { 'nvidia.com/gpu.shared': '1' } } }] } },
  });
  t.match(left, {
    action: 'leave',
    strategy: 'none',
    resource: null,
    pod: null,
    reasons: ['the pod opted out (optimize: "false")'],
  });
  t.strictSame(Object.keys(wrong ?? {}).sort(), Object.keys(shares ?? {}).sort());
  t.match(wrong, { action: 'error', faults: [/sharing-mode: "turbo" is not one of/] });
});

tap.test('policies beside the pods, after them in another file, and namespaces of the snapshot', async (t) => {
  const byNamespace = policy('staging', {
    strategy: 'timeslicing',
    namespaceSelector: { matchLabels: { environment: 'staging' } },
  });
  const namespace = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'team', labels: { environment: 'staging' } },
  };
  const dir = t.testdir({
    'snapshot.json': JSON.stringify({ ...SNAPSHOT, items: [...SNAPSHOT.items, namespace] }),
    'pod.yaml': stringify(pod('server', { labels: inference })),
    'policy.yaml': stringify(byNamespace),
  });
  const args = [
    '-f',
    join(dir, 'pod.yaml'),
    '-f',
    join(dir, 'policy.yaml'),
    '-s',
    join(dir, 'snapshot.json'),
    '-o',
    'json',
  ];
  t.match(itemsOf(decide([...args, '-n', 'team']).stdout), [{ policy: 'staging', strategy: 'timeslicing' }]);
  t.match(itemsOf(decide(args).stdout), [{ policy: null, strategy: 'mps' }], 'not in namespace default');
});

tap.test('a configuration file holds', async (t) => {
  const dir = t.testdir({
    'nodes.json': JSON.stringify(SNAPSHOT),
    'pod.yaml': stringify(pod('server', { labels: inference })),
    'config.yaml': 'sharing:\n  mps:\n    enabled: false\n',
    'wrong.yaml': 'sharing:\n  mps:\n    maxClient: 4\n',
  });
  const args = ['-f', join(dir, 'pod.yaml'), '-s', join(dir, 'nodes.json'), '--config'];
  t.match(
    decide([...args, join(dir, 'config.yaml')]).stdout,
    /considered MPS: MPS is switched off by the configuration\n/,
  );
  const { status, stdout, stderr } = decide([...args, join(dir, 'wrong.yaml')]);
  t.equal(status, 2);
  t.equal(stdout, '');
  t.match(stderr, /wrong\.yaml:3:5: sharing\.mps\.maxClient: there is no such key; did you mean maxClients\?/);
});

tap.test('a Prometheus that nobody reaches: said at once, and decided without', async (t) => {
  const history = { prometheusUrl: 'http://127.0.0.1:9' };
  const dir = t.testdir({
    'nodes.json': JSON.stringify(SNAPSHOT),
    'pod.yaml': stringify(pod('server', { labels: inference })),
    'config.yaml': stringify({ admissionWebhook: { history } }),
  });
  const started = performance.now();
  const { status, stdout, stderr } = decide([
    '-f',
    join(dir, 'pod.yaml'),
    '-s',
    join(dir, 'nodes.json'),
    '--config',
    join(dir, 'config.yaml'),
  ]);
  t.equal(status, 0);
  t.match(stderr, /^gpu-autoscaler: no history from Prometheus: /);
  t.match(stdout, /no history: Prometheus has not answered yet\n/);
  t.ok(performance.now() - started < 10_000);
});

tap.test('faults: exit code 2, and the place', async (t) => {
  const dir = t.testdir({
    'nodes.json': JSON.stringify(SNAPSHOT),
    'pod.yaml': stringify(pod('server')),
    'broken.yaml': 'apiVersion: v1\nkind: [Pod\n',
    'policy.yaml': stringify(policy('p', { strategy: 'magic' })),
    'deployment.yaml': 'apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 1\n',
    'service.yaml': 'apiVersion: v1\nkind: Service\n',
  });
  const nodes = ['-s', join(dir, 'nodes.json')];
  const cases: readonly [args: readonly string[], says: RegExp][] = [
    [[], /required option '-f, --filename <file>'/],
    [['-f', join(dir, 'broken.yaml'), ...nodes], /broken\.yaml:3:1: /],
    [['-f', join(dir, 'pod.yaml'), '-s', join(dir, 'broken.yaml')], /broken\.yaml:3:1: /],
    [
      ['-f', join(dir, 'policy.yaml'), '-f', join(dir, 'pod.yaml'), ...nodes],
      /policy\.yaml:1:1: GPUSharingPolicy p: spec\.strategy: /,
    ],
    [['-f', join(dir, 'deployment.yaml'), ...nodes], /deployment\.yaml:6:3: Deployment web: spec\.template: /],
    [['-f', join(dir, 'service.yaml'), ...nodes], /there is no pod, and nothing that makes pods/],
    [['-f', join(dir, 'none.yaml'), ...nodes], /cannot read .*none\.yaml: ENOENT/],
    [['-f', dir, ...nodes], /broken\.yaml:3:1: /],
    [['-f', '-', '-s', '-'], /standard input \(-\) can be read only once/],
    [['-f', join(dir, 'pod.yaml'), '-o', 'xml', ...nodes], /--output: "xml" is not text or json/],
    [['-f', join(dir, 'pod.yaml')], /cannot read the kubeconfig: .*\n.*--snapshot FILE/],
  ];
  for (const [args, says] of cases) {
    const { status, stdout, stderr } = decide(args);
    t.equal(status, 2, args.join(' '));
    t.equal(stdout, '');
    t.match(stderr, says);
    t.notMatch(stderr, /\n\s+at /, 'no stack trace');
  }
  const { status, stderr } = decide(['-f', join(dir, 'pod.yaml')], { env: { KUBECONFIG: '', HOME: '/nowhere' } });
  t.equal(status, 2);
  t.match(stderr, /--snapshot FILE/, 'nor is there any kubeconfig');
});

tap.test('a cluster that does not answer: exit code 1', async (t) => {
  const cluster = { name: 'c', cluster: { server: 'https://127.0.0.1:9' } };
  const dir = t.testdir({
    'pod.yaml': stringify(pod('server')),
    kubeconfig: stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      clusters: [cluster],
      users: [{ name: 'u', user: {} }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    }),
  });
  const { status, stderr } = decide(['-f', join(dir, 'pod.yaml'), '--kubeconfig', join(dir, 'kubeconfig')]);
  t.equal(status, 1);
  t.match(stderr, /^gpu-autoscaler: .*ECONNREFUSED/);
  t.notMatch(stderr, /\n\s+at /, 'no stack trace');
});

tap.test('a reader that has read enough closes the pipe: nothing is wrong', async (t) => {
  const items = Array.from({ length: 3_000 }, (_, i) => pod(`server-${i}`, { labels: inference }));
  const dir = t.testdir({
    'nodes.json': JSON.stringify(SNAPSHOT),
    'pods.json': JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
  });
  const args = [BIN, 'decide', '-f', join(dir, 'pods.json'), '-s', join(dir, 'nodes.json')];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = once(child, 'exit');
  await once(child.stdout, 'data');
  child.stdout.destroy();
  t.equal(await text(child.stderr), '');
  t.strictSame(await exit, [0, null]);
});

tap.test('a folder; what has no pod in it is passed over, and said so', async (t) => {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: { ports: [] } };
  const dir = t.testdir({
    'nodes.json': JSON.stringify(SNAPSHOT),
    manifests: {
      'a.yaml': stringify(pod('a', { labels: inference })),
      'b.yml': stringify(service),
      'notes.txt': 'not read',
    },
    empty: {},
    'chart.yaml': 'replicas: {{ .Values.replicas }}\nname: [',
  });
  const snapshot = ['-s', join(dir, 'nodes.json')];
  const { status, stdout, stderr } = decide(['-f', join(dir, 'manifests'), ...snapshot, '-o', 'json']);
  t.equal(status, 0);
  const { items, passedOver } = JSON.parse(stdout);
  t.match(items, [{ object: 'Pod a', action: 'share' }]);
  t.strictSame(passedOver, [{ file: join(dir, 'manifests', 'b.yml'), object: 'Service web' }]);
  t.match(stderr, /b\.yml: Service web was passed over: there is no pod template in it/);
  const none = decide(['-f', join(dir, 'empty'), ...snapshot]);
  t.strictSame([none.status, /no \.yaml, \.yml or \.json in this folder/.test(none.stderr)], [2, true]);
  const template = decide(['-f', join(dir, 'chart.yaml'), ...snapshot]);
  t.strictSame([template.status, /this is a template: helm template/.test(template.stderr)], [2, true]);
});
