/** Slots that were made for pods: taken, or not. */

import tap from 'tap';
import { ChangeOutcomes } from '#src/planner/change-outcomes.ts';
import { ManualClock } from '../../objects/clock.ts';
import { mpsNode } from '../../objects/nodes.ts';
import { storedPod } from '../../objects/pods.ts';
import { quietState } from '../../objects/records.ts';
import { pendingPod } from './make.ts';

const MINUTE = 60_000;
const CONFIG = { name: 'n', generation: 2 };

function setUp() {
  const { nodes, pods } = quietState();
  const clock = new ManualClock();
  const outcomes = new ChangeOutcomes({ nodes, pods }, clock);
  /** The node as it is once generation so-and-so was applied; `marked`: it is still being changed. */
  const applied = (generation: number, marked = false) => {
    const { metadata, ...rest } = mpsNode({ name: 'n', gpus: 1, replicas: 8 });
    const record = JSON.stringify({ config: 'n', generation, plugin: 'x', partition: { layouts: [null] } });
    const annotations = {
      'gpu-autoscaler.io/partition': record,
      ...(marked && { 'gpu-autoscaler.io/transition': record }),
    };
    nodes.update({ ...rest, metadata: { ...metadata, annotations } });
  };
  const bind = (name: string, namespace: string) =>
    pods.update(
      storedPod({ name, uid: name, nodeName: 'n', resources: { 'nvidia.com/gpu.shared': 1 }, metadata: { namespace } }),
    );
  const phantoms = (count: number, namespace = 'a') =>
    Array.from({ length: count }, (_, i) =>
      pendingPod(`${namespace}-${i}`, { namespace, unjudged: 'podAffinity', uid: `${namespace}-${i}` }),
    );
  const planned = (pods: ReturnType<typeof phantoms>) => outcomes.admit(pods).planned.map(({ name }) => name);
  return { outcomes, clock, applied, bind, phantoms, planned };
}

tap.test('pods that we can judge are all planned for', async (t) => {
  const { outcomes } = setUp();
  const pods = ['p', 'q', 'r'].map((name) => pendingPod(name));
  t.strictSame(outcomes.admit(pods), { planned: pods, refused: [] });
});

tap.test('of others, one of each namespace at first, and none while its slots are made or wait', async (t) => {
  const { outcomes, planned, phantoms, applied } = setUp();
  const pods = [...phantoms(3, 'a'), ...phantoms(2, 'b')];
  t.strictSame(planned(pods), ['a-0', 'b-0']);
  t.match(outcomes.admit(pods).refused, [{ code: 'Unsure', pods: ['a/a-1', 'a/a-2', 'b/b-1'] }]);
  outcomes.asked('n', CONFIG, ['a']);
  t.strictSame(planned(pods), ['b-0']);
  applied(2);
  t.strictSame(planned(pods), ['b-0']);
});

tap.test('each time that they are taken, twice as many are planned for', async (t) => {
  const { outcomes, planned, phantoms, applied, bind } = setUp();
  for (const [round, allowed] of [1, 2, 4, 8].entries()) {
    t.equal(planned(phantoms(20)).length, allowed);
    outcomes.asked('n', CONFIG, ['a']);
    applied(2);
    bind(`pod-${round}`, 'a');
  }
  t.equal(outcomes.servedNobody('n'), false);
});

tap.test('not taken within two minutes: the node need not rest, and they wait for longer and longer', async (t) => {
  const { outcomes, planned, phantoms, applied, clock } = setUp();
  applied(1);
  for (const minutes of [10, 20, 40, 60, 60]) {
    outcomes.asked('n', CONFIG, ['a']);
    await clock.pass(10 * MINUTE);
    applied(2, true);
    await clock.pass(10 * MINUTE);
    t.equal(outcomes.servedNobody('n'), false, 'the change takes its time');
    applied(2);
    await clock.pass(2 * MINUTE - 1);
    t.equal(outcomes.servedNobody('n'), false);
    await clock.pass(1);
    t.equal(outcomes.servedNobody('n'), true);
    t.match(outcomes.admit(phantoms(2)), { planned: [], refused: [{ code: 'Untaken', pods: ['a/a-0', 'a/a-1'] }] });
    t.strictSame(planned(phantoms(1, 'b')), ['b-0'], 'others are not concerned');
    await clock.pass(minutes * MINUTE - 1);
    t.strictSame(planned(phantoms(2)), []);
    await clock.pass(1);
    t.strictSame(planned(phantoms(2)), ['a-0']);
  }
});

tap.test('whoever takes them, the node is of use', async (t) => {
  const { outcomes, planned, phantoms, applied, bind, clock } = setUp();
  outcomes.asked('n', CONFIG, ['a']);
  applied(2);
  bind('other', 'b');
  await clock.pass(5 * MINUTE);
  t.equal(outcomes.servedNobody('n'), false);
  t.strictSame(planned(phantoms(2)), ['a-0'], 'and nobody is blamed');
});
