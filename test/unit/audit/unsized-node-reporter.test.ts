/** A node whose slots have no known size is reported once, and again only for another reason. */

import { Registry } from 'prom-client';
import tap from 'tap';
import { auditMetrics } from '#src/audit/metrics.ts';
import { UnsizedNodeReporter } from '#src/audit/unsized-node-reporter.ts';
import { createLogger } from '#src/telemetry/logger.ts';
import { ManualClock } from '../../objects/clock.ts';
import { exclusiveNode } from '../../objects/nodes.ts';
import { quietState } from '../../objects/records.ts';

const unlabelled = (labels: object = {}) => ({
  metadata: { name: 'n', labels },
  status: { allocatable: { 'nvidia.com/gpu': '2' } },
});

function setUp() {
  const state = quietState();
  const recorded: string[] = [];
  const api = { refuses: false };
  const registry = new Registry();
  const clock = new ManualClock();
  const reporter = new UnsizedNodeReporter({
    state,
    events: {
      async recordOnce({ kind, name }, reason, message) {
        if (api.refuses) throw new Error('refused');
        recorded.push(`${kind} ${name} ${reason}: ${message}`);
      },
    },
    log: createLogger('test', 'silent'),
    metrics: auditMetrics(registry),
    clock,
  });
  const figure = async () => (await registry.getSingleMetric('gpu_autoscaler_unsized_nodes')?.get())?.values[0]?.value;
  return { state, recorded, reporter, clock, figure, api };
}

tap.test('it is reported with the reason, and counted while it stays so', async (t) => {
  const { state, recorded, reporter, clock, figure } = setUp();
  t.teardown(() => reporter.stop());
  state.nodes.update(unlabelled());
  state.nodes.update(exclusiveNode({ name: 'labelled', gpus: 1 }));
  await clock.pass(0);
  t.strictSame(recorded, [], 'not before everything has been listed');
  reporter.begin();
  await clock.pass(10);
  t.match(recorded, [/^Node n SlotSizeUnknown: the size of its GPU slots is not known \(no label tells its GPUs/]);
  t.equal(await figure(), 1);
  state.nodes.update(unlabelled({ other: 'label' }));
  await clock.pass(10);
  t.equal(recorded.length, 1, 'once');
  state.nodes.update(unlabelled({ 'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-40GB-MIG-INVALID' }));
  await clock.pass(10);
  t.match(recorded[1], /not of one known profile/, 'and again for another reason');
  state.nodes.update({ ...exclusiveNode({ name: 'n', gpus: 1 }) });
  await clock.pass(10);
  t.equal(await figure(), 0);
  state.nodes.delete(unlabelled());
  await clock.pass(10);
  t.equal(recorded.length, 2);
});

tap.test('where the event is refused, it is tried again', async (t) => {
  const { state, recorded, reporter, clock, api } = setUp();
  t.teardown(() => reporter.stop());
  api.refuses = true;
  state.nodes.update(unlabelled());
  reporter.begin();
  await clock.pass(10);
  t.strictSame(recorded, []);
  api.refuses = false;
  await clock.pass(10_000);
  t.equal(recorded.length, 1);
});
