/** What a GPUNodeConfig wants of its node, or why it gets nothing. */

import tap from 'tap';
import { NODE_CONFIG } from '#src/api/keys.ts';
import { conflict, desiredStateOf, unknownNode } from '#src/reconciler/desired-state.ts';
import { nodeConfig } from '../../objects/node-configs.ts';
import { MPS, migName, observed, pluginName, SEVEN } from './make.ts';

tap.test('a spec that can be carried out', async (t) => {
  const config = nodeConfig(
    { mpsEnabled: true, mpsMaxClients: 8, whenBusy: 'Drain', drainTimeoutSeconds: 60 },
    { generation: 3 },
  );
  const { desired, ...rest } = desiredStateOf(config, observed(), undefined);
  t.match(desired, {
    config: 'c',
    generation: 3,
    partition: { layouts: [undefined, undefined], sharing: MPS.sharing },
    plugin: { name: pluginName(MPS) },
    mig: { name: migName(MPS) },
    whenBusy: 'Drain',
    drainMs: 60_000,
  });
  t.strictSame(rest, {});
});

tap.test('the default profile counts where no layout is told', async (t) => {
  const cut = desiredStateOf(nodeConfig({ migEnabled: true }), observed(), '1g.5gb');
  t.strictSame(cut.desired?.partition.layouts, SEVEN.layouts);
});

tap.test('why there is nothing to be done', async (t) => {
  const unlabelled = observed({ labels: { 'nvidia.com/gpu.count': undefined } });
  const cases: readonly [says: string, spec: object, node: typeof unlabelled, answer: object][] = [
    ['a spec that cannot be read', { mpsEnabled: 'yes' }, observed(), { rejection: { code: 'Invalid' } }],
    [
      'a profile that the GPU has not',
      { migEnabled: true, migProfiles: ['1g.18gb'] },
      observed(),
      { rejection: { code: 'UnknownProfile' }, phaseStatus: { phase: 'Failed', reason: 'Rejected' } },
    ],
    ['a node without labels', {}, unlabelled, { phaseStatus: { phase: 'Pending', reason: 'NodeNotLabelled' } }],
  ];
  for (const [says, spec, node, answer] of cases) {
    const result = desiredStateOf(nodeConfig(spec), node, undefined);
    t.match(result, answer, says);
    t.equal(result.desired, undefined, says);
  }
});

tap.test('no node, or a config that does not count', async (t) => {
  t.strictSame(unknownNode('x'), { phase: 'Pending', reason: 'NoSuchNode', message: 'there is no node x with GPUs' });
  t.strictSame(conflict(nodeConfig(), nodeConfig({}, { name: 'old' })), {
    phase: 'Failed',
    reason: 'Conflict',
    message: 'old is older and for the same node, a: delete one of them',
  });
  const planned = nodeConfig({}, { labels: { [NODE_CONFIG.managedBy]: NODE_CONFIG.planner } });
  t.strictSame(conflict(planned, nodeConfig({}, { name: 'manual' })), {
    phase: 'Pending',
    reason: 'Superseded',
    message: 'manual, written by hand, is for the same node and counts',
  });
});
