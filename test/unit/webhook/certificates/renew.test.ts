/** What each step makes of the Secret. */

import { X509Certificate } from 'node:crypto';
import tap from 'tap';
import { readBundle, readContents } from '#src/webhook/certificates/contents.ts';
import { after, day, NAMES, START } from './make.ts';

const expected = { names: NAMES, now: START };

function issuer(data: Parameters<typeof readContents>[0]): string {
  const { leaf } = readContents(data, expected);
  if (!leaf.sound) throw new Error(leaf.why);
  return leaf.value.issuer.fingerprint256;
}

tap.test('begin: an authority, and a certificate of it for all names, for 90 days', async (t) => {
  const names = ['a.b.svc', 'a.b.svc.cluster.local', '127.0.0.1', '::1'];
  const data = await after('begin', {}, { names });
  const { authority, leaf, tidy, bundle } = readContents(data, { names, now: START });
  t.match({ authority, leaf, tidy }, { authority: { sound: true }, leaf: { sound: true }, tidy: true });
  t.equal(bundle.length, 1);
  const { validToDate, subjectAltName, ca } = new X509Certificate(data['tls.crt'] ?? '');
  t.same(validToDate, day(90));
  t.equal(ca, false);
  t.equal(subjectAltName, 'DNS:a.b.svc, DNS:a.b.svc.cluster.local, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
  t.same(bundle[0]?.validToDate, day(3_650));
});

tap.test('begin: whom API servers trust already stays trusted', async (t) => {
  const before = await after('begin');
  const data = await after('begin', {}, { trusted: `${before['ca.crt']}rubbish` });
  t.equal(data['ca.crt']?.endsWith(before['ca.crt'] ?? ''), true);
  t.equal(readBundle(data['ca.crt'], START).length, 2);
});

tap.test(
  'introduce, issue, trim: at no step is what is served signed by somebody who is not in the bundle',
  async (t) => {
    const fresh = await after('begin');
    const introduced = await after('introduce', fresh, { trusted: fresh['ca.crt'] });
    t.equal(introduced['tls.crt'], fresh['tls.crt']);
    t.equal(introduced['tls.key'], fresh['tls.key']);
    t.not(introduced['ca.key'], fresh['ca.key']);
    t.equal(readBundle(introduced['ca.crt'], START).length, 2);
    t.equal(issuer(introduced), issuer(fresh));

    const issued = await after('issue', introduced);
    t.equal(issued['ca.crt'], introduced['ca.crt']);
    t.not(issued['tls.crt'], introduced['tls.crt']);
    t.not(issuer(issued), issuer(fresh));

    const trimmed = await after('trim', issued);
    t.equal(readBundle(trimmed['ca.crt'], START).length, 1);
    t.equal(issuer(trimmed), issuer(issued));
  },
);

tap.test('trim takes rubbish out first, and authorities only where there is none', async (t) => {
  const issued = await after('issue', await after('introduce', await after('begin')));
  const data = await after('trim', { ...issued, 'ca.crt': `${issued['ca.crt']}rubbish` });
  t.equal(data['ca.crt'], issued['ca.crt']);
});

tap.test('nothing outlives its authority', async (t) => {
  const data = await after('issue', await after('begin'), { now: day(3_600) });
  t.same(new X509Certificate(data['tls.crt'] ?? '').validToDate, day(3_650));
});

tap.test('what others keep in the Secret stays', async (t) => {
  for (const step of ['begin', 'introduce'] as const) {
    t.match(await after(step, { ...(await after('begin')), note: 'kept' } as object), { note: 'kept' });
  }
});
