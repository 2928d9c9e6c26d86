/** When pods are looked for that slipped past the webhook. Which pods those are: audit.test.ts. */

import { pino } from 'pino';
import tap from 'tap';
import type { Findings } from '#src/audit/audit.ts';
import { Auditor } from '#src/audit/auditor.ts';
import { ManualClock } from '../../objects/clock.ts';
import { exclusiveNode, mpsNode } from '../../objects/nodes.ts';
import { inferencePod } from '../../objects/pods.ts';
import { stateOf } from '../state/evaluating.ts';

const SETTLE = 1_000;
const FIRST_RETRY = 5_000;
const MPS = { name: 'mps', gpus: 1, replicas: 8 };
const TAINTED = { spec: { taints: [{ key: 'maintenance', effect: 'NoSchedule' }] } };

interface Options {
  readonly begun?: boolean;
  readonly historyKnown?: () => Promise<void>;
  /** What the reporter does with the first findings, the second ones and so on; it takes all others. */
  readonly answers?: (() => void)[];
}

/** One node that shares by MPS, and a pod that slipped past. */
async function setUp({ begun = true, historyKnown = async () => {}, answers = [] }: Options = {}) {
  const { state, admission } = stateOf({ nodes: [mpsNode(MPS)] });
  const clock = new ManualClock();
  const looks: string[][] = [];
  const said: object[] = [];
  let asked = 0;
  const view = () => {
    const { namespaceLabels, ...rest } = admission.view();
    const counted = (namespace: string) => {
      asked += 1;
      return namespaceLabels(namespace);
    };
    return { ...rest, namespaceLabels: counted };
  };
  /** Pods that were judged since the last question. */
  const judged = () => {
    const count = asked;
    asked = 0;
    return count;
  };
  const auditor = new Auditor({
    state,
    view,
    historyKnown,
    reporter: {
      report: async ({ missed, unclear }: Findings) => {
        looks.push([...missed, ...unclear].map(({ name }) => name));
        answers.shift()?.();
      },
    },
    log: pino({ base: null, timestamp: false }, { write: (line: string) => said.push(JSON.parse(line)) }),
    clock,
    settleMs: SETTLE,
  });
  state.pods.update(inferencePod('p'));
  if (begun) {
    auditor.begin();
    await clock.pass(SETTLE);
    looks.length = 0;
    judged();
  }
  return { state, clock, looks, said, auditor, judged };
}

tap.test('nobody looks before everything has been listed: half of the picture accuses wrongly', async (t) => {
  const { clock, looks, auditor } = await setUp({ begun: false });
  await clock.pass(10 * SETTLE);
  t.strictSame(looks, []);
  auditor.begin();
  await clock.pass(0);
  t.strictSame(looks, [['p']], 'what has come meanwhile has waited for long enough');
});

tap.test('many changes are one look, a while after the first', async (t) => {
  const { state, clock, looks } = await setUp();
  for (const uid of ['q', 'r', 's']) {
    state.pods.update(inferencePod(uid));
    await clock.pass(SETTLE / 4);
  }
  t.strictSame(looks, []);
  await clock.pass(SETTLE / 4);
  t.strictSame(looks, [['p', 'q', 'r', 's']]);
  await clock.pass(10 * SETTLE);
  t.equal(looks.length, 1, 'and no other as long as nothing changes');
});

tap.test('only pods that have changed are judged, unless something that decisions are made from has', async (t) => {
  const { state, clock, looks, judged } = await setUp();
  for (const uid of ['q', 'r', 's']) state.pods.update(inferencePod(uid));
  await clock.pass(SETTLE);
  t.strictSame(judged(), 3);
  state.pods.update(inferencePod('q', { metadata: { labels: {} } }));
  await clock.pass(SETTLE);
  t.strictSame(judged(), 1);
  t.strictSame(looks.at(-1), ['p', 'r', 's'], 'what was found of the others still holds');
  state.namespaces.update({ metadata: { name: 'team', labels: { a: 'b' } } });
  await clock.pass(SETTLE);
  t.strictSame(judged(), 4);
});

type State = Awaited<ReturnType<typeof setUp>>['state'];

