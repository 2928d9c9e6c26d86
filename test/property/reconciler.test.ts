/**
 * Whatever NVIDIA's components, users and restarts do: a node comes to rest, keeps its mark from the moment in which it
 * is told until it has become what it was told, and harms nobody on the way.
 */

import fc from 'fast-check';
import tap from 'tap';
import { allocatableOf, describePartition, type Partition, samePartition } from '#src/core/partitioning/partition.ts';
import { seededRandom } from '#src/core/random.ts';
import { nextStep, phaseOf } from '#src/reconciler/next-step.ts';
import type { DesiredState, NodeSituation, PhaseStatus, Step } from '#src/reconciler/step.ts';
import { observe } from '../objects/records.ts';
import {
  MIG,
  MIXED,
  MPS,
  PARTITION,
  PLUGIN,
  SEVEN,
  SLICED,
  TIMES,
  TRANSITION,
  target,
  WHOLE,
} from '../unit/reconciler/make.ts';
import { type Faults, ModelNode, NO_FAULTS } from './reconciler-model.ts';

const RUNS = 1_500;
/** Faults, edits and restarts end here, ms. */
const TROUBLE_MS = 3_600_000;
/** Three attempts of mig-manager, a pause until the retry, and again: ms at most until everything rests. */
const REST_MS = 4 * 3_600_000;
/** Steps without anything else happening. */
const MOST_STEPS = 12;

const SWAPPED: Partition = { layouts: [...MIXED.layouts].reverse(), sharing: undefined };
const HALF: Partition = { layouts: [{ '1g.5gb': 7 }, undefined], sharing: undefined };
const MORE: Partition = { ...WHOLE, sharing: { mode: 'timeslicing', replicas: 8 } };
const PARTITIONS = [WHOLE, MPS, SLICED, MORE, SEVEN, MIXED, SWAPPED, HALF, { ...HALF, sharing: SLICED.sharing }];

/** The reconciler without its client: observe, decide, write; what it remembers is times. */
class Driver {
  readonly node: ModelNode;
  wanted: DesiredState | undefined;
  /** What the last look said. */
  phaseStatus: PhaseStatus | undefined;
  step: Step | undefined;
  /** Somebody else has edited a label or a mark. */
  edited = false;
  /** Changes that were given up. */
  fails = 0;
  /** Steps that wrote. */
  writes = 0;
  /** Restarts after that write. */
  restartAfter: number | undefined;
  #phase = { is: '', since: 0 };
  #known = { plugin: new Map<string, number>(), mig: new Map<string, number>() };
  #drainGivenUp = Number.NEGATIVE_INFINITY;
  #wakeAt = Number.POSITIVE_INFINITY;
  #cordonedBefore = false;

  constructor(node: ModelNode) {
    this.node = node;
  }

  restart(): void {
    this.#phase = { is: '', since: 0 };
    this.#known = { plugin: new Map(), mig: new Map() };
    this.#drainGivenUp = Number.NEGATIVE_INFINITY;
  }

