/** `gpu-autoscaler doctor` on snapshots, as a user runs it. */

import { join } from 'node:path';
import tap from 'tap';
import { stringify } from 'yaml';
import { definitionOf, NODE_CONFIGS, SHARING_POLICIES } from '#src/api/custom-resources.ts';
import { CONFIG_MAP, SYSTEM_NAMESPACE } from '#src/api/keys.ts';
import { webhookConfiguration } from '#src/webhook/configuration.ts';
import { cpuNode, exclusiveNode, migNode, mpsNode } from '../objects/nodes.ts';
import { devicePluginSet, migManagerSet } from '../objects/nvidia-components.ts';
import { doctor, findingListOf, namesIn } from './run-doctor.ts';

const list = (...items: object[]) => ({ apiVersion: 'v1', kind: 'List', items });
const node = (name: string, labels: object, allocatable: object) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels },
  status: { allocatable: { cpu: '8', ...allocatable } },
});
const deployment = (namespace: string, name: string, image: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { namespace, name },
  spec: { template: { spec: { containers: [{ name: 'main', image }] } } },
  status: { availableReplicas: 1 },
});
const queue = (name: string, ...coveredResources: string[]) => ({
  apiVersion: 'kueue.x-k8s.io/v1beta1',
  kind: 'ClusterQueue',
  metadata: { name },
  spec: { resourceGroups: [{ coveredResources, flavors: [] }] },
});
const service = { namespace: SYSTEM_NAMESPACE, name: 'gpu-autoscaler-webhook' };
const registered = (caBundle: string) =>
  webhookConfiguration({ clientConfig: { service: { ...service, path: '/' } }, caBundle, exemptNamespaces: [] });

/** As real clusters have had each of them: docs/reference/nodes.md. */
const BAD = [
  node('aks', { 'kubernetes.azure.com/accelerator': 'nvidia' }, { 'nvidia.com/gpu': 1 }),
  node(
    'crashed',
    { 'nvidia.com/gpu.product': 'NVIDIA-L4', 'nvidia.com/gpu.count': '1', 'nvidia.com/gpu.memory': '23034' },
    { 'nvidia.com/gpu': 0 },
  ),
  node(
    'plain',
    {
      'nvidia.com/gpu.product': 'NVIDIA-A10G-SHARED',
      'nvidia.com/gpu.count': '1',
      'nvidia.com/gpu.replicas': '12',
      'nvidia.com/gpu.sharing-strategy': 'time-slicing',
      'nvidia.com/device-plugin.config': 'slices',
    },
    { 'nvidia.com/gpu': 12 },
  ),
  node(
    'single',
    {
      'nvidia.com/gpu.product': 'NVIDIA-A100-PCIE-40GB-MIG-1g.5gb',
      'nvidia.com/gpu.count': '14',
      'nvidia.com/gpu.memory': '4864',
      'nvidia.com/mig.strategy': 'single',
      'nvidia.com/mig.config': 'all-1g.5gb',
    },
    { 'nvidia.com/gpu': 14 },
  ),
  migNode({
    name: 'mixed',
    gpus: 1,
    layout: { '1g.5gb': 7 },
    labels: { 'k8s.amazonaws.com/accelerator': 'nvidia-tesla-a100', 'nvidia.com/mig.config.state': 'pending' },
  }),
  devicePluginSet({ image: 'nvcr.io/nvidia/k8s-device-plugin:v0.17.1', configMap: 'slices' }),
  deployment('kube-system', 'autoscaler', 'registry.k8s.io/autoscaling/cluster-autoscaler:v1.33.0'),
  deployment('karpenter', 'karpenter', 'public.ecr.aws/karpenter/controller:1.8.0'),
  queue('research', 'cpu', 'nvidia.com/gpu'),
  registered(''),
  { ...definitionOf(SHARING_POLICIES) },
];

const GOOD = [
  exclusiveNode({ name: 'whole', gpus: 2 }),
  mpsNode({ name: 'mps', gpus: 1, replicas: 8 }),
  migNode({ name: 'mig', gpus: 1, layout: { '1g.5gb': 7 } }),
  cpuNode(),
  devicePluginSet(),
  migManagerSet(),
  deployment(SYSTEM_NAMESPACE, 'gpu-autoscaler-scheduler', 'registry.k8s.io/kube-scheduler:v1.36.3'),
  queue('research', 'cpu', 'nvidia.com/gpu', 'nvidia.com/gpu.shared', 'nvidia.com/mig-1g.5gb'),
  registered('PEM'),
  { apiVersion: 'v1', kind: 'Service', metadata: service },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...service, labels: { 'kubernetes.io/service-name': service.name } },
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true } }],
  },
  definitionOf(SHARING_POLICIES),
  definitionOf(NODE_CONFIGS),
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: CONFIG_MAP.name, namespace: SYSTEM_NAMESPACE },
    data: { [CONFIG_MAP.key]: 'binPacking: {enabled: true}\n' },
  },
];

const FOUND = [
  'error webhook',
  'error scheduler',
  'error crds',
  'error node-sizes',
  'error missing-gpus',
  'error mig-state',
  'error autoscalers',
  'warning slot-names',
  'warning mig-strategy',
  'warning device-plugin',
  'warning components',
  'warning components',
  'warning foreign-configs',
  'warning foreign-configs',
  'warning autoscalers',
  'warning autoscalers',
  'warning queues',
];

