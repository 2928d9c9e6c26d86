/** What admission knows of the cluster follows what the API server tells. */

import tap from 'tap';
import { admissionConfigurationOf } from '#src/api/admission-settings.ts';
import { configurationSchema } from '#src/api/configuration.ts';
import { AdmissionState } from '#src/state/admission-state.ts';
import type { Feed } from '#src/state/cluster-state.ts';
import { mpsNode } from '../../cluster/gpu-nodes.ts';
import { takeList } from '../../fakes/listing.ts';
import { stateOf } from './evaluating.ts';

const configured = (values: unknown) =>
  admissionConfigurationOf(configurationSchema.parse(values), 'gpu-autoscaler-system');
const policy = (name: string, spec: object) => ({ metadata: { name }, spec });

tap.test('nodes: their labels and what they offer, from the next answer on', async (t) => {
  const { state } = stateOf({ nodes: [] });
  const slots = (zone?: string) => {
    const selector = zone === undefined ? [] : [[{ key: 'zone', operator: 'In', values: [zone] } as const]];
    return state
      .view()
      .offers(selector)
      .map(({ slotMilli, nodes }) => `${slotMilli} x${nodes}`);
  };
  const node = (replicas: number, zone: string) => mpsNode({ name: 'n', gpus: 1, replicas, labels: { zone } });
  state.nodes.changed(node(4, 'a'));
  t.strictSame([slots(), slots('a'), slots('b')], [['250 x1'], ['250 x1'], []]);
  state.nodes.changed(node(4, 'b'));
  t.strictSame([slots('a'), slots('b')], [[], ['250 x1']]);
  state.nodes.changed(node(8, 'b'));
  t.strictSame(slots(), ['125 x1']);
  state.nodes.deleted(node(8, 'b'));
  t.strictSame(slots(), []);
});

tap.test('a node that can be read no more is left out, and told of', async (t) => {
  const { state, complaints } = stateOf({ nodes: [mpsNode({ name: 'n', gpus: 1, replicas: 4 })] });
  t.equal(state.view().offers([]).length, 1);
  state.nodes.changed({ metadata: { name: 'n' }, status: { allocatable: { 'nvidia.com/gpu.shared': [] } } });
  t.equal(state.view().offers([]).length, 0);
  t.match(complaints, [/^a node cannot be read and is left out: .*status\.allocatable/]);
});

tap.test('policies: in order of precedence, and those that cannot be read left out', async (t) => {
  const { state, complaints } = stateOf();
  const names = () => state.view().policies.map(({ name }) => name);
  takeList(state.policies, [
    policy('b', { strategy: 'mps' }),
    policy('a', { strategy: 'mps' }),
    policy('high', { strategy: 'mig', priority: 5 }),
    policy('odd', { strategy: 'magic' }),
  ]);
  t.strictSame(names(), ['high', 'a', 'b']);
  t.match(complaints, [/^a GPUSharingPolicy cannot be read and is left out: .*"name":"odd"/]);
  state.policies.changed(policy('b', { strategy: 'mps', priority: 9 }));
  t.strictSame(names(), ['b', 'high', 'a']);
  state.policies.changed(policy('b', { strategy: 'magic' }));
  t.strictSame(names(), ['high', 'a'], 'one that can be read no more is out');
  state.policies.deleted(policy('high', {}));
  t.strictSame(names(), ['a'], 'one that is deleted, however it is written');
});

tap.test('the labels of namespaces: known, none, unknown', async (t) => {
  const { state } = stateOf({ namespaces: { staging: { environment: 'staging' } } });
  const labels = (name: string) => state.view().namespaceLabels(name);
  t.strictSame(labels('staging'), { environment: 'staging' });
  t.strictSame(labels('team'), {});
  t.equal(labels('new'), undefined);
  state.namespaces.changed({ metadata: { name: 'new' } });
  t.strictSame(labels('new'), {});
  state.namespaces.deleted({ metadata: { name: 'staging' } });
  t.equal(labels('staging'), undefined);
});

tap.test('another configuration holds from the next view on; the one under way keeps its own', async (t) => {
  const { state } = stateOf({ nodes: [mpsNode({ name: 'n', gpus: 1, replicas: 4 })] });
  const before = state.view();
  const again = state.configure(
    configured({ admissionWebhook: { rewriteRequests: false }, sharing: { mps: { nodeSelector: { pool: 'a' } } } }),
  );
  t.equal(again, false);
  t.equal(before.settings.rewriteRequests, true);
  t.equal(state.view().settings.rewriteRequests, false);
  t.strictSame(state.view().offers([]), []);
  t.equal(
    state.configure(configured({ sharing: { timeSlicing: { oversubscribe: true } } })),
    true,
    'nodes are read anew',
  );
});

tap.test('whoever waits for changes is told of each kind of them, and of nothing else', async (t) => {
  let changes = 0;
  const state = new AdmissionState(
    configured({}),
    () => {},
    () => {
      changes += 1;
    },
  );
  const kinds: [string, Feed, object][] = [
    ['a node', state.nodes, mpsNode({ name: 'n', gpus: 1, replicas: 4 })],
    ['a policy', state.policies, policy('p', { strategy: 'mps' })],
    ['a namespace', state.namespaces, { metadata: { name: 'team', labels: { a: 'b' } } }],
  ];
  for (const [what, feed, object] of kinds) {
    changes = 0;
    feed.changed(object);
    feed.changed(object);
    t.equal(changes, 1, `${what} has come`);
    feed.deleted(object);
    t.equal(changes, 2, `${what} has gone`);
  }
});
