import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { storedNodeSchema, storedPodSchema } from '#src/api/stored-objects.ts';
import { mpsNode } from '../../test/objects/nodes.ts';
import { storedPod } from '../../test/objects/pods.ts';
import { type ControllerCounts, type ControllerEvents, controllerEvents } from '../drivers/controller-events.ts';
import { nodeNames } from '../fleet.ts';
import { FIRST_STATE, type NodeState, nodeAt } from '../objects/nodes.ts';
import { type BenchPod, LIFE, POLICY, podAt, type Turn } from '../objects/pods.ts';
import { shareOf } from '../objects/shares.ts';
import { median, quantile, type Scenario, type Table } from '../scenario.ts';

const NODES = 1_000;
const PODS_PER_NODE = 10;
/** Of these. */
const GPU_PODS_PER_NODE = 7;
/** Events of one row in one round: few enough to be as fresh as if each had just been parsed. */
const GROUP = 8;
const ROUNDS = 500;
const WARM_UP = 200;
/** Another checkout's `bench/drivers/controller-events.ts`, which is measured as well. */
const BASELINE = process.env.EVENT_COST_BASELINE;

export const eventCost: Scenario = {
  name: 'event-cost',
  question: 'What does one watch event cost the controller?',
  method:
    `in one process, from the parsed object until all that the controller keeps is up to date; ${NODES} nodes and ` +
    `${NODES * PODS_PER_NODE} pods have been listed, ${GPU_PODS_PER_NODE} of the ${PODS_PER_NODE} on each node with GPUs (whole ones, ` +
    `by MPS, by time-slicing or by MIG); ${ROUNDS} rounds after ${WARM_UP} to warm up, in each ${GROUP} events of every row, each ` +
    'with an object of its own that has just been parsed, which is not counted. Medians and quartiles are of the rounds’ means; the mean is of all ' +
    'events, with every garbage collection and whatever else the machine did in between. A life is the mean of its turns. The floor is one parse by ' +
    'storedPodSchema or storedNodeSchema, which drops what we never read. Bare objects are those of the tests, 200 in a row, warm: the figures of 34.7 and ' +
    '51.3 µs that this began with were of such. ' +
    (BASELINE === undefined
      ? 'EVENT_COST_BASELINE names the driver of another checkout, which is then measured in turns with this one.'
      : 'Before is another checkout, measured in the same process in alternating rounds; the ratio is the median of the rounds’.'),
  async run(log) {
    const subjects = [...(BASELINE === undefined ? [] : [await driverOf(BASELINE)]), controllerEvents].map(
      (make) => new Subject(make()),
    );
    try {
      const stream = new Stream();
      for (const { events } of subjects) {
        events.listNodes(stream.nodes().map(parse));
        events.listPods(stream.pods().map(parse));
        events.begin();
        check(events.counts(POLICY), stream);
      }
      log(`${NODES} nodes and ${NODES * PODS_PER_NODE} pods listed`);
      for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
        const batches = stream.next();
        // Whoever comes second finds a warmer machine.
        const order = round % 2 === 0 ? subjects : subjects.toReversed();
        for (const subject of order) subject.take(batches, round >= WARM_UP);
        if (round % 100 === 0) {
          for (const { events } of subjects) check(events.counts(POLICY), stream);
          log(`round ${round} of ${WARM_UP + ROUNDS}`);
        }
      }
      log('bare objects');
      bareRounds(subjects, stream);
      return tableOf(subjects);
    } finally {
      for (const { events } of subjects) await events.stop();
    }
  },
};

async function driverOf(file: string): Promise<() => ControllerEvents> {
  const module = (await import(pathToFileURL(resolve(file)).href)) as { controllerEvents?: () => ControllerEvents };
  if (!module.controllerEvents) throw new Error(`${file} exports no controllerEvents`);
  return module.controllerEvents;
}

/** What is counted together. */
const PART = {
  gpu: (turn: Turn) => `GPU pod: ${turn}`,
  plain: (turn: Turn) => `plain pod: ${turn}`,
  heartbeat: 'heartbeat',
  ours: 'our label',
  foreign: 'foreign label',
  barePod: 'bare pod',
  bareNode: 'bare node',
  barePodFloor: 'storedPodSchema of a bare pod',
  podFloor: 'storedPodSchema',
  nodeFloor: 'storedNodeSchema',
};
/** Nothing without GPUs waits for any. */
const PLAIN_LIFE = LIFE.filter((turn) => turn !== 'unschedulable');

