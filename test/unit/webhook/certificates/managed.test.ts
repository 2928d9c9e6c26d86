/** Replicas that share a Secret, against an API server in memory. */

import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import tap from 'tap';
import { readBundle } from '#src/webhook/certificates/contents.ts';
import { ManagedCertificateManager } from '#src/webhook/certificates/managed.ts';
import { certificateMetrics, registrationMetrics } from '#src/webhook/certificates/metrics.ts';
import { HOOK_NAME } from '#src/webhook/configuration.ts';
import { FakeCertificateApi } from '../../../fakes/certificate-api.ts';
import { ManualClock } from '../../../objects/clock.ts';
import { START } from './make.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** As the chart has it. */
const CHARTS = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingWebhookConfiguration',
  metadata: { name: 'gpu-autoscaler-webhook', labels: { team: 'a' }, annotations: { note: 'kept' } },
  webhooks: [
    { name: HOOK_NAME, failurePolicy: 'Ignore', clientConfig: { service: { name: 'gpu-autoscaler-webhook' } } },
  ],
};

interface Replica {
  readonly keeper: ManagedCertificateManager;
  /** Looks until there is nothing more to be done at once. */
  look(): Promise<void>;
  metrics(): Promise<string>;
}

function setUp({ registered = true } = {}) {
  const api = new FakeCertificateApi();
  if (registered) api.register(CHARTS);
  const clock = new ManualClock({ ms: 0 });
  const logged: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => logged.push(JSON.parse(line).msg) });
  const now = () => new Date(START.getTime() + clock.ms);
  const replica = async (time: (signal: AbortSignal) => Promise<Date> = async () => now()): Promise<Replica> => {
    const registry = new Registry();
    const keeper = await ManagedCertificateManager.create({
      client: api,
      namespace: 'gpu-autoscaler-system',
      serviceName: 'gpu-autoscaler-webhook',
      time,
      clock: { now, monotonic: () => clock.ms },
      random: () => 0.5,
      log,
      metrics: certificateMetrics(registry),
      ...registrationMetrics(registry),
    });
    const look = async () => {
      for (let i = 0; i < 10; i += 1) if (!(await keeper.look())) return;
      throw new Error('there is no end to it');
    };
    return { keeper, look, metrics: () => registry.metrics() };
  };
  return { api, clock, logged, now, replica };
}

function served({ keeper }: Replica): X509Certificate {
  return new X509Certificate(keeper.current.cert);
}

tap.test('the first start makes the Secret, serves it, and tells whom to trust', async (t) => {
  const { api, replica, logged, now } = setUp();
  const a = await replica();
  t.match(a.keeper.notReadyReason(), /waiting for a certificate/);
  t.notSame(a.keeper.current.cert, '', 'something to answer the kubelet with');
  await a.look();
  t.equal(a.keeper.notReadyReason(), undefined);
  await a.keeper.ready;
  t.equal(a.keeper.current.cert, api.secret?.['tls.crt']);
  t.equal(a.keeper.current.key, api.secret?.['tls.key']);
  t.equal(api.caBundle, api.secret?.['ca.crt']);
  t.equal(readBundle(api.caBundle, now()).length, 1);
  t.match(api.configuration, CHARTS, 'what helm and others wrote stays');
  t.same(logged, [
    'a new authority and certificate were made',
    'this certificate is served from now on',
    'caBundle written to the webhook configuration',
  ]);
  const metrics = await a.metrics();
  t.match(metrics, /gpu_autoscaler_webhook_registered 1/);
  t.match(metrics, `not_after_timestamp_seconds ${served(a).validToDate.getTime() / 1000}`);
  t.match(metrics, /rotations_total\{result="stored"\} 1/);
});

tap.test('a look at what is as it should be writes nothing', async (t) => {
  const { api, replica } = setUp();
  const a = await replica();
  await a.look();
  api.calls.length = 0;
  await a.look();
  t.same(api.calls, ['GET mutatingwebhookconfigurations', 'GET secrets']);
});

tap.test('of several who start at once one wins, and all serve the same', async (t) => {
  const { api, replica } = setUp();
  const all = await Promise.all([replica(), replica(), replica()]);
  await Promise.all(all.map((each) => each.look()));
  for (const each of all) t.equal(each.keeper.current.cert, api.secret?.['tls.crt']);
  t.equal(api.calls.filter((call) => call === 'POST secrets').length, 3);
});

