/** What is to be done next, given what the Secret holds and the time. */

import tap from 'tap';
import { type CertificateData, readContents } from '#src/webhook/certificates/contents.ts';
import { DEFAULT_POLICY, nextStep, type Step } from '#src/webhook/certificates/plan.ts';
import { after, day, NAMES, START } from './make.ts';

const fresh = await after('begin');
const another = await after('begin');
const introduced = await after('introduce', fresh);
const issued = await after('issue', introduced);
const ahead = await after('begin', {}, { now: day(400) });
const elsewhere = await after('begin', {}, { names: ['other.default.svc'] });
/** The authority is as old as it may get, and the certificate new. */
const aged = await after('issue', fresh, { now: day(2_400) });

interface Case {
  readonly what: string;
  /** Undefined: no Secret. */
  readonly data: CertificateData | undefined;
  readonly now?: Date;
  readonly settled?: boolean;
  readonly inService?: boolean;
  readonly restorable?: boolean;
  readonly step: Step['do'];
  readonly why?: RegExp;
}

const CASES: readonly Case[] = [
  { what: 'no Secret', data: undefined, step: 'begin', why: /there is no Secret/ },
  { what: 'no Secret any more', data: undefined, restorable: true, step: 'restore', why: /there is no Secret/ },
  { what: 'an empty Secret', data: {}, step: 'begin', why: /tls\.crt is no certificate; ca\.key is no private key/ },
  { what: 'fresh', data: fresh, step: 'nothing' },
  { what: 'a third and a day left', data: fresh, now: day(59), step: 'nothing' },
  { what: 'less than a third left', data: fresh, now: day(60.1), step: 'issue', why: /expires at 2026-04-02/ },
  { what: 'expired', data: fresh, now: day(91), step: 'issue', why: /tls\.crt expired at 2026-04-02/ },
  { what: 'expired, and held as well', data: fresh, now: day(91), restorable: false, step: 'issue' },
  {
    what: 'both expired',
    data: fresh,
    now: day(3_651),
    step: 'begin',
    why: /tls\.crt expired at .*; ca\.crt has no valid/,
  },
  { what: 'the clock went back', data: ahead, step: 'begin', why: /tls\.crt is not valid before 2027/ },
  { what: 'the clock went back by less than what is backdated', data: fresh, now: day(-4 / 1_440), step: 'nothing' },

  {
    what: 'the authority two thirds over',
    data: aged,
    now: day(2_434),
    step: 'introduce',
    why: /authority expires at 2035-12-31/,
  },
  { what: 'the authority not yet two thirds over', data: aged, now: day(2_433), step: 'nothing' },
  { what: 'half rotated, and not yet trusted', data: introduced, step: 'nothing' },
  { what: 'half rotated, and trusted', data: introduced, settled: true, step: 'issue', why: /trusted by now/ },
  { what: 'half rotated, the certificate is due but good', data: introduced, now: day(80), step: 'nothing' },
  { what: 'half rotated, the certificate has expired', data: introduced, now: day(91), step: 'issue' },
  { what: 'rotated, the old one still in use', data: issued, settled: true, step: 'nothing' },
  { what: 'rotated, the old one out of use', data: issued, settled: true, inService: true, step: 'trim' },
  { what: 'nobody but the one authority', data: fresh, settled: true, inService: true, step: 'nothing' },

  { what: 'tls.crt broken', data: { ...fresh, 'tls.crt': 'x' }, step: 'issue', why: /^tls\.crt is no certificate$/ },
  { what: 'tls.crt broken, held', data: { ...fresh, 'tls.crt': 'x' }, restorable: true, step: 'restore' },
  { what: 'tls.key broken', data: { ...fresh, 'tls.key': 'x' }, step: 'issue', why: /tls\.key is no private key/ },
  {
    what: 'a key of somebody else',
    data: { ...fresh, 'tls.key': another['tls.key'] ?? '' },
    step: 'issue',
    why: /tls\.key does not belong to tls\.crt/,
  },
  { what: 'wrong name', data: elsewhere, step: 'issue', why: /tls\.crt is not for gpu-autoscaler-webhook\./ },
  {
    what: 'a certificate of somebody else',
    data: { ...fresh, 'tls.crt': another['tls.crt'] ?? '', 'tls.key': another['tls.key'] ?? '' },
    step: 'issue',
    why: /tls\.crt is signed by no valid authority/,
  },
  { what: 'ca.key broken', data: { ...fresh, 'ca.key': 'x' }, step: 'introduce', why: /^ca\.key is no private key$/ },
  { what: 'ca.key broken, held', data: { ...fresh, 'ca.key': 'x' }, restorable: true, step: 'restore' },
  { what: 'ca.key of a certificate', data: { ...fresh, 'ca.key': fresh['tls.key'] ?? '' }, step: 'introduce' },
  {
    what: 'ca.crt missing',
    data: { ...fresh, 'ca.crt': '' },
    step: 'begin',
    why: /signed by no .*; ca\.crt has no valid/,
  },
  {
    what: 'ca.crt with rubbish in it',
    data: { ...fresh, 'ca.crt': `${fresh['ca.crt']}rubbish` },
    step: 'trim',
    why: /no valid authority/,
  },
  {
    what: 'ca.crt with a certificate that is no authority',
    data: { ...fresh, 'ca.crt': `${fresh['ca.crt']}${fresh['tls.crt']}` },
    step: 'trim',
  },
];

for (const { what, data, now = START, settled = false, inService = false, restorable = false, step, why } of CASES) {
  tap.test(`${what}: ${step}`, async (t) => {
    const next = nextStep({
      contents: data && readContents(data, { names: NAMES, now }),
      restorable,
      isSettled: () => settled,
      isInService: () => inService,
      now,
      policy: DEFAULT_POLICY,
    });
    t.equal(next.do, step, 'why' in next ? next.why : '');
    if (why) t.match(next, { why });
  });
}
