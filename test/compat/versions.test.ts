/** Which version of Kubernetes is meant. */

import tap from 'tap';
import { compareVersions, minorsOf, newestPatch, parseVersion, type VersionQuery } from './versions.ts';

const cases: readonly [text: string, query: VersionQuery | undefined][] = [
  ['1.34', { minor: 34 }],
  ['1.34.4', { minor: 34, patch: 4 }],
  ['v1.34.0', { minor: 34, patch: 0 }],
  ['1', undefined],
  ['34', undefined],
  ['2.0', undefined],
  ['1.034', undefined],
  ['1.34.x', undefined],
  ['1.34.4-rc.0', undefined],
  ['', undefined],
];
for (const [text, query] of cases) {
  tap.test(
    `"${text}" is ${query ? `minor ${query.minor}, patch ${query.patch ?? 'newest'}` : 'no version'}`,
    async (t) => {
      t.same(parseVersion(text), query);
    },
  );
}

const LISTED = ['v1.13.0', 'v1.34.2', 'v1.34.10', 'v1.34.9', 'v1.35.0-alpha.1', 'v1.35.0-rc.1', 'v1.36.3'];

tap.test('the newest patch is the highest number, and no pre-release', async (t) => {
  t.equal(newestPatch(34, LISTED), 'v1.34.10');
  t.equal(newestPatch(35, LISTED), undefined);
  t.equal(newestPatch(3, LISTED), undefined);
});

tap.test('minor versions come in order, without those of which only pre-releases are listed', async (t) => {
  t.same(minorsOf(LISTED.toReversed()), ['1.13', '1.34', '1.36']);
});

tap.test('versions are ordered by their numbers', async (t) => {
  t.same(['1.36.3', '1.34.10', '1.9.1', '1.34.4'].sort(compareVersions), ['1.9.1', '1.34.4', '1.34.10', '1.36.3']);
});
