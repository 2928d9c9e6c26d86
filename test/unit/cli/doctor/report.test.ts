/** A diagnosis in text and in JSON. */

import tap from 'tap';
import { defineCheck } from '#src/cli/doctor/check.ts';
import type { Diagnosis } from '#src/cli/doctor/diagnose.ts';
import { asJson, asText } from '#src/cli/doctor/report.ts';

const check = (name: string) => defineCheck({ name, about: `about ${name}`, needs: [], run: () => [] });
const ESCAPE = '\u001b[31m';
const DIAGNOSIS: Diagnosis = {
  results: [
    {
      check: check('one'),
      findings: [{ severity: 'warning', message: `node ${ESCAPE}`, fix: 'mend it', objects: [ESCAPE] }],
    },
    { check: check('two'), findings: [{ severity: 'error', message: 'broken', fix: 'mend', objects: [] }] },
    { check: check('three'), findings: undefined },
    { check: check('four'), findings: [] },
  ],
  notLookedAt: [{ kinds: ['Leases', 'Services'], why: 'forbidden', checks: ['three'] }],
  nodes: 1,
};

tap.test('text: two lines for each finding, what was not looked at, and a summary', async (t) => {
  t.equal(
    asText(DIAGNOSIS),
    [
      'error    two: broken',
      '         fix: mend',
      'warning  one: node \\u001b[31m',
      '         fix: mend it',
      'not looked at: Leases, Services (forbidden); concerns three',
      'checked 1 GPU node, 3 of 4 checks: 1 error, 1 warning',
      '',
    ].join('\n'),
  );
});

tap.test('text: nothing found, and nodes that were not looked at', async (t) => {
  const fine = { results: [{ check: check('one'), findings: [] }], notLookedAt: [], nodes: undefined };
  t.equal(asText(fine), 'checked 1 check: nothing found\n');
  t.equal(asText({ ...fine, nodes: 2 }), 'checked 2 GPU nodes, 1 check: nothing found\n');
});

tap.test('JSON: every item has all fields', async (t) => {
  const json = asJson(DIAGNOSIS);
  t.notOk(json.includes(ESCAPE));
  t.strictSame(JSON.parse(json), {
    apiVersion: 'gpu-autoscaler.io/v1',
    kind: 'FindingList',
    items: [
      { check: 'two', severity: 'error', message: 'broken', fix: 'mend', objects: [] },
      { check: 'one', severity: 'warning', message: `node ${ESCAPE}`, fix: 'mend it', objects: [ESCAPE] },
    ],
    checks: [
      { name: 'one', about: 'about one', result: 'found' },
      { name: 'two', about: 'about two', result: 'found' },
      { name: 'three', about: 'about three', result: 'unknown' },
      { name: 'four', about: 'about four', result: 'fine' },
    ],
    notLookedAt: [{ kinds: ['Leases', 'Services'], why: 'forbidden', checks: ['three'] }],
    gpuNodes: 1,
  });
});
