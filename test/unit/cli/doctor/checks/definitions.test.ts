/** CustomResourceDefinitions against those of this version. */

import tap from 'tap';
import { definitionOf, NODE_CONFIGS, SHARING_POLICIES } from '#src/api/custom-resources.ts';
import { definitions, firstDifference } from '#src/cli/doctor/checks/definitions.ts';
import { definitionSchema } from '#src/cli/doctor/observations.ts';
import { findingsOf } from '../make.ts';

const stored = (resource: typeof NODE_CONFIGS, edit: (text: string) => string = (text) => text) =>
  definitionSchema.parse(JSON.parse(edit(JSON.stringify(definitionOf(resource)))));
const policies = stored(SHARING_POLICIES);

tap.test('those of this version: nothing', async (t) => {
  t.same(findingsOf(definitions, { definitions: [policies, stored(NODE_CONFIGS)] }), []);
});

tap.test('absent: an error for each, with the command', async (t) => {
  t.match(findingsOf(definitions, { definitions: [] }), [
    {
      severity: 'error',
      message: /gpusharingpolicies\.gpuautoscaler\.io is absent/,
      fix: /^kubectl apply --server-side/,
    },
    { severity: 'error', message: /gpunodeconfigs\.gpuautoscaler\.io is absent/ },
  ]);
});

const FAULTS: readonly [what: string, found: ReturnType<typeof stored>, severity: string, says: RegExp][] = [
  ['not established', { ...stored(NODE_CONFIGS), established: false }, 'error', /is not established/],
  [
    'another version',
    stored(NODE_CONFIGS, (text) => text.replace('"v1alpha1","served"', '"v0","served"')),
    'error',
    /does not serve v1alpha1/,
  ],
  [
    'not served',
    stored(NODE_CONFIGS, (text) => text.replace('"served":true', '"served":false')),
    'error',
    /does not serve v1alpha1/,
  ],
  [
    'a field too few',
    stored(NODE_CONFIGS, (text) => text.replace('"whenBusy":', '"whenOccupied":')),
    'warning',
    /first difference is at properties\.spec\.properties\.whenBusy/,
  ],
];
for (const [what, found, severity, says] of FAULTS) {
  tap.test(what, async (t) => {
    t.match(findingsOf(definitions, { definitions: [policies, found] }), [{ severity, message: says }]);
  });
}

const DIFFERENCES: readonly [ours: unknown, theirs: unknown, at: readonly string[] | undefined][] = [
  [{ a: 1, b: [1, 2] }, { b: [1, 2], a: 1 }, undefined],
  [{ a: 1 }, { a: 2 }, ['a']],
  [{ a: { b: 1 } }, { a: { b: 1, c: 2 } }, ['a', 'c']],
  [{ a: [1, 2] }, { a: [1] }, ['a', '1']],
  [{ a: [1] }, { a: { 0: 1 } }, ['a']],
  [1, undefined, []],
];
for (const [ours, theirs, at] of DIFFERENCES) {
  tap.test(`${JSON.stringify(ours)} and ${JSON.stringify(theirs)}`, async (t) => {
    t.strictSame(firstDifference(ours, theirs, []), at);
  });
}