const ROWS: readonly { readonly name: string; readonly parts: readonly string[] }[] = [
  { name: 'GPU pod, mean of a life', parts: LIFE.map(PART.gpu) },
  ...LIFE.map((turn) => ({ name: `– ${turn}`, parts: [PART.gpu(turn)] })),
  { name: 'pod without GPUs, mean of a life', parts: PLAIN_LIFE.map(PART.plain) },
  { name: 'node, heartbeat', parts: [PART.heartbeat] },
  { name: 'node, a label that we read changes', parts: [PART.ours] },
  { name: 'node, another label changes', parts: [PART.foreign] },
  { name: 'bare GPU pod, warm: its phase changes', parts: [PART.barePod] },
  { name: 'bare node, warm: a label changes', parts: [PART.bareNode] },
  { name: 'floor: one parse of a bare pod, warm', parts: [PART.barePodFloor] },
  { name: 'floor: one parse of such a GPU pod', parts: [PART.podFloor] },
  { name: 'floor: one parse of such a node', parts: [PART.nodeFloor] },
];

/** Events that are timed together. */
interface Batch {
  readonly part: string;
  readonly texts: readonly string[];
  readonly tell: (events: ControllerEvents, object: unknown) => unknown;
}

function parse(text: string): unknown {
  return JSON.parse(text);
}

/** What happens in the cluster. */
class Stream {
  readonly #names = nodeNames(NODES);
  readonly #states: NodeState[] = this.#names.map(() => FIRST_STATE);
  #version = 1_000_000;
  #pods = 0;
  #turns = 0;

  get names(): readonly string[] {
    return this.#names;
  }

  version(): number {
    this.#version += 1;
    return this.#version;
  }

  /** By what mig-manager says of them. */
  get changing(): number {
    return this.#states.filter(({ migState }) => migState === 'pending').length;
  }

  nodes(): string[] {
    return this.#names.map((_, n) => this.#node(n, {}));
  }

