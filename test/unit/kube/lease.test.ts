/** Only one acts at a time, and an idle one costs nothing. */

import fc from 'fast-check';
import tap from 'tap';
import { Lease, LeaseError } from '#src/kube/lease.ts';
import { FakeLeaseApi } from '../../fakes/lease-api.ts';
import { ManualClock } from '../../objects/clock.ts';

/** Time that stands still, an API server, and whoever wants its Lease. */
function setUp() {
  const api = new FakeLeaseApi();
  const clock = new ManualClock({ ms: 0 });
  const takeOvers: string[] = [];
  const logged: string[] = [];
  const lease = (identity: string, takeOver = async () => void takeOvers.push(identity)) =>
    new Lease({
      client: api,
      namespace: 'kube-system',
      name: 'l',
      identity,
      takeOver,
      log: (message) => void logged.push(message),
      clock,
    });
  return { api, clock, lease, takeOvers, logged };
}

tap.test('asked for the first time, it is made; then held without another call', async (t) => {
  const { api, lease, clock, takeOvers } = setUp();
  const a = lease('a');
  await a.look();
  t.notOk(a.isHeld);
  await a.hold();
  t.ok(a.isHeld);
  t.match(api.stored, {
    kind: 'Lease',
    spec: { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: '2026-01-01T00:00:00.000000Z' },
  });
  clock.ms = 2_999;
  t.equal(a.hold(), undefined);
  t.strictSame(api.calls, ['GET leases/l', 'GET leases/l', 'POST leases']);
  t.strictSame(takeOvers, [], 'nobody held it before');
});

tap.test('while it is asked for it is renewed every 3 s, and nobody waits for that', async (t) => {
  const { api, lease, clock } = setUp();
  const a = lease('a');
  await a.look();
  await a.hold();
  api.calls.length = 0;
  for (clock.ms = 0; clock.ms < 30_000; clock.ms += 100) {
    t.equal(a.hold(), undefined);
    await settle();
  }
  t.equal(api.calls.length, 9);
  t.equal(new Set(api.calls).size, 1);
  t.equal(api.calls[0], 'PUT leases/l');
});

tap.test('idle, it is not written; asked again it is still its own', async (t) => {
  const { api, lease, clock, takeOvers } = setUp();
  const a = lease('a');
  await a.look();
  await a.hold();
  clock.ms = 3_600_000;
  t.notOk(a.isHeld);
  api.calls.length = 0;
  await a.hold();
  t.ok(a.isHeld);
  t.strictSame(api.calls, ['GET leases/l', 'PUT leases/l']);
  t.strictSame(takeOvers, []);
  t.equal(a.term, 0);
});

tap.test(
  'in other hands it is refused, until it has been silent for 15 s: then what was done is learnt first',
  async (t) => {
    const { lease, clock, takeOvers, api } = setUp();
    const [a, b] = [lease('a'), lease('b')];
    await a.hold();
    await b.look();
    await silence(clock, 14_999, b);
    await t.rejects(ask(b), {
      name: 'LeaseError',
      message:
        'another extender, a, is at work on this cluster (Lease kube-system/l); this one takes over once that one has been silent for 15 s',
    });
    clock.ms = 15_000;
    takeOvers.length = 0;
    await b.hold();
    t.ok(b.isHeld);
    t.notOk(a.isHeld);
    t.equal(api.holder, 'b');
    t.strictSame(takeOvers, ['b']);
    t.equal(b.term, 1);
    await t.rejects(ask(a), LeaseError);
  },
);

tap.test('while its holder is asked, nobody else gets it', async (t) => {
  const { lease, clock } = setUp();
  const [a, b] = [lease('a'), lease('b')];
  await a.hold();
  for (clock.ms = 0; clock.ms < 60_000; clock.ms += 500) {
    a.hold();
    await settle();
    await t.rejects(ask(b), LeaseError);
  }
  t.ok(a.isHeld);
});

