/** What admission reads of a pod: where it may go, whether it is made for one node, what it looks like. */

import tap from 'tap';
import { admissionPodSchema, isPinned, nodeConstraintsOf, workloadSignals } from '#src/api/admission-pod.ts';
import type { NodeConstraints } from '#src/core/admission/slot-index.ts';
import { matches } from '#src/core/label-selector.ts';

function pod(spec: object, metadata: object = {}) {
  return admissionPodSchema.parse({
    metadata: { name: 'p', ...metadata },
    spec: { containers: [{ name: 'c' }], ...spec },
  });
}

function required(...nodeSelectorTerms: object[]): object {
  return { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } } };
}

const expression = (key: string, operator: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator, ...(values.length > 0 && { values }) }],
});

/** Labels of nodes by name; what scheduling on the API alone would choose from. */
const NODES = {
  a1: { zone: 'a', gpus: '1' },
  a8: { zone: 'a', gpus: '8' },
  b8: { zone: 'b', gpus: '8', fast: '' },
  bare: {},
};
const ALL = Object.keys(NODES);

function selected(placement: NodeConstraints): string[] {
  return Object.entries(NODES)
    .filter(([, labels]) => placement.length === 0 || placement.some((selector) => matches(selector, labels)))
    .map(([name]) => name);
}

const placements: readonly [says: string, spec: object, nodes: string[]][] = [
  ['nothing said: anywhere', {}, ALL],
  ['nodeSelector', { nodeSelector: { zone: 'a' } }, ['a1', 'a8']],
  ['nodeSelector of two labels', { nodeSelector: { zone: 'a', gpus: '8' } }, ['a8']],
  ['an empty nodeSelector', { nodeSelector: {} }, ALL],
  ['a nodeSelector of null', { nodeSelector: null }, ALL],
  ['In', required(expression('zone', 'In', 'b', 'c')), ['b8']],
  ['NotIn selects nodes that lack the label as well', required(expression('zone', 'NotIn', 'a')), ['b8', 'bare']],
  ['Exists', required(expression('fast', 'Exists')), ['b8']],
  ['DoesNotExist', required(expression('zone', 'DoesNotExist')), ['bare']],
  ['Gt', required(expression('gpus', 'Gt', '1')), ['a8', 'b8']],
  ['Lt', required(expression('gpus', 'Lt', '8')), ['a1']],
  ['one of several terms', required(expression('gpus', 'Lt', '8'), expression('fast', 'Exists')), ['a1', 'b8']],
  [
    'all conditions of a term',
    required({
      matchExpressions: [
        { key: 'zone', operator: 'Exists' },
        { key: 'gpus', operator: 'Gt', values: ['7'] },
      ],
    }),
    ['a8', 'b8'],
  ],
  ['nodeSelector and affinity', { nodeSelector: { zone: 'a' }, ...required(expression('gpus', 'Gt', '1')) }, ['a8']],
  ['an empty term selects no node', required({}), []],
  ['so does one whose conditions are none', required({ matchExpressions: [], matchFields: null }), []],
  ['though the pod has a nodeSelector', { nodeSelector: { zone: 'a' }, ...required({}) }, []],
  ['beside a term that does, it changes nothing', required({}, expression('fast', 'Exists')), ['b8']],
  [
    'preferences are no bounds',
    {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: expression('zone', 'In', 'a') }],
        },
      },
    },
    ALL,
  ],
];
for (const [says, spec, nodes] of placements) {
  tap.test(`where it may go: ${says}`, async (t) => t.strictSame(selected(nodeConstraintsOf(pod(spec).spec)), nodes));
}

const byField = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a1'] }] };
const pinned: readonly [says: string, spec: object, pinned: boolean][] = [
  ['nodeName', { nodeName: 'a1' }, true],
  ['no nodeName', { nodeName: '' }, false],
  ['the node of a DaemonSet', required(byField), true],
  ['one of several terms', required(expression('zone', 'Exists'), byField), true],
  ['labels alone', required(expression('kubernetes.io/hostname', 'In', 'a1')), false],
  ['nothing', {}, false],
];
for (const [says, spec, expected] of pinned) {
  tap.test(`made for one node: ${says}: ${expected}`, async (t) => t.equal(isPinned(pod(spec)), expected));
}

tap.test('what it looks like: all of its containers, and who controls it', async (t) => {
  const owners = [
    { kind: 'ConfigMap', name: 'x' },
    { kind: 'Job', name: 'j', controller: true },
  ];
  const spec = {
    initContainers: [{ name: 'i', image: 'init', command: ['nothing'] }],
    containers: [
      {
        name: 'c',
        image: 'team/app:1',
        command: ['python'],
        args: ['train.py', '--fast'],
        ports: [{ containerPort: 80 }],
      },
      { name: 'd', ports: null, command: null },
    ],
  };
  t.strictSame(workloadSignals(pod(spec, { ownerReferences: owners })), {
    ownerKind: 'Job',
    images: ['team/app:1'],
    commands: ['python train.py --fast', ''],
    ports: [80],
  });
  t.equal(workloadSignals(pod(spec)).ownerKind, undefined);
});

tap.test('an operator that Kubernetes does not have is a fault', async (t) => {
  t.throws(() => pod(required(expression('zone', 'Like', 'a'))), /operator/);
});