  /** Those that run all the time. */
  pods(): string[] {
    return this.#names.flatMap((_, node) =>
      Array.from({ length: PODS_PER_NODE }, (_, i) => {
        this.#pods = node * PODS_PER_NODE + i + 1;
        return this.#pod(this.#podOn(node, i < GPU_PODS_PER_NODE), 'running');
      }),
    );
  }

  /** The next round: lives of pods from their beginning to their end, and news of nodes. */
  next(): Batch[] {
    const lives = (isGpu: boolean, life: readonly Turn[], part: (turn: Turn) => string): Batch[] => {
      const pods = this.#nextNodes().map((node) => this.#podOn(node, isGpu));
      return life.map((turn) => ({
        part: part(turn),
        texts: pods.map((pod) => this.#pod(pod, turn)),
        tell: (events, object) => (turn === 'deleted' ? events.podDeleted(object) : events.podChanged(object)),
      }));
    };
    const news = (part: string, change: (state: NodeState) => Partial<NodeState>): Batch => ({
      part,
      texts: this.#nextNodes().map((n) => this.#node(n, change(this.#states[n] ?? FIRST_STATE))),
      tell: (events, object) => events.nodeChanged(object),
    });
    const gpu = lives(true, LIFE, PART.gpu);
    const heartbeat = new Date(Date.parse(FIRST_STATE.heartbeat) + this.#turns * 10_000).toISOString();
    const nodes = [
      news(PART.heartbeat, () => ({ heartbeat })),
      news(PART.ours, ({ migState }) => ({ migState: migState === 'success' ? 'pending' : 'success' })),
      news(PART.foreign, ({ rack }) => ({ rack: rack + 1 })),
    ];
    return [
      ...gpu,
      ...lives(false, PLAIN_LIFE, PART.plain),
      ...nodes,
      // One of each turn, and of a heartbeat.
      {
        part: PART.podFloor,
        texts: gpu.map(({ texts }, i) => texts[i] ?? ''),
        tell: (_, object) => storedPodSchema.parse(object),
      },
      { part: PART.nodeFloor, texts: nodes[0]?.texts ?? [], tell: (_, object) => storedNodeSchema.parse(object) },
    ];
  }

  /** Spread over all of them, so that each kind of news comes to each node in time. */
  #nextNodes(): number[] {
    return Array.from({ length: GROUP }, () => {
      this.#turns += 1;
      return (this.#turns * 379) % NODES;
    });
  }

  #podOn(node: number, isGpu: boolean): BenchPod {
    this.#pods += 1;
    return { n: this.#pods, node: this.#names[node] ?? '', share: isGpu ? shareOf(node) : undefined };
  }

  #pod(pod: BenchPod, turn: Turn): string {
    this.#version += 1;
    return JSON.stringify(podAt(pod, turn, this.#version));
  }

  #node(n: number, change: Partial<NodeState>): string {
    this.#version += 1;
    const state = { ...(this.#states[n] ?? FIRST_STATE), ...change };
    this.#states[n] = state;
    return JSON.stringify(nodeAt(n, this.#names[n] ?? '', state, this.#version));
  }
}

/** A driver, and how long it took. */
class Subject {
  readonly events: ControllerEvents;
  /** By part, one figure a round: µs of an event, and its size. */
  readonly samples = new Map<string, { readonly times: number[]; readonly bytes: number[] }>();

  constructor(events: ControllerEvents) {
    this.events = events;
  }

  take(batches: readonly Batch[], counts: boolean): void {
    for (const { part, texts, tell } of batches) {
      const objects = texts.map(parse);
      const started = performance.now();
      for (const object of objects) tell(this.events, object);
      const each = (1_000 * (performance.now() - started)) / objects.length;
      if (!counts) continue;
      const samples = this.samples.get(part) ?? { times: [], bytes: [] };
      this.samples.set(part, samples);
      samples.times.push(each);
      samples.bytes.push(texts.reduce((sum, { length }) => sum + length, 0) / texts.length);
    }
  }
}

/** Objects of a round, told one after the other: the code and its caches are warm by then. */
const BARE_GROUP = 200;

/** Events of objects with little in them, as tests make them: what the code itself costs, beside what it is given to read. */
function bareRounds(subjects: readonly Subject[], stream: Stream): void {
  const [node] = stream.names;
  for (let round = 0; round < ROUNDS; round += 1) {
    const phase = round % 2 === 0 ? 'Running' : 'Pending';
    const pods = Array.from({ length: BARE_GROUP }, (_, i) =>
      barePod(`bare-${i}`, node ?? '', phase, stream.version()),
    );
    const nodes = Array.from({ length: BARE_GROUP }, (_, i) => bareNode(`bare-${i}`, round, stream.version()));
    const batches: Batch[] = [
      { part: PART.barePod, texts: pods, tell: (events, object) => events.podChanged(object) },
      { part: PART.bareNode, texts: nodes, tell: (events, object) => events.nodeChanged(object) },
      { part: PART.barePodFloor, texts: pods, tell: (_, object) => storedPodSchema.parse(object) },
    ];
    const order = round % 2 === 0 ? subjects : subjects.toReversed();
    for (const subject of order) subject.take(batches, true);
  }
}

function barePod(name: string, nodeName: string, phase: string, version: number): string {
  const resources = { 'nvidia.com/gpu.shared': 1 };
  const metadata = { resourceVersion: String(version) };
  return JSON.stringify(storedPod({ name, uid: `${name}-uid`, resources, nodeName, phase, metadata }));
}

function bareNode(name: string, round: number, version: number): string {
  const labels = { 'example.com/round': String(round) };
  const node = mpsNode({ name, gpus: 8, replicas: 8, labels });
  return JSON.stringify({ ...node, metadata: { ...node.metadata, resourceVersion: String(version) } });
}

/** @throws Error if the driver does not know what it has been told */
function check(counts: ControllerCounts, stream: Stream): void {
  const running = NODES * GPU_PODS_PER_NODE;
  const expected = { nodes: NODES, changing: stream.changing, holders: running, governed: running };
  for (const [what, count] of Object.entries(expected)) {
    const known = counts[what as keyof ControllerCounts];
    if (known !== count) throw new Error(`${what}: ${known} instead of ${count}`);
  }
  if (counts.offers === 0) throw new Error('nodes offer nothing');
}

function tableOf(subjects: readonly Subject[]): Table {
  const figures = subjects.length > 1 ? ['before: ', 'now: '] : [''];
  const head = [
    'event',
    'JSON, KiB',
    ...figures.flatMap((of) => [`${of}median, µs`, `${of}quartiles`, `${of}mean, µs`]),
    ...(subjects.length > 1 ? ['ratio'] : []),
  ];
  const rows = ROWS.map(({ name, parts }) => {
    /** Of a life: the mean of its turns. */
    const of = ({ samples }: Subject, what: 'times' | 'bytes', figure: (values: readonly number[]) => number) =>
      mean(parts.map((part) => figure(samples.get(part)?.[what] ?? [])));
    const quantiles = subjects.map((subject) =>
      [0.25, 0.5, 0.75].map((q) => of(subject, 'times', (values) => quantile(values, q))),
    );
    return [
      name,
      ...subjects.slice(0, 1).map((subject) => (of(subject, 'bytes', mean) / 1_024).toFixed(1)),
      ...subjects.flatMap((subject, i) => {
        const [low, middle, high] = quantiles[i]?.map((value) => value.toFixed(1)) ?? [];
        return [`${middle}`, `${low}–${high}`, of(subject, 'times', mean).toFixed(1)];
      }),
      ...subjects.slice(1).map((now) => median(ratios(parts, subjects[0] ?? now, now)).toFixed(2)),
    ];
  });
  return { head, rows };
}

/** Now to before, one figure a round: whatever slows the machine down for a while slows both. */
function ratios(parts: readonly string[], before: Subject, now: Subject): number[] {
  return Array.from({ length: ROUNDS }, (_, round) => {
    const [ours, theirs] = [now, before].map(({ samples }) =>
      mean(parts.map((part) => samples.get(part)?.times[round] ?? Number.NaN)),
    );
    return (ours ?? Number.NaN) / (theirs ?? Number.NaN);
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