  /** Lets the world go on for so long, and looks after everything that happens. */
  run(until: number): void {
    this.look();
    while (this.node.now < until) {
      this.node.advance(Math.min(until, this.#wakeAt));
      this.look();
    }
  }

  get isAtRest(): boolean {
    return this.step?.do === 'nothing' && this.node.annotations[TRANSITION] === undefined && !this.node.isAtWork;
  }

  situation(): NodeSituation {
    const { node } = this;
    const observed = observe(node.object);
    if (!observed) throw new Error('the node is gone');
    const is = phaseOf(observed);
    if (this.#phase.is !== is) this.#phase = { is, since: node.now };
    return {
      node: observed,
      desired: this.wanted,
      gpuPods: [...node.pods.values()],
      elapsed: node.now - this.#phase.since,
      age: (component, name) => {
        const since = this.#known[component].get(name);
        return since === undefined ? undefined : node.now - since;
      },
      mayBegin: true,
      drainGivenUp: node.now - this.#drainGivenUp < TIMES.retry,
      times: TIMES,
    };
  }

  look(): void {
    this.#wakeAt = Number.POSITIVE_INFINITY;
    for (let steps = 0; ; steps += 1) {
      if (steps > MOST_STEPS) throw new Error(`no end: ${JSON.stringify(this.step)}`);
      const step = nextStep(this.situation());
      this.step = step;
      this.phaseStatus = step.phaseStatus;
      this.#check(step);
      if (this.#carryOut(step)) break;
      this.writes += 1;
      if (this.writes === this.restartAfter) this.restart();
    }
    this.#checkMark();
  }

  /** @returns whether there is nothing more to do now */
  #carryOut(step: Step): boolean {
    const { node } = this;
    switch (step.do) {
      case 'nothing':
        if (step.wakeMs !== undefined) this.#wakeAt = node.now + Math.max(1, step.wakeMs);
        return true;
      case 'evict':
        for (const { uid } of step.pods) node.evict(uid);
        this.#wakeAt = node.now + Math.max(1, step.wakeMs);
        return true;
      case 'write-configs':
        for (const component of ['plugin', 'mig'] as const) {
          const key = step[component];
          if (!key) continue;
          // A key's text says what the target is.
          node.write(component, key.name, this.wanted?.partition ?? WHOLE);
          if (!this.#known[component].has(key.name)) this.#known[component].set(key.name, node.now);
        }
        return false;
      case 'patch':
        if (step.action === 'fail') this.fails += 1;
        if (step.gaveUpDrain) this.#drainGivenUp = node.now;
        if (step.action === 'begin') this.#cordonedBefore = node.cordoned;
        node.patch(step.patch);
        return false;
    }
  }

  #check(step: Step): void {
    const { node } = this;
    if (step.do !== 'patch') return;
    const { labels = {}, unschedulable } = step.patch;
    if (unschedulable === null && this.#cordonedBefore) throw new Error('a cordon of somebody else is lifted');
    if (step.action !== 'apply') return;
    for (const [label, component] of [
      [PLUGIN, 'plugin'],
      [MIG, 'mig'],
    ] as const) {
      const name = labels[label];
      if (typeof name !== 'string') continue;
      const since = node.keys[component].get(name)?.since ?? Number.POSITIVE_INFINITY;
      if (node.now - since < TIMES.propagation) throw new Error(`${label} is told of ${name} too early`);
    }
    const harmed = this.wanted ? node.harmedBy(this.wanted.partition) : [];
    if (harmed.length > 0) throw new Error(`told while ${JSON.stringify(harmed)} are there`);
  }

  /** No moment between the flip of a label and what comes of it without the mark. */
  #checkMark(): void {
    const { node } = this;
    if (!node.isAtWork || node.annotations[TRANSITION] !== undefined || this.edited) return;
    if (JSON.parse(node.annotations[PARTITION] ?? '{}').failed) return;
    throw new Error(`components are at work, and there is no mark: ${JSON.stringify(this.phaseStatus)}`);
  }
}

type Happening =
  | {
      readonly what: 'spec';
      readonly partition: Partition;
      readonly whenBusy: 'Wait' | 'Drain';
      readonly drainMs: number;
    }
  | { readonly what: 'delete' | 'restart' | 'pod' | 'leave' | 'cordon' }
  | { readonly what: 'edit'; readonly label: string; readonly value: string | null }
  | { readonly what: 'fault'; readonly faults: Partial<Faults> };

const happening = (edits: boolean): fc.Arbitrary<Happening> =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constant('spec' as const),
        partition: fc.constantFrom(...PARTITIONS),
        whenBusy: fc.constantFrom('Wait' as const, 'Drain' as const),
        drainMs: fc.constantFrom(10_000, 120_000, 600_000),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constantFrom('delete' as const, 'restart', 'restart', 'pod', 'pod', 'pod', 'leave', 'leave', 'cordon'),
      }),
    },
    {
      weight: edits ? 2 : 0,
      arbitrary: fc.record({
        what: fc.constant('edit' as const),
        label: fc.constantFrom(PLUGIN, MIG),
        value: fc.constantFrom('theirs', null),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        what: fc.constant('fault' as const),
        faults: fc.record(
          {
            migFails: fc.nat(4),
            migSticks: fc.nat(2),
            pluginIgnores: fc.boolean(),
            unlabelled: fc.boolean(),
            budget: fc.boolean(),
            slow: fc.constantFrom(1, 2, 40),
          },
          { requiredKeys: [] },
        ),
      }),
    },
  );

