/** Names of MIG profiles. */

import tap from 'tap';
import { compareMigProfiles, type MigProfile, parseMigProfile } from '#src/core/mig/profile.ts';

tap.test('a profile name tells compute slices and memory', async (t) => {
  const cases: readonly [name: string, computeSlices: number, gib: number][] = [
    ['1g.5gb', 1, 5],
    ['1g.5gb+me', 1, 5],
    ['2g.10gb', 2, 10],
    ['3g.20gb', 3, 20],
    ['4g.24gb', 4, 24],
    ['7g.141gb', 7, 141],
    ['2g.12gb+me', 2, 12],
    ['1g.24gb+gfx', 1, 24],
    ['1g.24gb+me.all', 1, 24],
    ['1g.24gb-me', 1, 24],
  ];
  for (const [name, computeSlices, gib] of cases) t.strictSame(parseMigProfile(name), { name, computeSlices, gib });
});

tap.test('anything else is no profile', async (t) => {
  const names = [
    '',
    '1g',
    '5gb',
    '1g.5gb ',
    ' 1g.5gb',
    '1G.5GB',
    '1g.5gib',
    '1g5gb',
    '1g.5',
    '1g.5gb.me',
    '1g.5gb+',
    '1g.5gb+ME',
  ];
  const numbers = ['0g.5gb', '1g.0gb', '01g.5gb', '1g.05gb', '-1g.5gb', '1g.5.5gb', '10g.5gb', '1g.99999gb', 'xg.ygb'];
  for (const name of [...names, ...numbers, '1g.5gb+me+me', '1g.5gb\n', 'mig-1g.5gb', 'all-1g.5gb']) {
    t.equal(parseMigProfile(name), undefined, JSON.stringify(name));
  }
});

tap.test('the smallest comes first: by memory, then by compute, then plain before media-engine', async (t) => {
  const order = ['1g.5gb', '1g.5gb+me', '1g.10gb', '2g.10gb', '3g.20gb', '4g.20gb', '7g.40gb'];
  const profiles = order.map(parseMigProfile).filter((profile): profile is MigProfile => profile !== undefined);
  t.strictSame(
    profiles
      .toReversed()
      .sort(compareMigProfiles)
      .map(({ name }) => name),
    order,
  );
});
