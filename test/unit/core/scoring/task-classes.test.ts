/** Which kinds of pods are asked for. */

import tap from 'tap';
import type { PackingDemand } from '#src/core/scoring/packing-node.ts';
import { covering, ObservedDemand, taskClasses } from '#src/core/scoring/task-classes.ts';
import { demand } from './make.ts';

const small = demand({ milli: 250 });
const whole = demand({});
const rare = demand({ gpus: 8 });
const milli = (classes: readonly { demand: PackingDemand; weight: number }[]) =>
  classes.map((each) => [each.demand.gpus, each.demand.milli, each.weight]);

tap.test('classes are counted, the most frequent first; memory makes no class of its own', async (t) => {
  const classes = taskClasses([
    whole,
    small,
    demand({ milli: 250, memoryMiB: 9 }),
    demand({ products: new Set(['b', 'a']) }),
    whole,
    whole,
    demand({ products: new Set(['a', 'b']) }),
  ]);
  t.strictSame(milli(classes), [
    [1, 1000, 3],
    [1, 250, 2],
    [1, 1000, 2],
  ]);
});

tap.test('covering: as many of the most frequent as it takes', async (t) => {
  const classes = taskClasses([...Array(90).fill(whole), ...Array(8).fill(small), rare, rare]);
  t.strictSame(milli(covering(classes, 0.9)), [[1, 1000, 90]]);
  t.strictSame(milli(covering(classes, 0.95)), [
    [1, 1000, 90],
    [1, 250, 8],
  ]);
  t.equal(covering(classes, 1).length, 3);
  t.equal(covering([], 0.97).length, 0);
});

tap.test('observed demand forgets: after a half-life one counts half', async (t) => {
  const observed = new ObservedDemand(100);
  observed.observe(small);
  for (let i = 0; i < 100; i += 1) observed.observe(whole);
  const [first, second] = observed.classes();
  t.equal(first?.demand, whole);
  const newest = observed.classes();
  observed.observe(rare);
  const weightOfNew = observed.classes().find((each) => each.demand === rare)?.weight ?? 0;
  t.ok(
    Math.abs((second?.weight ?? 0) / weightOfNew - 0.5) < 0.01,
    'a hundred demands later it weighs half of a new one',
  );
  t.equal(newest.length, 2);
});

tap.test('what has long not been asked for is dropped, and figures stay finite', async (t) => {
  const observed = new ObservedDemand(10);
  observed.observe(rare);
  for (let i = 0; i < 5_000; i += 1) observed.observe(whole);
  t.strictSame(
    observed.classes().map((each) => each.demand),
    [whole],
  );
  t.ok(observed.classes().every(({ weight }) => Number.isFinite(weight) && weight > 0));
});
