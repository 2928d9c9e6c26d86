/** What admission knows of the cluster follows what the API server tells. */

import tap from 'tap';
import { admissionConfigurationOf } from '#src/api/admission-settings.ts';
import { configurationSchema } from '#src/api/configuration.ts';
import { takeList } from '../../fakes/listing.ts';
import { mpsNode } from '../../objects/nodes.ts';
import { stateOf } from './evaluating.ts';

const configured = (values: unknown) =>
  admissionConfigurationOf(configurationSchema.parse(values), 'gpu-autoscaler-system');
const policy = (name: string, spec: object) => ({ metadata: { name }, spec });

tap.test('nodes: their labels and what they offer, from the next answer on', async (t) => {
  const { state, admission } = stateOf({ nodes: [] });
  const slots = (zone?: string) => {
    const selector = zone === undefined ? [] : [[{ key: 'zone', operator: 'In', values: [zone] } as const]];
    return admission
      .view()
      .offers(selector)
      .map(({ slotMilli, nodes }) => `${slotMilli} x${nodes}`);
  };
  const node = (replicas: number, zone: string) => mpsNode({ name: 'n', gpus: 1, replicas, labels: { zone } });
  state.nodes.update(node(4, 'a'));
  t.strictSame([slots(), slots('a'), slots('b')], [['250 x1'], ['250 x1'], []]);
  state.nodes.update(node(4, 'b'));
  t.strictSame([slots('a'), slots('b')], [[], ['250 x1']]);
  state.nodes.update(node(8, 'b'));
  t.strictSame(slots(), ['125 x1']);
  state.nodes.delete(node(8, 'b'));
  t.strictSame(slots(), []);
});

tap.test('a node that can be read no more is left out, and told of', async (t) => {
  const { state, admission, complaints } = stateOf({ nodes: [mpsNode({ name: 'n', gpus: 1, replicas: 4 })] });
  t.equal(admission.view().offers([]).length, 1);
  state.nodes.update({ metadata: { name: 'n' }, status: { allocatable: { 'nvidia.com/gpu.shared': [] } } });
  t.equal(admission.view().offers([]).length, 0);
  t.match(complaints, [/^a node cannot be read and is left out: .*status\.allocatable/]);
});

tap.test('policies: in order of precedence, and those that cannot be read left out', async (t) => {
  const { state, admission, complaints } = stateOf();
  const names = () => admission.view().policies.map(({ name }) => name);
  takeList(state.policies, [
    policy('b', { strategy: 'mps' }),
    policy('a', { strategy: 'mps' }),
    policy('high', { strategy: 'mig', priority: 5 }),
    policy('odd', { strategy: 'magic' }),
  ]);
  t.strictSame(names(), ['high', 'a', 'b']);
  t.match(complaints, [/^a GPUSharingPolicy cannot be read and is left out: .*"name":"odd"/]);
  state.policies.update(policy('b', { strategy: 'mps', priority: 9 }));
  t.strictSame(names(), ['b', 'high', 'a']);
  state.policies.update(policy('b', { strategy: 'magic' }));
  t.strictSame(names(), ['high', 'a'], 'one that can be read no more is out');
  state.policies.delete(policy('high', {}));
  t.strictSame(names(), ['a'], 'one that is deleted, however it is written');
});

tap.test('the labels of namespaces: known, none, unknown', async (t) => {
  const { state, admission } = stateOf({ namespaces: { staging: { environment: 'staging' } } });
  const labels = (name: string) => admission.view().namespaceLabels(name);
  t.strictSame(labels('staging'), { environment: 'staging' });
  t.strictSame(labels('team'), {});
  t.equal(labels('new'), undefined);
  state.namespaces.update({ metadata: { name: 'new' } });
  t.strictSame(labels('new'), {});
  state.namespaces.delete({ metadata: { name: 'staging' } });
  t.equal(labels('staging'), undefined);
});

tap.test('another configuration holds from the next view on; the one under way keeps its own', async (t) => {
  const { admission } = stateOf({ nodes: [mpsNode({ name: 'n', gpus: 1, replicas: 4 })] });
  const before = admission.view();
  admission.configure(
    configured({ admissionWebhook: { rewriteRequests: false }, sharing: { mps: { nodeSelector: { pool: 'a' } } } }),
  );
  t.equal(before.settings.rewriteRequests, true);
  t.equal(admission.view().settings.rewriteRequests, false);
  t.strictSame(admission.view().offers([]), []);
});
