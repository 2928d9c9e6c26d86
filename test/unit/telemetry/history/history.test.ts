/** What is known at each moment, while Prometheus comes and goes. */

import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import tap, { type Test } from 'tap';
import { configurationSchema } from '#src/api/configuration.ts';
import { History } from '#src/telemetry/history/history.ts';
import { HistoryProvider } from '#src/telemetry/history/history-provider.ts';
import { historyMetrics } from '#src/telemetry/history/metrics.ts';
import { createRegistry } from '#src/telemetry/registry.ts';
import { waitFor } from '../../../cluster/wait.ts';
import { ManualClock } from '../../../objects/clock.ts';
import { prometheusOf, type Told } from './make.ts';

const WEB = { namespace: 'team', kind: 'Deployment', name: 'web' };
const HOUR = 3_600_000;

function setUp() {
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line).msg) });
  const registry = createRegistry();
  const clock = new ManualClock({ ms: 0 });
  const figure = async (name: string, labels = {}) => {
    const { values } = (await registry.getSingleMetric(name)?.get()) ?? { values: [] };
    return values.find((each) => JSON.stringify(each.labels) === JSON.stringify(labels))?.value ?? 0;
  };
  return { lines, clock, figure, common: { log, metrics: historyMetrics(registry), clock } };
}

/** Answers what it is told to, each refresh anew. */
function historyFor(t: Test, told: () => readonly Told[] | Promise<readonly Told[]>, refreshMs = 5) {
  const made = setUp();
  const history = new History({ ...made.common, prometheus: prometheusOf(told), refreshMs });
  t.teardown(() => history.stop());
  return { ...made, history };
}

tap.test('before the first answer, and from then on', async (t) => {
  const gate = Promise.withResolvers<void>();
  const { history, figure } = historyFor(t, async () => {
    await gate.promise;
    return [{ util: { mean: 50 }, peak: 1_000 }];
  });
  t.same(history.of(WEB), { known: false, why: 'Prometheus has not answered yet' });
  history.start();
  history.start();
  await turn();
  t.same(history.of(WEB), { known: false, why: 'Prometheus has not answered yet' }, 'nobody waits');
  gate.resolve();
  t.equal(await history.firstTry, undefined);
  t.same(history.of(WEB), { known: true, history: { mean: 0.5, p95: 0.5, peakMiB: 1_000, suitsMps: true } });
  t.same(history.of({ ...WEB, name: 'new' }), { known: false, why: 'nothing is known of Deployment new' });
  t.ok((await figure('gpu_autoscaler_history_refreshes_total', { result: 'answered' })) >= 1);
  t.ok((await figure('gpu_autoscaler_history_workloads')) > 0);
});

tap.test('each refresh is the whole truth', async (t) => {
  let told: Told[] = [{ util: { mean: 50 } }];
  const { history } = historyFor(t, () => told);
  history.start();
  await history.firstTry;
  told = [];
  await waitFor('it is forgotten', () => !history.of(WEB).known);
});

tap.test('failures: the last answer holds for a day; said once, and once that it is over', async (t) => {
  let failure: string | undefined;
  let tries = 0;
  const { history, lines, clock, figure } = historyFor(t, () => {
    tries += 1;
    if (failure !== undefined) throw new Error(failure);
    return [{ util: { mean: 50 } }];
  });
  history.start();
  await history.firstTry;
  failure = 'gone';
  await waitFor('a failure', () => lines.length > 0);
  const before = tries;
  await waitFor('three more tries', () => tries >= before + 3);
  t.ok(history.of(WEB).known);
  clock.ms = 24 * HOUR;
  t.ok(history.of(WEB).known, 'a day old');
  clock.ms += 1;
  t.same(history.of(WEB), { known: false, why: 'Prometheus has not answered for a day' });
  const refused = 'no history from Prometheus: decisions do without, or use what it sent before';
  t.strictSame(lines, [refused]);
  t.ok((await figure('gpu_autoscaler_history_refreshes_total', { result: 'failed' })) > 1);
  failure = 'gone otherwise';
  await waitFor('the other reason', () => lines.length === 2);
  failure = undefined;
  await waitFor('it is over', () => history.of(WEB).known);
  t.strictSame(lines, [refused, refused, 'Prometheus answers again']);
});

tap.test('the first try has failed: why', async (t) => {
  const { history } = historyFor(t, () => {
    throw new Error('connection refused');
  });
  history.start();
  t.equal(await history.firstTry, 'connection refused');
  t.same(history.of(WEB), { known: false, why: 'Prometheus has not answered yet' });
});

tap.test('an answer that breaks off changes nothing', async (t) => {
  let queries = 0;
  const made = setUp();
  const good = prometheusOf(() => [{ util: { mean: 50 } }]);
  const history = new History({
    ...made.common,
    refreshMs: 5,
    prometheus: {
      async *query(query, signal) {
        queries += 1;
        yield* good.query(query, signal);
        if (queries > 7) throw new Error('broken off');
      },
    },
  });
  t.teardown(() => history.stop());
  history.start();
  await waitFor('it breaks off', () => made.lines.length > 0);
  t.match(history.of(WEB), { known: true, history: { mean: 0.5 } });
});

tap.test('stopped in the middle of a query that hangs: at once, and nothing is said', async (t) => {
  const made = setUp();
  const history = new History({
    ...made.common,
    refreshMs: HOUR,
    prometheus: {
      async *query(_query, signal) {
        await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
    },
  });
  history.start();
  await turn();
  await history.stop();
  t.strictSame(made.lines, []);
});

const configuration = (history: object) => configurationSchema.parse({ admissionWebhook: { history } });

tap.test('another configuration: what was known holds until the other Prometheus answers', async (t) => {
  const { common } = setUp();
  const asked: string[] = [];
  const result = (value: string) => [{ metric: { namespace: 'team', pod: 'web-66b6c48dd5-k7x2m' }, value: [1, value] }];
  const hangs = new Set(['http://b:1']);
  const current = new HistoryProvider({
    ...common,
    fetch: async (input, init) => {
      const { origin } = new URL(String(input));
      asked.push(origin);
      if (hangs.has(origin)) {
        return new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(new Error('x'))));
      }
      return Response.json({ status: 'success', data: { resultType: 'vector', result: result('50') } });
    },
  });
  t.teardown(() => current.stop());
  current.take(configuration({}));
  t.equal(current.current, undefined, 'none is configured');
  t.strictSame(asked, []);
  current.take(configuration({ prometheusUrl: 'http://a:1' }));
  await current.current?.firstTry;
  const first = current.current;
  t.ok(first?.of(WEB).known);
  current.take(configuration({ prometheusUrl: 'http://a:1' }));
  t.equal(current.current, first, 'the same: nothing begins anew');
  current.take(configuration({ prometheusUrl: 'http://b:1', refreshInterval: '5m' }));
  t.not(current.current, first);
  await waitFor('the other one is asked', () => asked.includes('http://b:1'));
  t.ok(current.current?.of(WEB).known);
  current.take(configuration({}));
  t.equal(current.current, undefined, 'taken away');
});

tap.test('whoever waits for the first answer is not left waiting at the end', async (t) => {
  const gate = Promise.withResolvers<Told[]>();
  const { history } = historyFor(t, () => gate.promise);
  history.start();
  const stopped = history.stop();
  t.equal(await history.firstTry, 'it is asked no more');
  gate.resolve([]);
  await stopped;
});