tap.test('a new authority: trusted first, then it signs, then the old one goes', async (t) => {
  const { api, replica, clock, now } = setUp();
  const all = [await replica(), await replica()];
  const look = async () => {
    for (const each of all) await each.look();
  };
  await look();
  const authority = () => readBundle(api.caBundle, now()).map(({ fingerprint256 }) => fingerprint256);
  const signers = () =>
    all.map(
      (each) => readBundle(api.caBundle, now()).find(({ publicKey }) => served(each).verify(publicKey))?.fingerprint256,
    );
  const [old] = authority();
  // What is served has expired meanwhile: anew at once, by the authority that is trusted.
  clock.ms = 2_500 * DAY_MS;
  await look();
  const [young] = authority();
  t.same(authority(), [young, old]);
  t.same(signers(), [old, old]);
  clock.ms += MINUTE_MS - 1;
  await look();
  t.same(signers(), [old, old], 'not before every API server trusts the new one');
  clock.ms += 1;
  await look();
  t.same(signers(), [young, young]);
  t.same(authority(), [young, old], 'other replicas may still serve what the old one signed');
  clock.ms += 60 * MINUTE_MS;
  await look();
  t.same(authority(), [young]);
  t.equal(api.caBundle, api.secret?.['ca.crt']);
});

tap.test('a crash at any point of it: whoever comes goes on from there', async (t) => {
  const { api, replica, clock, now } = setUp();
  const survivor = await replica();
  await survivor.look();
  clock.ms = 2_430 * DAY_MS;
  await survivor.look();
  clock.ms += 10 * DAY_MS;
  const old = api.caBundle;
  // Each look is somebody else's only one; a newcomer counts from when it first saw what it waits for.
  for (let i = 0; i < 10; i += 1) {
    const newcomer = await replica();
    await newcomer.keeper.look();
    clock.ms += MINUTE_MS;
    await newcomer.keeper.look();
    clock.ms += 60 * MINUTE_MS;
    await newcomer.keeper.look();
  }
  const [authority, ...others] = readBundle(api.caBundle, now());
  t.same(others, []);
  t.not(authority?.toString(), old);
  await survivor.look();
  t.equal(survivor.keeper.current.cert, api.secret?.['tls.crt']);
});

tap.test('a Secret that was deleted or damaged is restored, as long as somebody knows it', async (t) => {
  for (const damage of [undefined, { 'tls.crt': 'x' }, { 'tls.key': undefined }, { 'ca.crt': '' }, { 'ca.key': 'x' }]) {
    const { api, replica, logged } = setUp();
    const a = await replica();
    await a.look();
    const before = api.secret;
    api.damage(damage);
    await a.look();
    t.same(api.secret, before);
    t.equal(api.caBundle, before?.['ca.crt']);
    t.equal(logged.at(-1), 'the Secret was restored as it was before');
  }
});

tap.test('with the whole Secret gone, a newcomer who does not know it takes nobody’s trust away', async (t) => {
  const { api, replica, clock, now } = setUp();
  const a = await replica();
  await a.look();
  const before = a.keeper.current;
  api.damage(undefined);
  const b = await replica();
  await b.look();
  t.match(b.keeper.notReadyReason(), /waiting/, 'not ready while the API server would not trust it');
  t.equal(readBundle(api.caBundle, now()).length, 2);
  await a.look();
  t.same(a.keeper.current, before);
  clock.ms += MINUTE_MS;
  await b.look();
  await a.look();
  t.equal(b.keeper.notReadyReason(), undefined);
  for (const each of [a, b]) t.equal(each.keeper.current.cert, api.secret?.['tls.crt']);
});

tap.test('a configuration that is missing is told once, and not made; once it is there it is filled in', async (t) => {
  const { api, replica, logged } = setUp({ registered: false });
  const a = await replica();
  await a.look();
  await a.look();
  t.equal(api.configuration, undefined);
  t.equal(a.keeper.notReadyReason(), undefined);
  t.equal(logged.filter((line) => line.startsWith('there is no MutatingWebhookConfiguration')).length, 1);
  t.match(await a.metrics(), /gpu_autoscaler_webhook_registered 0/);
  api.register(CHARTS);
  await a.look();
  t.equal(api.caBundle, api.secret?.['ca.crt']);
  t.match(await a.metrics(), /gpu_autoscaler_webhook_registered 1/);
});

