/** What a new node of a group would offer. */

import tap from 'tap';
import { AUTO, grouping, MPS, nodegroup, ONE_CUT, pool } from './make.ts';

const essence = ({ groups }: ReturnType<typeof grouping>) =>
  groups.map(({ pool, nodes, configs, offers }) => [
    pool?.name,
    nodes.join(),
    configs.join(),
    Object.fromEntries(offers),
  ]);

tap.test('nodes of one pool and instance type are one group; those without a GPUNodeConfig are of it', async (t) => {
  const found = grouping({
    a: { labels: pool('x'), wants: MPS },
    b: { labels: pool('x') },
    c: { labels: nodegroup('y'), wants: ONE_CUT },
    d: { labels: nodegroup('z') },
  });
  t.strictSame(essence(found), [
    ['x', 'a,b', 'a', { 'nvidia.com/gpu': 0, 'nvidia.com/gpu.shared': 32 }],
    ['y', 'c', 'c', { 'nvidia.com/gpu': 3, 'nvidia.com/mig-1g.5gb': 2, 'nvidia.com/mig-2g.10gb': 1 }],
  ]);
  t.strictSame(Object.fromEntries(found.groups[0]?.milli ?? []), { 'nvidia.com/gpu.shared': 125 });
  t.strictSame(found.notes, []);
});

tap.test(
  'GPUNodeConfigs that differ: what most ask for, then what was asked for first; the others are named',
  async (t) => {
    const labels = pool('x');
    const most = grouping({ a: { labels, wants: ONE_CUT }, b: { labels, wants: MPS }, c: { labels, wants: MPS } });
    t.match(essence(most), [['x', 'a,b,c', 'b,c', {}]]);
    t.match(most.notes, [
      /^pool x, p4d\.24xlarge: GPUNodeConfig a asks for something else and does not count; .*split the group/,
    ]);
    const first = grouping({ a: { labels, wants: ONE_CUT }, b: { labels, wants: MPS } });
    t.match(essence(first), [['x', 'a,b', 'a', {}]]);
  },
);

tap.test('what does not count is named, with the reason', async (t) => {
  const spec = (nodeName: string) => ({ nodeName, ...MPS });
  const { groups, notes } = grouping(
    {
      a: { labels: pool('a'), wants: { migEnabled: true, migProfiles: ['9g.1gb'] } },
      b: { labels: pool('b'), wants: { migEnabled: true, migProfiles: ['1g.99gb'] } },
      c: { labels: pool('c'), wants: {} },
      d: { labels: pool('d'), wants: MPS },
    },
    AUTO,
    [
      { metadata: { name: 'gone' }, spec: spec('gone') },
      { metadata: { name: 'second' }, spec: spec('d') },
      { metadata: { name: 'none' }, spec: {} },
    ],
  );
  t.strictSame(
    groups.map(({ pool }) => pool?.name),
    ['d'],
  );
  t.match(notes, [
    'GPUNodeConfig gone is passed over: there is no node gone with GPUs',
    'GPUNodeConfig second is passed over: d counts for node d',
    'GPUNodeConfig none is passed over: it names no node',
    /^GPUNodeConfig a is passed over: migProfiles/,
    /^GPUNodeConfig b is passed over: .* has no MIG profile 1g\.99gb/,
    'pool c, p4d.24xlarge is passed over: all its GPUs are to be whole, which every autoscaler expects',
  ]);
});

tap.test('what would not partition a new node is named', async (t) => {
  const nodes = { a: { labels: pool('x'), wants: MPS }, b: { labels: pool('y'), wants: ONE_CUT } };
  t.match(grouping(nodes, { sharing: { mig: { autoConfig: true } } }).notes, [
    /^pool x, p4d\.24xlarge: sharing\.mps\.autoConfig is false, .*write one for each new node/,
  ]);
  t.match(grouping(nodes, { ...AUTO, reconciler: { enabled: false } }).notes, [
    /^pool x, .*reconciler\.enabled is false/,
    /^pool y, .*reconciler\.enabled is false/,
  ]);
});

tap.test('a node that has lost a GPU asks for the same, and is not the measure', async (t) => {
  const labels = pool('x');
  const found = grouping({ a: { labels, wants: MPS, gpus: 3 }, b: { labels, wants: MPS } });
  t.strictSame(essence(found), [['x', 'a,b', 'b,a', { 'nvidia.com/gpu': 0, 'nvidia.com/gpu.shared': 32 }]]);
  t.strictSame(found.notes, []);
});