/** What changes, and who is found after it; nothing: nobody looks. */
const CHANGES: readonly [says: string, change: (state: State) => void, found?: readonly string[]][] = [
  ['a pod without a decision', ({ pods }) => pods.update(inferencePod('q')), ['p', 'q']],
  ['such a pod is gone', ({ pods }) => pods.delete(inferencePod('p')), []],
  [
    'what such a pod asks for of us has changed',
    ({ pods }) => pods.update(inferencePod('p', { metadata: { labels: {} } })),
    [],
  ],
  ['it runs: that changes nothing', ({ pods }) => pods.update(inferencePod('p', { nodeName: 'mps' }))],
  [
    'a pod that was decided',
    ({ pods }) =>
      pods.update(inferencePod('q', { metadata: { annotations: { 'gpu-autoscaler.io/optimized': 'true' } } })),
  ],
  ['a policy', ({ policies }) => policies.update({ metadata: { name: 'all' }, spec: { strategy: 'exclusive' } }), []],
  ['a namespace', ({ namespaces }) => namespaces.update({ metadata: { name: 'team', labels: { a: 'b' } } }), ['p']],
  [
    'a LimitRange for whole GPUs',
    ({ limitRanges }) =>
      limitRanges.update({
        metadata: { name: 'gpus', namespace: 'team' },
        spec: { limits: [{ type: 'Container', max: { 'nvidia.com/gpu': '1' } }] },
      }),
    [],
  ],
  [
    'a ResourceQuota for whole GPUs',
    ({ quotas }) =>
      quotas.update({
        metadata: { name: 'gpus', namespace: 'team' },
        spec: { hard: { 'requests.nvidia.com/gpu': '4' } },
      }),
    [],
  ],
  ['a node offers something else', ({ nodes }) => nodes.update(exclusiveNode({ name: 'mps', gpus: 1 })), []],
  ['a node is gone', ({ nodes }) => nodes.delete(mpsNode(MPS)), []],
  ['a node is tainted: it offers nothing', ({ nodes }) => nodes.update({ ...mpsNode(MPS), ...TAINTED }), []],
];
for (const [says, change, found] of CHANGES) {
  tap.test(`${found ? 'a look' : 'no look'}: ${says}`, async (t) => {
    const { state, clock, looks } = await setUp();
    change(state);
    await clock.pass(SETTLE);
    t.strictSame(looks, found ? [found] : []);
  });
}

tap.test('the configuration has changed: whoever knows asks for a look', async (t) => {
  const { clock, looks, auditor } = await setUp();
  auditor.lookAgain();
  await clock.pass(SETTLE);
  t.strictSame(looks, [['p']]);
});

tap.test('the past of workloads is waited for: without it a busy pod would seem to share', async (t) => {
  const history = Promise.withResolvers<void>();
  const { clock, looks, auditor } = await setUp({ begun: false, historyKnown: () => history.promise });
  auditor.begin();
  await clock.pass(SETTLE);
  t.strictSame(looks, []);
  history.resolve();
  await clock.pass(0);
  t.strictSame(looks, [['p']]);
});

tap.test('a report that fails is told in the log, and tried again later and later', async (t) => {
  const fail = () => {
    throw new Error('too many requests');
  };
  const { clock, looks, said, auditor } = await setUp({ begun: false, answers: [fail, fail] });
  auditor.begin();
  await clock.pass(SETTLE);
  t.strictSame(said, [
    { level: 40, error: 'too many requests', msg: 'could not write to the API server, trying again' },
  ]);
  await clock.pass(FIRST_RETRY - 1);
  t.equal(looks.length, 1);
  await clock.pass(1);
  t.equal(looks.length, 2);
  await clock.pass(2 * FIRST_RETRY - 1);
  t.equal(looks.length, 2);
  await clock.pass(1);
  t.strictSame(looks, [['p'], ['p'], ['p']]);
  await clock.pass(100 * FIRST_RETRY);
  t.equal(looks.length, 3, 'until it is taken');
  t.equal(said.length, 2);
});

tap.test('once stopped nobody looks', async (t) => {
  const { state, clock, looks, auditor } = await setUp();
  state.pods.update(inferencePod('q'));
  await auditor.stop();
  await clock.pass(SETTLE);
  t.strictSame(looks, []);
});
