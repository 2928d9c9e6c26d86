/** Names of a transition, and what it says against what was told and what the labels say. */

import tap from 'tap';
import { tryAgain } from '#src/api/config-name.ts';
import { drift, isApplied, isReapplied, resumed, transitionTo } from '#src/reconciler/transitions.ts';
import {
  MIG,
  MIXED,
  MPS,
  mark,
  marked,
  migName,
  observed,
  PAUSED,
  PLUGIN,
  pluginName,
  SEVEN,
  STATE,
  settled,
  target,
  told,
  underWay,
  WHOLE,
} from './make.ts';

const COURSE = { cordoned: false, attempt: 0, repairs: [] };

tap.test(
  'a transition names a text for the device plugin, and one for mig-manager where MIG is concerned',
  async (t) => {
    t.strictSame(transitionTo(observed(), target(MPS, { generation: 7 }), { ...COURSE, cordoned: true }), {
      config: 'c',
      generation: 7,
      plugin: pluginName(MPS),
      partition: { layouts: [...MPS.layouts], sharing: MPS.sharing },
      cordoned: true,
      attempt: 0,
      repairs: [],
    });
    t.equal(transitionTo(observed(), target(SEVEN), COURSE).mig, migName(SEVEN));
    t.equal(transitionTo(settled(SEVEN), target(MPS), COURSE).mig, migName(MPS), 'also where MIG goes');
  },
);

tap.test('a name that works is kept; any other is a new one', async (t) => {
  const labels = { [MIG]: 'theirs' };
  const failed = { reason: 'MigFailed', message: '' };
  const cases: readonly [
    says: string,
    node: ReturnType<typeof settled>,
    isLost: boolean,
    plugin: boolean,
    mig: boolean,
  ][] = [
    ['it works', settled(SEVEN), false, false, false],
    ['it is lost', settled(SEVEN), true, true, true],
    ['it was given up', settled(SEVEN, { failed }), false, true, true],
    ['mig-manager has failed', settled(SEVEN, {}, { labels: { [STATE]: 'failed' } }), false, false, true],
    ['somebody has overwritten one', settled(SEVEN, {}, { labels }), false, false, true],
  ];
  for (const [says, node, isLost, plugin, mig] of cases) {
    const next = transitionTo(node, target(SEVEN), { ...COURSE, isLost });
    t.equal(next.plugin, plugin ? tryAgain(pluginName(SEVEN)) : pluginName(SEVEN), `${says}: plugin`);
    t.equal(next.mig, mig ? tryAgain(migName(SEVEN)) : migName(SEVEN), `${says}: mig`);
  }
});

tap.test('what mig-manager has paused is resumed, and nothing else', async (t) => {
  t.strictSame(resumed(observed()), {});
  t.strictSame(resumed(observed({ labels: { [PAUSED]: 'paused-for-mig-change' } })), { [PAUSED]: 'true' });
});

tap.test('a transition is applied once the record says the same', async (t) => {
  const is = mark(SEVEN);
  t.ok(isApplied(underWay(SEVEN, WHOLE), is));
  t.notOk(isApplied(marked(SEVEN), is), 'nobody was told');
  t.notOk(isApplied(settled(MIXED), is), 'something else was told');
  t.notOk(isApplied(settled(SEVEN, { failed: { reason: 'MigFailed', message: '' } }), is), 'it was given up');
  t.notOk(isApplied(settled(SEVEN), { ...is, mig: tryAgain(migName(SEVEN)) }), 'it is to be told under another name');
});

tap.test('the same is applied once more where only the name differs', async (t) => {
  const again = mark(SEVEN, { mig: tryAgain(migName(SEVEN)) });
  t.ok(isReapplied(settled(SEVEN), again));
  t.notOk(isReapplied(settled(MIXED), again), 'another partition');
  t.notOk(isReapplied(observed(), again), 'nobody was told');
  t.notOk(isReapplied(settled(SEVEN, {}, { labels: { [PLUGIN]: 'theirs' } }), again), 'somebody has edited a label');
  t.notOk(isReapplied(settled(SEVEN, { failed: { reason: 'MigFailed', message: '' } }), again), 'it was given up');
});

tap.test('an edit is told with the command that takes it back', async (t) => {
  const record = told(MPS);
  t.equal(drift(settled(MPS), record), undefined);
  t.equal(drift(settled(MPS, {}, { labels: { [MIG]: 'theirs' } }), record), undefined, 'of what was never told');
  t.equal(
    drift(settled(MPS, {}, { labels: { [PLUGIN]: 'theirs' } }), record),
    `another client has set to "theirs" the label ${PLUGIN}, which was ${record.plugin}. ` +
      `To take it back: kubectl label node a --overwrite ${PLUGIN}=${record.plugin}`,
  );
});