const story = (edits: boolean) =>
  fc.record({
    seed: fc.nat(),
    cordoned: fc.boolean(),
    happenings: fc.array(
      fc.tuple(fc.oneof(fc.nat(1_000), fc.nat(20_000), fc.nat(300_000), fc.nat(900_000)), happening(edits)),
      {
        minLength: 1,
        maxLength: 14,
      },
    ),
    last: fc.constantFrom(...PARTITIONS),
  });
type Story = { seed: number; cordoned: boolean; happenings: [number, Happening][]; last: Partition };

/** The last thing that goes wrong, so long after the last wish, ms. */
interface Edit {
  readonly after: number;
  readonly label: string;
  readonly value: string | null;
}
const edits: fc.Arbitrary<Edit> = fc.record({
  after: fc.oneof(fc.nat(10_000), fc.nat(300_000), fc.nat(900_000)),
  label: fc.constantFrom(PLUGIN, MIG),
  value: fc.constantFrom('theirs', null),
});

/** Everything that happens in the story; then an end of all trouble, and the last wish. */
function live({ seed, cordoned, happenings, last }: Story, edit?: Edit): Driver {
  const node = new ModelNode(seededRandom(seed));
  node.cordoned = cordoned;
  const driver = new Driver(node);
  let generation = 0;
  let isCordoned = cordoned;
  const wish = (partition: Partition, more: Partial<DesiredState> = {}) => {
    generation += 1;
    driver.wanted = target(partition, { generation, ...more });
  };
  const happen = (each: Happening) => {
    switch (each.what) {
      case 'spec':
        return wish(each.partition, { whenBusy: each.whenBusy, drainMs: each.drainMs });
      case 'delete':
        driver.wanted = undefined;
        return;
      case 'restart':
        return driver.restart();
      case 'pod':
        if (node.annotations[TRANSITION] === undefined) node.place(undefined);
        return;
      case 'leave':
        for (const uid of [...node.pods.keys()].slice(0, 1)) node.pods.delete(uid);
        return;
      case 'cordon':
        // Only while we have none of our own there: nobody could tell them apart.
        if (node.annotations[TRANSITION] !== undefined) return;
        isCordoned = !isCordoned;
        node.cordoned = isCordoned;
        return;
      case 'edit':
        driver.edited = true;
        node.patch({ labels: { [each.label]: each.value } });
        return;
      case 'fault':
        Object.assign(node.faults, each.faults);
    }
  };
  for (const [ms, each] of happenings) {
    driver.run(Math.min(TROUBLE_MS, node.now + ms));
    happen(each);
  }
  Object.assign(node.faults, NO_FAULTS);
  node.patch({});
  wish(last, { whenBusy: 'Drain' });
  if (edit) {
    driver.run(node.now + edit.after);
    driver.edited = true;
    node.patch({ labels: { [edit.label]: edit.value } });
  }
  driver.run(node.now + REST_MS);
  if (!driver.isAtRest) throw new Error(`no rest: ${JSON.stringify(driver.step)}`);
  if (node.cordoned !== isCordoned) throw new Error(`the node is ${node.cordoned ? '' : 'not '}cordoned in the end`);
  return driver;
}

function expectReady({ node, phaseStatus }: Driver, partition: Partition): void {
  const is = describePartition(node.partition);
  if (phaseStatus?.phase !== 'Ready') throw new Error(`in the end, ${is}: ${JSON.stringify(phaseStatus)}`);
  if (samePartition(node.partition, partition)) return;
  // As many slots by other means, told in vain twice: nobody can tell that from labels that do not come.
  const offered = (of: Partition) => JSON.stringify([...allocatableOf(of)]);
  if (phaseStatus.reason === 'LabelsMissing' && offered(node.partition) === offered(partition)) return;
  throw new Error(`in the end the node is ${is}`);
}

/** Everything as it is, and time goes by. */
function expectSilence(driver: Driver): void {
  const { writes } = driver;
  driver.run(driver.node.now + 10 * TIMES.retry);
  if (driver.writes !== writes) throw new Error(`at rest it writes: ${JSON.stringify(driver.step)}`);
}

