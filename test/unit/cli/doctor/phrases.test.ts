/** Groups of objects in words. */

import tap from 'tap';
import { countOf, listOf, namesBy } from '#src/cli/doctor/phrases.ts';

tap.test('one is named, several are counted, and of many only some are named', async (t) => {
  t.equal(countOf('node', ['a']), 'node a');
  t.equal(countOf('node', ['a', 'b']), '2 nodes (a, b)');
  t.equal(countOf('node', ['a', 'b', 'c', 'd']), '4 nodes (a, b, c, …)');
  t.equal(listOf([]), '');
});

tap.test('names by what is common to them; those without a key are left out', async (t) => {
  const items = [
    { name: 'a', pool: 'x' },
    { name: 'b', pool: 'y' },
    { name: 'c', pool: undefined },
    { name: 'd', pool: 'x' },
  ];
  t.strictSame(
    namesBy(items, ({ pool }) => pool),
    [
      ['x', ['a', 'd']],
      ['y', ['b']],
    ],
  );
});