tap.test('a cluster in a bad state: each thing is found, with its fix', async (t) => {
  const dir = t.testdir({ 'cluster.json': JSON.stringify(list(...BAD)) });
  const { status, stdout, stderr } = doctor(['-s', join(dir, 'cluster.json'), '-o', 'json']);
  t.equal(status, 1, stderr);
  t.strictSame(namesIn(stdout), FOUND);
  const { items, checks, notLookedAt, gpuNodes } = findingListOf(stdout);
  t.equal(gpuNodes, 5);
  t.ok(items.every(({ fix, message }) => fix.length > 10 && message.length > 10));
  t.strictSame(
    checks.filter(({ result }) => result !== 'found').map(({ name, result }) => [name, result]),
    [['clock', 'unknown']],
  );
  t.match(notLookedAt, [{ kinds: ["the API server's clock"], why: 'a snapshot has none', checks: ['clock'] }, {}]);
  const text = doctor(['-s', join(dir, 'cluster.json')]);
  t.equal(text.status, 1);
  t.match(text.stdout, /\nchecked 5 GPU nodes, 13 of 14 checks: 7 errors, 10 warnings\n$/);
  t.equal(text.stdout.match(/^(error|warning) /gm)?.length, 17);
  t.equal(text.stdout.match(/^ +fix: /gm)?.length, 17);
});

tap.test('a cluster in a good state: nothing is found; YAML, in several files, and standard input', async (t) => {
  const [first = {}, ...rest] = GOOD;
  const dir = t.testdir({ 'nodes.yaml': stringify(first), 'rest.json': JSON.stringify(list(...rest.slice(1))) });
  const files = ['-s', join(dir, 'nodes.yaml'), '-s', join(dir, 'rest.json'), '-s', '-'];
  const { status, stdout, stderr } = doctor(files, { input: stringify(rest[0]) });
  t.equal(status, 0, stdout);
  t.equal(stderr, '', 'the ConfigMap is in the snapshot');
  t.match(stdout, /^not looked at: the API server's clock \(a snapshot has none\); concerns clock\nnot looked at: /);
  t.match(stdout, /\nchecked 3 GPU nodes, 13 of 14 checks: nothing found\n$/);
});

tap.test('a configuration file holds: what is switched off is not missed', async (t) => {
  const dir = t.testdir({
    'cluster.json': JSON.stringify(list(exclusiveNode({ name: 'a', gpus: 1 }), deployment('x', 'x', 'x'))),
    'config.yaml': 'binPacking: {enabled: false}\nreconciler: {enabled: false}\n',
    'wrong.yaml': 'binPacking: {enabeld: false}\n',
  });
  const run = (...args: string[]) => doctor(['-s', join(dir, 'cluster.json'), ...args]);
  t.strictSame(namesIn(run('-o', 'json').stdout), ['error scheduler']);
  t.equal(run('--config', join(dir, 'config.yaml')).status, 0);
  const { status, stderr } = run('--config', join(dir, 'wrong.yaml'));
  t.equal(status, 2);
  t.match(stderr, /wrong\.yaml:1:14: binPacking\.enabeld: there is no such key; did you mean enabled\?/);
});

tap.test('thousands of nodes are one line, and names steer no terminal', async (t) => {
  const names = Array.from({ length: 5_000 }, (_, i) => `node-${i}`);
  const nodes = ['\u001b[2J', ...names].map((name) => node(name, {}, { 'nvidia.com/gpu': 1 }));
  const dir = t.testdir({ 'cluster.json': JSON.stringify(list(...nodes)) });
  const { stdout } = doctor(['-s', join(dir, 'cluster.json')]);
  t.match(stdout, /on 5001 nodes \(\\u001b\[2J, node-0, node-1, …\) is not known/);
  t.notOk(stdout.includes('\u001b'));
  t.ok(stdout.split('\n').length < 8);
});

tap.test('faults: exit code 2, and the place', async (t) => {
  const dir = t.testdir({
    'broken.json': '{"kind": "List", "items": [',
    'pods.json': JSON.stringify(list({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } })),
    'cluster.json': JSON.stringify(list(...GOOD)),
    kubeconfig: stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:9' } }],
      users: [{ name: 'u', user: {} }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    }),
  });
  const cases: readonly [args: readonly string[], says: RegExp][] = [
    [['-s', join(dir, 'broken.json')], /broken\.json:1:\d+: /],
    [['-s', join(dir, 'none.json')], /cannot read .*none\.json: ENOENT/],
    [['-s', join(dir, 'pods.json')], /there is nothing in the snapshot that doctor looks at/],
    [['-s', '-', '-s', '-'], /standard input \(-\) can be read only once/],
    [['-s', join(dir, 'cluster.json'), '-o', 'xml'], /--output: "xml" is not text or json/],
    [[], /cannot read the kubeconfig: .*\n.*--snapshot FILE/],
    [['--kubeconfig', join(dir, 'kubeconfig')], /^gpu-autoscaler: .*ECONNREFUSED/],
  ];
  for (const [args, says] of cases) {
    const { status, stdout, stderr } = doctor(args);
    t.equal(status, 2, args.join(' '));
    t.equal(stdout, '');
    t.match(stderr, says);
    t.notMatch(stderr, /\n\s+at /, 'no stack trace');
  }
});

tap.test('--help lists every check, and the exit codes', async (t) => {
  const { status, stdout } = doctor(['--help']);
  t.equal(status, 0);
  for (const line of new Set(FOUND)) t.match(stdout, new RegExp(`\n  ${line.split(' ')[1]} +\\S`));
  t.match(stdout, /Exit codes: 0 nothing found; 1 errors or warnings found; 2 /);
});
