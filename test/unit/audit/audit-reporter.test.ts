/** Who is told of missed and unclear pods, once, whatever becomes of the others. */

import { pino } from 'pino';
import tap from 'tap';
import type { MissedPod, UnclearPod } from '#src/audit/audit.ts';
import { AuditReporter } from '#src/audit/audit-reporter.ts';
import { auditMetrics } from '#src/audit/metrics.ts';
import { KubeError } from '#src/kube/kube-client.ts';
import { createRegistry } from '#src/telemetry/registry.ts';
import { eventRecorder } from '../../objects/events.ts';

function missed(name: string, namespace = 'team'): MissedPod {
  const workload = { namespace, kind: 'Pod', name };
  return { uid: `uid-${name}`, namespace, name, workload, mode: 'mps', reasons: [], repair: 'kubectl …' };
}
const unclear = (name: string): UnclearPod => ({ uid: `uid-${name}`, namespace: 'team', name, faults: ['odd'] });

function reportsTo(answer: (path: string) => void) {
  const events: string[] = [];
  const client = {
    json: async (_method: string, path: string, { body }: { body?: unknown } = {}) => {
      answer(path);
      events.push((body as { metadata: { name: string } }).metadata.name);
      return {};
    },
  };
  const metrics = auditMetrics(createRegistry());
  const reports = new AuditReporter({ events: eventRecorder(client), log: pino({ level: 'silent' }), metrics });
  return { reports, events };
}

tap.test('each pod is told of once', async (t) => {
  const { reports, events } = reportsTo(() => {});
  await reports.report({ missed: [missed('a')], unclear: [unclear('b')] });
  await reports.report({ missed: [missed('a')], unclear: [unclear('b')] });
  t.strictSame(events, ['a.uid-a.notoptimized', 'b.uid-b.notunderstood']);
  await reports.report({ missed: [missed('b')], unclear: [] });
  t.strictSame(events.slice(2), ['b.uid-b.notoptimized'], 'what is new of a known pod as well');
});

tap.test('a namespace that takes no events keeps those of others back no more than once', async (t) => {
  let full = true;
  const { reports, events } = reportsTo((path) => {
    if (full && path.includes('/full/')) throw new KubeError('exceeded quota', 403, 'Forbidden');
  });
  const pods = [missed('a', 'full'), missed('b'), missed('c')];
  await t.rejects(reports.report({ missed: pods, unclear: [] }), { message: 'exceeded quota' });
  t.strictSame(events, ['b.uid-b.notoptimized', 'c.uid-c.notoptimized']);
  full = false;
  await reports.report({ missed: pods, unclear: [] });
  t.strictSame(events.slice(2), ['a.uid-a.notoptimized']);
});

for (const [what, error] of [
  ['is away', new KubeError('connect ECONNREFUSED')],
  ['is busy', new KubeError('too many requests', 429)],
] as const) {
  tap.test(`an API server that ${what} is not asked for each pod`, async (t) => {
    let asked = 0;
    const { reports } = reportsTo(() => {
      asked += 1;
      throw error;
    });
    await t.rejects(reports.report({ missed: [missed('a'), missed('b')], unclear: [] }), error);
    t.equal(asked, 1);
  });
}

tap.test('the name of an event is one that Kubernetes takes, however long the pod’s', async (t) => {
  const { reports, events } = reportsTo(() => {});
  await reports.report({ missed: [missed(`${'a'.repeat(199)}-b`)], unclear: [] });
  t.match(events[0], /^a{199}\.uid-aaaa\.notoptimized$/);
});
