/** When a status is written, and which of them are worth an event. */

import { Registry } from 'prom-client';
import tap from 'tap';
import { KubeError } from '#src/kube/kube-client.ts';
import { reconcilerMetrics } from '#src/reconciler/metrics.ts';
import { foreignEdit } from '#src/reconciler/phase-status.ts';
import { StatusReporter } from '#src/reconciler/status-reporter.ts';
import type { PhaseStatus } from '#src/reconciler/step.ts';
import { GpuPods } from '#src/state/gpu-pods.ts';
import { createLogger } from '#src/telemetry/logger.ts';
import { ManualClock } from '../../objects/clock.ts';
import { eventRecorder } from '../../objects/events.ts';
import { nodeConfig, nodeConfigObject } from '../../objects/node-configs.ts';
import { quietState } from '../../objects/records.ts';
import { FakeApi } from './fake-api.ts';
import { nodeObject } from './make.ts';

const PATH = '/apis/gpuautoscaler.io/v1alpha1/gpunodeconfigs/c';
const CONFIG = nodeConfig();
const BUSY: PhaseStatus = { phase: 'Pending', reason: 'Busy', message: 'waits' };
const STUCK: PhaseStatus = { phase: 'Pending', reason: 'CannotDrain', message: 'team/p stays' };

function setUp() {
  const api = new FakeApi();
  const state = quietState();
  const metrics = reconcilerMetrics(new Registry(), () => ({ mpsClients: 0, virtualGpus: 0 }));
  state.nodes.update(nodeObject());
  state.nodeConfigs.update(api.put(PATH, nodeConfigObject()));
  const clock = new ManualClock();
  const reporter = new StatusReporter({
    client: api,
    events: eventRecorder(api, { clock }),
    lease: { isHeld: true },
    state,
    pods: new GpuPods(state.pods, () => {}),
    recommendations: new Map(),
    log: createLogger('test', 'silent'),
    metrics,
    clock,
  });
  const value = async (counter: keyof typeof metrics) => (await metrics[counter].get()).values[0]?.value ?? 0;
  const events = () => api.posted.map(({ body }) => `${body.type} ${body.reason}: ${body.message}`);
  return { api, state, reporter, value, events, writes: () => api.count(/^PATCH/) };
}

tap.test('a status is written where it changes, and only there', async (t) => {
  const { api, reporter, value, writes } = setUp();
  await reporter.report(CONFIG, BUSY);
  await reporter.report(CONFIG, BUSY);
  t.equal(writes(), 1);
  t.match(api.get(PATH)?.status, { phase: 'Pending', message: 'waits' });
  await reporter.report(CONFIG, { ...BUSY, message: 'other pods' });
  t.equal(writes(), 2);
  t.equal(await value('statusWrites'), 2);
});

tap.test('a reason that somebody should hear of is an event, once', async (t) => {
  const { reporter, events } = setUp();
  await reporter.report(CONFIG, BUSY);
  t.strictSame(events(), [], 'to wait is no news');
  await reporter.report(CONFIG, STUCK);
  await reporter.report(CONFIG, { ...STUCK, message: 'team/q stays' });
  t.strictSame(events(), ['Warning CannotDrain: team/p stays']);
});

tap.test('a rejection is an event for each rule that stands against the spec', async (t) => {
  const { reporter, events } = setUp();
  for (const message of ['one rule', 'one rule', 'another rule']) {
    const phaseStatus: PhaseStatus = { phase: 'Failed', reason: 'Rejected', message };
    await reporter.report(CONFIG, phaseStatus, { code: 'Invalid', message });
  }
  t.strictSame(events(), ['Warning Rejected: one rule', 'Warning Rejected: another rule']);
});

tap.test('an edit by somebody else is counted once', async (t) => {
  const { reporter, value } = setUp();
  await reporter.report(CONFIG, foreignEdit('edited'));
  await reporter.report(CONFIG, foreignEdit('edited'));
  t.equal(await value('foreignEdits'), 1);
});

tap.test('a config that is gone is not written to', async (t) => {
  const { api, state, reporter, writes } = setUp();
  api.faults.push({ on: /status$/, status: 404 });
  await reporter.report(CONFIG, BUSY);
  t.equal(writes(), 1, 'the watch does not know yet');
  state.nodeConfigs.delete(api.get(PATH));
  await reporter.report(CONFIG, BUSY);
  t.equal(writes(), 1);
});

tap.test('what the API server refuses otherwise is to be tried again', async (t) => {
  const { api, reporter } = setUp();
  api.faults.push({ on: /status$/, status: 500 });
  await t.rejects(reporter.report(CONFIG, BUSY), KubeError);
});
