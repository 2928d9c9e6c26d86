/** What a run of the tests printed becomes a row of the document, and what failed a section of it. */

import tap from 'tap';
import { addRun, type VersionRun, versionsIn } from './document.ts';
import { type Outcome, readOutcome, totalsOf, withSecondRun } from './outcome.ts';

const PRINTED = `ok   test/contract/label-selectors.test.ts · 12 assertions · 1.2 s
FAIL test/integration/preemption.test.ts · 20 assertions · 61.0 s
     not ok: on nodes > one slot needed
       at: x
     not ok: on nodes > nobody of lower priority
ok   test/integration/reload.test.ts · 4 assertions · 4.0 s
     skipped: a piece (no Prometheus)
FAIL test/integration/helm.test.ts · 0 assertions
     ended badly
33 passed, 3 failed, 1 skipped
`;

const PREEMPTION = 'test/integration/preemption.test.ts';
const HELM = 'test/integration/helm.test.ts';
const OUTCOME: Outcome = [
  { file: 'test/contract/label-selectors.test.ts', assertions: 12, skipped: 0, ok: true, failures: [] },
  {
    file: PREEMPTION,
    assertions: 20,
    skipped: 0,
    ok: false,
    failures: ['on nodes > one slot needed', 'on nodes > nobody of lower priority'],
  },
  { file: 'test/integration/reload.test.ts', assertions: 4, skipped: 1, ok: true, failures: [] },
  { file: HELM, assertions: 0, skipped: 0, ok: false, failures: [] },
];

tap.test('the outcome is read from what is printed, and counts as there', async (t) => {
  t.same(readOutcome(PRINTED), OUTCOME);
  t.same(totalsOf(OUTCOME), { passed: 33, failed: 3, skipped: 1 });
  t.equal(readOutcome(PRINTED.replace(/^33 .*$/m, '')), undefined, 'a run that was ended has none');
});

const PASSED_AGAIN: Outcome = [{ file: PREEMPTION, assertions: 20, skipped: 0, ok: true, failures: [] }];

tap.test('what a second run says of a file that failed counts; of one that passed, the first', async (t) => {
  const outcome = withSecondRun(OUTCOME, PASSED_AGAIN);
  t.same(totalsOf(outcome), { passed: 35, failed: 1, skipped: 1 });
  t.same(withSecondRun(PASSED_AGAIN, OUTCOME.slice(1, 2)), PASSED_AGAIN);
  t.same(totalsOf(withSecondRun(OUTCOME.slice(0, 1), PASSED_AGAIN)), { passed: 32, failed: 0, skipped: 0 }, 'one lost');
});

const RUN: VersionRun = {
  version: '1.34.4',
  date: '2026-01-31',
  machine: '2 cores (CPU), 4 GiB',
  seconds: 600,
  outcome: OUTCOME,
};
const passing = (version: string): VersionRun => ({ ...RUN, version, outcome: PASSED_AGAIN });

tap.test('rows are in the order of versions, and sections tell what failed', async (t) => {
  const document = [passing('1.36.3'), RUN, { ...RUN, version: '1.9.10' }].reduce<string | undefined>(
    addRun,
    undefined,
  );
  t.same(versionsIn(document ?? ''), ['1.9.10', '1.34.4', '1.36.3']);
  t.match(document, '| 1.34.4 | 33 | 3 | 1 | 2026-01-31 | 2 cores (CPU), 4 GiB | 600 s |\n| 1.36.3 | 20 | 0 |');
  t.match(document, /## Failed on 1\.9\.10\n[^#]*\n## Failed on 1\.34\.4\n\n- `test\/integration\/helm/);
  t.match(
    document,
    '- `test/integration/helm.test.ts`: ended badly\n- `test/integration/preemption.test.ts`\n  - on nodes >',
  );
  t.match(document, '  - on nodes > nobody of lower priority\n\nMethod');
});

tap.test('a file that passed when it was run again is named', async (t) => {
  const document = addRun(undefined, { ...RUN, outcome: withSecondRun(OUTCOME, PASSED_AGAIN) });
  t.match(document, `- \`${HELM}\`: ended badly\n- \`${PREEMPTION}\`: passed when it was run again\n`);
  t.match(document, '| 1.34.4 | 35 | 1 | 1 |');
});

tap.test('a new run of a version takes the place of the old one, and others stay as they are', async (t) => {
  const other = { ...RUN, version: '1.30.14' };
  const document = addRun(addRun(addRun(undefined, RUN), other), passing('1.34.4'));
  t.equal(document, addRun(addRun(undefined, other), passing('1.34.4')));
  t.notMatch(document, 'Failed on 1.34.4');
  t.match(document, 'Failed on 1.30.14');
});
