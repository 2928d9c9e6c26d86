/** The one table of the ways to share a GPU. */

import tap from 'tap';
import {
  REPLICA_MODES,
  replicaModeOf,
  SHARED_MODES,
  SHARING_MODE_NAMES,
  SHARING_MODES,
  sharingModeOf,
} from '#src/core/sharing-mode.ts';

tap.test('the table has a row for each mode, and lists by kind are parts of it', async (t) => {
  t.same(Object.keys(SHARING_MODES), SHARING_MODE_NAMES);
  t.same([...SHARED_MODES, 'exclusive'], SHARING_MODE_NAMES);
  t.ok(REPLICA_MODES.every((mode) => SHARED_MODES.includes(mode)));
});

tap.test('every spelling stands for one mode', async (t) => {
  for (const mode of SHARING_MODE_NAMES) {
    for (const word of SHARING_MODES[mode].spellings) t.equal(sharingModeOf(word), mode, word);
  }
  const words = SHARING_MODE_NAMES.flatMap((mode) => [...SHARING_MODES[mode].spellings]);
  t.equal(new Set(words).size, words.length);
  for (const word of ['MPS', 'time slicing', '', 'constructor', '__proto__'])
    t.equal(sharingModeOf(word), undefined, word);
});

tap.test('the label of GPU Feature Discovery', async (t) => {
  t.equal(replicaModeOf('mps'), 'mps');
  t.equal(replicaModeOf('time-slicing'), 'timeslicing');
  for (const label of ['none', 'timeslicing', undefined]) t.equal(replicaModeOf(label), undefined);
});
