/** `gpu-autoscaler generate`, as a user runs it. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import tap from 'tap';
import { parse, stringify } from 'yaml';
import { installDefinitions } from '../cluster/custom-resources.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { nodeConfigObject } from '../objects/node-configs.ts';
import { exclusiveNode } from '../objects/nodes.ts';
import { generate } from './run-generate.ts';

const root = resolve(import.meta.dirname, '../..');
const CLUSTER = join(root, 'examples/autoscalers/cluster.yaml');
const CONFIG = { apiVersion: 'gpuautoscaler.io/v1alpha1', kind: 'GPUNodeConfig' };
const list = (...items: object[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
const node = exclusiveNode({ name: 'a', gpus: 2, labels: { 'karpenter.sh/nodepool': 'gpu' } });
const config = { ...CONFIG, ...nodeConfigObject({ mpsEnabled: true }) };

tap.test('the guide shows what the program prints', async (t) => {
  const guide = readFileSync(join(root, 'docs/guides/autoscalers.md'), 'utf8');
  const blocks = [...guide.matchAll(/^```console\n\$ npx gpu-autoscaler generate ([^|\n]*)\n([^`]+)```$/gm)];
  t.equal(blocks.length, 3);
  for (const [, args = '', shown] of blocks) {
    const { status, stdout, stderr } = generate(args.split(' '));
    t.equal(status, 0, args);
    t.equal(`${stderr}${stdout}`, shown, args);
  }
});

tap.test('standard input, and several snapshots', async (t) => {
  const dir = t.testdir({
    'nodes.json': list(node),
    'config.yaml': stringify({ sharing: { mps: { autoConfig: true } } }),
  });
  const args = ['-s', join(dir, 'nodes.json'), '-s', '-', '--config', join(dir, 'config.yaml')];
  const { status, stdout, stderr } = generate(['karpenter', ...args], list(config));
  t.equal(status, 0, stderr);
  t.equal(stderr, '');
  t.match(parse(stdout), { kind: 'NodeOverlay', spec: { capacity: { 'nvidia.com/gpu.shared': '32' } } });
});

tap.test('faults: exit code 2, a sentence, and nothing on standard output', async (t) => {
  const dir = t.testdir({
    'nodes.json': list(node),
    'far.json': list(node, { ...CONFIG, ...nodeConfigObject({ nodeName: 'b' }) }),
    'unknown.json': list(node, config),
    'broken.json': '{"kind": "List", "items": [',
  });
  const at = (file: string) => ['-s', join(dir, file)];
  const cases: readonly [args: readonly string[], says: RegExp][] = [
    [['eks', ...at('unknown.json')], /"eks" cannot be generated: say cluster-autoscaler, karpenter, kueue/],
    [['toString', ...at('unknown.json')], /"toString" cannot be generated/],
    [[], /missing required argument 'what'/],
    [['kueue', ...at('nodes.json')], /there is no GPUNodeConfig/],
    [['kueue', ...at('far.json')], /c is passed over: there is no node b .*\n.*there is nothing to generate for kueue/],
    [['kueue', ...at('broken.json')], /broken\.json:1:\d+: /],
    [['kueue', ...at('none.json')], /cannot read .*none\.json: ENOENT/],
    [['kueue', '-s', '-', '-s', '-'], /standard input \(-\) can be read only once/],
    [['kueue'], /cannot read the kubeconfig: .*\n.*--snapshot FILE/],
    [
      ['cluster-autoscaler', ...at('unknown.json')],
      /no spec\.providerID .*: say --provider aws\|azure\|gce\|clusterapi/,
    ],
    [['cluster-autoscaler', '--provider', 'x', '-s', CLUSTER], /--provider: "x" is not one of aws/],
  ];
  for (const [args, says] of cases) {
    const { status, stdout, stderr } = generate(args);
    t.equal(status, 2, args.join(' '));
    t.equal(stdout, '', args.join(' '));
    t.match(stderr, says);
    t.notMatch(stderr, /\n\s+at /, 'no stack trace');
  }
});

tap.test('a live cluster, before and after the definitions', async (t) => {
  const cluster = await clusterFor(t, { nodes: [node], kubelets: false });
  if (!cluster) return;
  const { client, kubeconfigFile } = cluster;
  const run = () => generate(['karpenter', '--kubeconfig', kubeconfigFile]);
  const before = run();
  t.equal(before.status, 2);
  t.match(before.stderr, /does not know GPUNodeConfigs: kubectl apply/);
  await installDefinitions(client);
  const path = '/apis/gpuautoscaler.io/v1alpha1/gpunodeconfigs';
  await client.json('POST', path, {
    body: { ...CONFIG, metadata: { name: 'c' }, spec: { nodeName: 'a', mpsEnabled: true } },
  });
  const after = run();
  t.equal(after.status, 0, after.stderr);
  t.match(after.stderr, /sharing\.mps\.autoConfig is false/);
  t.match(parse(after.stdout), { spec: { capacity: { 'nvidia.com/gpu': '0', 'nvidia.com/gpu.shared': '32' } } });
});