tap.test('a caBundle that somebody changed is put right', async (t) => {
  const { api, replica } = setUp();
  const a = await replica();
  await a.look();
  api.register(CHARTS);
  t.equal(api.caBundle, '');
  await a.look();
  t.equal(api.caBundle, api.secret?.['ca.crt']);
});

tap.test(
  'an API server that refuses or does not answer: what is served is served on, and it goes on after',
  async (t) => {
    const { api, replica, clock } = setUp();
    const a = await replica();
    for (const fault of [500, 403, 'lost reply'] as const) {
      api.faults.push(undefined, undefined, undefined, fault);
      await a.look().catch(() => {});
    }
    await a.look();
    clock.ms = 70 * DAY_MS;
    const before = a.keeper.current;
    api.faults.push(503);
    await t.rejects(a.look(), /a planned 503/);
    t.same(a.keeper.current, before);
    await a.look();
    t.notSame(a.keeper.current, before);
  },
);

tap.test(
  'whatever happens in whatever order, what a replica serves is trusted by API servers a minute behind',
  async (t) => {
    const who = fc.nat({ max: 2 });
    const step = fc.oneof(
      { weight: 12, arbitrary: fc.record({ look: who }) },
      { weight: 6, arbitrary: fc.record({ together: fc.constant(true) }) },
      { weight: 6, arbitrary: fc.record({ wait: fc.constantFrom(5_000, 20_000, 40_000, MINUTE_MS) }) },
      { weight: 1, arbitrary: fc.record({ wait: fc.constantFrom(2 * 60 * MINUTE_MS, 65 * DAY_MS) }) },
      { weight: 2, arbitrary: fc.record({ crash: who }) },
      { weight: 2, arbitrary: fc.record({ fault: fc.constantFrom(500, 409, 'lost reply' as const) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          damage: fc.constantFrom(undefined, { 'ca.key': 'x' }, { 'tls.crt': 'x' }, { 'tls.key': undefined }),
        }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        const { api, clock, now, replica } = setUp();
        const all = [await replica(), await replica(), await replica()];
        for (const each of all) await each.look();
        /** Bundles with the time from which on no API server trusts them alone any more. */
        let bundles: { readonly pem: string; until: number }[] = [];
        const observe = () => {
          const pem = api.caBundle ?? '';
          const last = bundles.at(-1);
          if (last?.pem !== pem) {
            if (last) last.until = clock.ms + MINUTE_MS - 1;
            bundles.push({ pem, until: Number.POSITIVE_INFINITY });
          }
          bundles = bundles.filter(({ until }) => until >= clock.ms);
        };
        observe();
        for (const what of steps) {
          if ('wait' in what) {
            clock.ms += what.wait;
            // Replicas look every 10 s: what nobody looked after for weeks would have expired, trusted or not.
            if (what.wait > MINUTE_MS) {
              api.faults.length = 0;
              for (const each of all) await each.look();
            }
          } else if ('fault' in what) api.faults.push(what.fault);
          else if ('damage' in what) api.damage(what.damage);
          else if ('together' in what) await Promise.allSettled(all.map(({ keeper }) => keeper.look()));
          else if ('look' in what) await all[what.look]?.keeper.look().catch(() => {});
          else all[what.crash] = await replica();
          observe();
          for (const each of all) {
            if (each.keeper.notReadyReason() !== undefined) continue;
            const certificate = served(each);
            for (const { pem } of bundles) {
              const trusted = readBundle(pem, now()).some((ca) => certificate.verify(ca.publicKey));
              if (!trusted) return false;
            }
          }
        }
        api.faults.length = 0;
        for (let i = 0; i < 4; i += 1) {
          for (const each of all) await each.look();
          clock.ms += 2 * MINUTE_MS;
        }
        for (const each of all) await each.look();
        return all.every(
          ({ keeper }) => keeper.notReadyReason() === undefined && keeper.current.cert === api.secret?.['tls.crt'],
        );
      }),
      { numRuns: 60 },
    );
    t.pass('60 stories');
  },
);

tap.test('the end does not wait for an API server that does not answer', async (t) => {
  const { replica } = setUp();
  const asked = Promise.withResolvers<void>();
  const { keeper } = await replica((signal) => {
    asked.resolve();
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  });
  keeper.start(() => {});
  await asked.promise;
  await keeper.stop();
  t.match(keeper.notReadyReason(), /waiting for a certificate/);
});
