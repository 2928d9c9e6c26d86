/** What a pod's author prefers counts for more than packing; where nothing is preferred, packing decides. */

import tap from 'tap';
import { clearAfter } from '../../cluster/clear.ts';
import { stackFor } from '../../cluster/for-test.ts';
import { createNode } from '../../cluster/nodes.ts';
import { createPod, nodeOf } from '../../cluster/pods.ts';
import { cpuNode, timeSlicingNode } from '../../objects/nodes.ts';
import { gpuPod } from '../../objects/pods.ts';

const SHARED = { 'nvidia.com/gpu.shared': 1 };
const NODES = ['node-1', 'node-2', 'node-3'] as const;
type NodeName = (typeof NODES)[number];

const HOSTNAME = 'kubernetes.io/hostname';
const onNode = (name: NodeName) => ({ matchExpressions: [{ key: HOSTNAME, operator: 'In', values: [name] }] });
const beside = (app: string) => ({ topologyKey: HOSTNAME, labelSelector: { matchLabels: { app } } });

interface Preference {
  readonly what: string;
  /** The pod's spec, with the preference. */
  readonly spec: object;
  /** On node-2; the fullest node is node-1, with three. */
  readonly neighbours?: readonly string[];
  /** Taint of effect PreferNoSchedule. */
  readonly tainted?: NodeName;
  readonly goesTo: NodeName;
}

const PREFERENCES: readonly Preference[] = [
  { what: 'no preference: the fullest node', spec: {}, goesTo: 'node-1' },
  {
    what: 'preferred node affinity',
    spec: {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: onNode('node-3') }],
        },
      },
    },
    goesTo: 'node-3',
  },
  {
    what: 'preferred node affinities of two weights: the heavier',
    spec: {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 40, preference: onNode('node-1') },
            { weight: 60, preference: onNode('node-3') },
          ],
        },
      },
    },
    goesTo: 'node-3',
  },
  {
    what: 'preferred pod affinity',
    neighbours: ['cache'],
    spec: {
      affinity: {
        podAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: beside('cache') }],
        },
      },
    },
    goesTo: 'node-2',
  },
  {
    what: 'preferred pod anti-affinity: to the fullest of the others',
    neighbours: ['noisy'],
    spec: {
      affinity: {
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: beside('first') }],
        },
      },
    },
    goesTo: 'node-2',
  },
  { what: 'a taint of effect PreferNoSchedule on the fullest node', tainted: 'node-1', spec: {}, goesTo: 'node-2' },
  {
    what: 'the same taint, tolerated: the fullest node again',
    tainted: 'node-1',
    spec: { tolerations: [{ key: 'keep-free', operator: 'Exists' }] },
    goesTo: 'node-1',
  },
];

tap.test('on three nodes, the first of which is the fullest', async (t) => {
  const stack = await stackFor(t, { webhook: false, nodes: [cpuNode()] });
  if (!stack) return;
  const { client } = stack.cluster;
  const place = async (name: string, app: string, options: { nodeName?: string; spec?: object } = {}) => {
    await createPod(client, gpuPod({ name, resources: SHARED, labels: { app }, ...options }));
    return nodeOf(client, name);
  };
  const setUp = async (tainted?: NodeName) => {
    for (const name of NODES) {
      const node = timeSlicingNode({ name, gpus: 2, replicas: 4 });
      const taints = [{ key: 'keep-free', effect: 'PreferNoSchedule' }];
      await createNode(client, { ...node, ...(name === tainted && { spec: { taints } }) });
    }
  };

  for (const { what, spec, neighbours = [], tainted, goesTo } of PREFERENCES) {
    await t.test(what, async (t) => {
      clearAfter(t, client);
      await setUp(tainted);
      for (const name of ['first-1', 'first-2', 'first-3']) await place(name, 'first', { nodeName: 'node-1' });
      for (const name of neighbours) await place(name, name, { nodeName: 'node-2' });
      t.equal(await place('new', 'new', { spec }), goesTo);
    });
  }

  await t.test('a soft spread constraint: two on each, though one node would take all', async (t) => {
    clearAfter(t, client);
    await setUp();
    const topologySpreadConstraints = [{ maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway', ...beside('web') }];
    const nodes: string[] = [];
    for (let i = 0; i < 6; i += 1) nodes.push(await place(`web-${i}`, 'web', { spec: { topologySpreadConstraints } }));
    t.same(nodes, ['node-1', 'node-2', 'node-3', 'node-1', 'node-2', 'node-3']);
  });

  await t.test('the same six without it share the first node', async (t) => {
    clearAfter(t, client);
    await setUp();
    const nodes: string[] = [];
    for (let i = 0; i < 6; i += 1) nodes.push(await place(`web-${i}`, 'web'));
    t.same(new Set(nodes), new Set(['node-1']));
  });
});