tap.test('given back, it is had at once; who has looked since then knows all', async (t) => {
  for (const [meanwhile, expected] of [
    [false, []],
    [true, ['b']],
  ] as const) {
    const { lease, takeOvers, api } = setUp();
    const [a, b] = [lease('a'), lease('b')];
    await a.hold();
    await a.release();
    t.equal(api.holder, '');
    t.notOk(a.isHeld);
    await b.look();
    if (meanwhile) {
      await a.hold();
      await a.release();
    }
    takeOvers.length = 0;
    await b.hold();
    t.ok(b.isHeld);
    t.strictSame(takeOvers, expected);
  }
});

tap.test('of many who ask at once one gets it', async (t) => {
  const { lease } = setUp();
  const all = Array.from({ length: 8 }, (_, i) => lease(`l-${i}`));
  const outcomes = await Promise.allSettled(all.map((each) => each.hold()));
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  t.equal(all.filter(({ isHeld }) => isHeld).length, 1);
});

tap.test('a write whose answer was lost is its own all the same', async (t) => {
  const { lease, api, takeOvers } = setUp();
  const a = lease('a');
  await a.look();
  api.faults.push(404, 'lost reply');
  await t.rejects(ask(a), { message: 'the Lease kube-system/l cannot be taken: the reply was lost' });
  t.notOk(a.isHeld);
  t.equal(api.holder, 'a');
  await a.hold();
  t.ok(a.isHeld);
  t.strictSame(takeOvers, []);
});

tap.test('a renewal that finds other hands ends it; one that fails is told, and tried again', async (t) => {
  const { lease, api, clock, logged } = setUp();
  const a = lease('a');
  await a.hold();
  clock.ms = 4_000;
  api.faults.push(500);
  a.hold();
  await settle();
  t.ok(a.isHeld, 'it holds until 8 s');
  t.strictSame(logged.slice(-1), ['the Lease cannot be renewed']);
  api.faults.push(409);
  a.hold();
  await settle();
  t.notOk(a.isHeld);
});

tap.test('what others did cannot be learnt: not held, and tried again', async (t) => {
  const { lease, clock } = setUp();
  await lease('a').hold();
  let broken = true;
  let held: boolean | undefined;
  const b = lease('b', async () => {
    held = b.isHeld;
    if (broken) throw new Error('no list to be had');
  });
  await b.look();
  await silence(clock, 15_000, b);
  await t.rejects(ask(b), { message: /no list to be had/ });
  t.notOk(b.isHeld);
  broken = false;
  await b.hold();
  t.ok(b.isHeld);
  t.equal(held, false, 'nobody acts while it learns');
});

tap.test('whoever is still learning can be ended', async (t) => {
  const { lease, clock, api } = setUp();
  await lease('a').hold();
  const b = lease('b', () => new Promise(() => {}));
  await b.look();
  await silence(clock, 15_000, b);
  void b.hold();
  await settle();
  await b.release();
  t.equal(api.holder, 'b', 'others wait 10 s for it');
});

tap.test('to learn may take longer than the Lease lasts: it is written again, or was lost', async (t) => {
  const { lease, clock, api } = setUp();
  await lease('a').hold();
  const slow = lease('b', async () => {
    clock.ms += 9_000;
  });
  await silence(clock, 15_000, slow);
  await slow.hold();
  t.ok(slow.isHeld);
  const c = lease('c', async () => {
    const thief = lease('d');
    await silence(clock, 15_000, thief);
    await thief.hold();
  });
  await silence(clock, 15_000, c);
  await t.rejects(ask(c), LeaseError);
  t.notOk(c.isHeld);
  t.equal(api.holder, 'd');
});

tap.test(
  'whoever could not look for a while looks anew: an API server that was frozen has much to catch up with',
  async (t) => {
    const { lease, clock } = setUp();
    const [a, b] = [lease('a'), lease('b')];
    await a.hold();
    await silence(clock, 3_000, b);
    clock.ms += 30_000;
    await t.rejects(ask(b), LeaseError);
    await silence(clock, 14_000, b);
    await t.rejects(ask(b), LeaseError);
    await silence(clock, 1_000, b);
    await b.hold();
    t.ok(b.isHeld);
  },
);

