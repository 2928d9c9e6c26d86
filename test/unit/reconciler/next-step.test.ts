/** Which rules are asked, and the phases that deadlines are measured by. */

import tap from 'tap';
import { nextStep, phaseOf } from '#src/reconciler/next-step.ts';
import type { ObservedNode } from '#src/state/observed-node.ts';
import { MPS, marked, observed, SEVEN, STATE, settled, situation, target, underWay, WHOLE } from './make.ts';

tap.test('a transition decides which rules are asked', async (t) => {
  t.match(nextStep(situation(observed(), target(MPS))), { action: 'begin' });
  t.match(nextStep(situation(marked(MPS), target(MPS))), { action: 'apply' });
  t.match(nextStep(situation(underWay(MPS, MPS), target(MPS))), { action: 'finish' });
});

tap.test('the phase is another one as soon as another deadline counts', async (t) => {
  const failed = { reason: 'MigFailed', message: '' };
  const nodes: readonly ObservedNode[] = [
    observed(),
    settled(MPS, {}, { allocatable: {} }),
    settled(MPS, { failed }),
    settled(SEVEN, { failed }),
    marked(MPS),
    marked(SEVEN),
    underWay(MPS, WHOLE),
    underWay(SEVEN, WHOLE),
  ];
  t.equal(new Set(nodes.map(phaseOf)).size, nodes.length);
  t.equal(phaseOf(settled(MPS)), phaseOf(observed()), 'at rest nothing is waited for');
});

tap.test('each state of mig-manager has a deadline of its own', async (t) => {
  const states = [undefined, 'pending', 'rebooting', 'success'];
  const phases = states.map((state) => phaseOf(underWay(SEVEN, WHOLE, {}, { labels: { [STATE]: state } })));
  t.equal(new Set(phases).size, states.length);
  t.equal(
    phaseOf(marked(SEVEN)),
    phaseOf(marked(SEVEN, {}, { labels: { [STATE]: 'pending' } })),
    'but not before it is told',
  );
});