tap.test(
  'whatever happens, as soon as nothing goes wrong any more the node becomes what is wanted, and stays so',
  async (t) => {
    fc.assert(
      fc.property(story(false), (told) => {
        const driver = live(told);
        expectReady(driver, told.last);
        expectSilence(driver);
        if (driver.node.refused > 0) throw new Error('a pod was refused that was placed while there was no mark');
      }),
      { numRuns: RUNS },
    );
    t.pass(`${RUNS} stories`);
  },
);

tap.test(
  'labels that somebody else edits are told of, until they are taken back, or a changed spec takes over',
  async (t) => {
    fc.assert(
      fc.property(story(true), edits, fc.boolean(), (told, edit, takesBack) => {
        const driver = live(told, edit);
        const { phaseStatus } = driver;
        if (phaseStatus?.phase !== 'Ready' && phaseStatus?.reason !== 'ForeignEdit')
          throw new Error(JSON.stringify(phaseStatus));
        expectSilence(driver);
        if (phaseStatus.phase === 'Ready') return;
        const { wanted, node } = driver;
        if (!wanted) throw new Error('nothing is wanted');
        if (takesBack) {
          const { plugin, mig } = JSON.parse(node.annotations[PARTITION] ?? '{}');
          node.patch({ labels: { [PLUGIN]: plugin, ...(mig !== undefined && { [MIG]: mig }) } });
        } else driver.wanted = { ...wanted, generation: wanted.generation + 1 };
        driver.run(node.now + REST_MS);
        expectReady(driver, told.last);
        expectSilence(driver);
      }),
      { numRuns: RUNS },
    );
    t.pass(`${RUNS} stories`);
  },
);

tap.test('labels that somebody else has edited at rest are not touched until the spec changes', async (t) => {
  fc.assert(
    fc.property(story(false), fc.constantFrom(PLUGIN, MIG), fc.constantFrom('theirs', null), (told, label, value) => {
      const driver = live(told);
      if (driver.node.labels[label] === undefined) return;
      driver.edited = true;
      driver.node.patch({ labels: { [label]: value } });
      const { writes } = driver;
      driver.run(driver.node.now + REST_MS);
      if (driver.writes !== writes) throw new Error(`it is fought over: ${JSON.stringify(driver.step)}`);
      if (driver.phaseStatus?.reason !== 'ForeignEdit' && isToldBy(driver, label))
        throw new Error(JSON.stringify(driver.phaseStatus));
    }),
    { numRuns: RUNS / 3 },
  );
  t.pass(`${RUNS / 3} stories`);
});

function isToldBy({ node }: Driver, label: string): boolean {
  const record = JSON.parse(node.annotations[PARTITION] ?? '{}');
  return (label === PLUGIN ? record.plugin : record.mig) !== undefined;
}

tap.test('a restart after any single write ends in the same labels and the same record', async (t) => {
  const ways: readonly [from: Partition, to: Partition, faults: Partial<Faults>, drains: boolean][] = [
    [WHOLE, SEVEN, {}, false],
    [SEVEN, MIXED, {}, true],
    [MIXED, MPS, {}, true],
    [MPS, SLICED, {}, true],
    [SLICED, HALF, { migFails: 1 }, false],
    [HALF, SWAPPED, { migSticks: 1 }, true],
  ];
  for (const [from, to, faults, drains] of ways) {
    const course = (restartAfter: number | undefined) => {
      const driver = new Driver(new ModelNode(seededRandom(1)));
      driver.wanted = target(from);
      driver.run(REST_MS);
      driver.writes = 0;
      driver.restartAfter = restartAfter;
      driver.node.place(undefined);
      driver.run(driver.node.now + 10_000);
      Object.assign(driver.node.faults, faults);
      driver.wanted = target(to, { generation: 2, whenBusy: drains ? 'Drain' : 'Wait' });
      if (!drains) driver.node.pods.clear();
      driver.run(driver.node.now + REST_MS);
      const { labels, annotations, cordoned } = driver.node;
      expectReady(driver, to);
      if (driver.fails > 0) throw new Error('one fault is no reason to give up');
      return { end: { labels, annotations, cordoned, phaseStatus: driver.phaseStatus }, writes: driver.writes };
    };
    const { end, writes } = course(undefined);
    t.ok(writes >= 4, `${describePartition(to)}: begin, write-configs, apply, finish`);
    for (let i = 1; i <= writes; i += 1)
      t.strictSame(course(i).end, end, `${describePartition(to)}: after write ${i} of ${writes}`);
  }
});