tap.test('one that was taken away or emptied by hand is waited for like one that was renewed', async (t) => {
  for (const spoil of ['delete', 'empty'] as const) {
    const { api, lease, clock } = setUp();
    const [a, b] = [lease('a'), lease('b')];
    await a.hold();
    await t.rejects(ask(b), LeaseError);
    if (spoil === 'delete') api.stored = undefined;
    else api.edit({ holderIdentity: '' });
    await t.rejects(ask(b), LeaseError, spoil);
    clock.ms = 4_000;
    a.hold();
    await settle();
    t.notOk(a.isHeld, 'its holder stops once it knows');
    await silence(clock, 16_000, b);
    await b.hold();
    t.ok(b.isHeld, spoil);
  }
});

tap.test('its count of changes starts anew where it would not fit any more', async (t) => {
  const { api, lease } = setUp();
  const a = lease('a');
  await a.hold();
  await a.release();
  api.edit({ leaseTransitions: 2 ** 31 - 1 });
  await lease('b').hold();
  t.match(api.stored, { spec: { holderIdentity: 'b', leaseTransitions: 0 } });
});

tap.test('a write that took longer than the Lease is valid does not hold it', async (t) => {
  const { api, lease, clock } = setUp();
  const a = lease('a');
  api.before = () => {
    clock.ms += 3_000;
  };
  await a.hold();
  t.ok(a.isHeld);
  clock.ms += 10_000;
  api.before = () => {
    clock.ms += 9_000;
  };
  await a.hold();
  t.notOk(a.isHeld, 'whoever waits asks once more');
});

tap.test('an API server that forbids it is named, and nothing is held', async (t) => {
  const { lease, api } = setUp();
  const a = lease('a');
  api.faults.push(403);
  await t.rejects(ask(a), { message: 'the Lease kube-system/l cannot be taken: a planned 403' });
  t.notOk(a.isHeld);
});

tap.test('the date does not matter', async (t) => {
  const { lease, clock } = setUp();
  const [a, b] = [lease('a'), lease('b')];
  await a.hold();
  clock.date = new Date('2036-01-01T00:00:00Z');
  await t.rejects(ask(b), LeaseError);
  clock.date = new Date('1999-01-01T00:00:00Z');
  clock.ms = 2_000;
  t.ok(a.isHeld);
  await silence(clock, 15_000, b);
  await b.hold();
  t.ok(b.isHeld);
});

tap.test('whatever happens in whatever order, no two hold it', async (t) => {
  const who = fc.nat({ max: 2 });
  const step = fc.oneof(
    { weight: 10, arbitrary: fc.record({ ask: who }) },
    { weight: 5, arbitrary: fc.record({ wait: fc.constantFrom(500, 2_500, 3_500, 5_500, 9_500) }) },
    { weight: 1, arbitrary: fc.record({ crash: who }) },
    { weight: 1, arbitrary: fc.record({ release: who }) },
    { weight: 1, arbitrary: fc.record({ fault: fc.constantFrom(500, 409, 'lost reply' as const) }) },
    { weight: 1, arbitrary: fc.record({ date: fc.date({ noInvalidDate: true }) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80 }), async (steps) => {
      const { api, clock, lease } = setUp();
      let born = 0;
      const make = () => {
        born += 1;
        return lease(`l-${born}`);
      };
      const all = [make(), make(), make()];
      for (const what of steps) {
        if ('wait' in what) clock.ms += what.wait;
        else if ('date' in what) clock.date = what.date;
        else if ('fault' in what) api.faults.push(what.fault);
        else if ('ask' in what) await Promise.resolve(all[what.ask]?.hold()).catch(() => {});
        else if ('release' in what) await all[what.release]?.release();
        else {
          // What is dead does not act, whatever it believed.
          all[what.crash] = make();
          await all[what.crash]?.look();
        }
        await settle();
        if (all.filter(({ isHeld }) => isHeld).length > 1) return false;
      }
      return true;
    }),
    { numRuns: 500 },
  );
  t.pass('500 stories');
});

/** Time in which the lease is looked at as often as it should be; undefined once it is held. */
async function silence(clock: { ms: number }, ms: number, ...lookers: readonly Lease[]): Promise<void> {
  for (const until = clock.ms + ms; clock.ms < until; ) {
    for (const looker of lookers) await ask(looker).catch(() => {});
    clock.ms = Math.min(until, clock.ms + 3_000);
  }
}

async function ask(lease: Lease): Promise<void> {
  await lease.hold();
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}
