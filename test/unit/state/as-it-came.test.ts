/** Admission never harms: what a pod could have before, it can have after. Cases as users have reported them. */

import tap from 'tap';
import { podSchema } from '#src/api/kubernetes.ts';
import { Ledger } from '#src/core/ledger.ts';
import { EquivalenceClass } from '#src/core/scoring/equivalence-class.ts';
import { LiveStrategy } from '#src/core/scoring/live-strategy.ts';
import { bestFit } from '#src/core/strategies/best-fit.ts';
import { evaluateAdmission } from '#src/state/evaluate-admission.ts';
import { gpuRequestOf } from '#src/state/gpu-request.ts';
import { applyDecision } from '#src/webhook/mutate.ts';
import { ManualClock } from '../../objects/clock.ts';
import { exclusiveNode, mpsNode } from '../../objects/nodes.ts';
import { KEY, type PodParts, podOf, stateOf } from './evaluating.ts';

const GPU = 'nvidia.com/gpu';
const LABELS = { 'nvidia.com/gpu.count': '4', 'nvidia.com/gpu.memory': '23034', 'nvidia.com/mig.capable': 'false' };

/** The device plugin's default: GPUs are shared under their own name. */
const SLICED = {
  metadata: {
    name: 'sliced',
    labels: {
      ...LABELS,
      'nvidia.com/gpu.product': 'NVIDIA-L4-SHARED',
      'nvidia.com/gpu.replicas': '4',
      'nvidia.com/gpu.sharing-strategy': 'time-slicing',
    },
  },
  status: { allocatable: { cpu: '96', [GPU]: '16' } },
};
const UNLABELLED = { metadata: { name: 'unlabelled' }, status: { allocatable: { [GPU]: '1' } } };
const SINGLE = {
  metadata: {
    name: 'single',
    labels: {
      ...LABELS,
      'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-40GB-MIG-1g.5gb',
      'nvidia.com/gpu.count': '28',
      'nvidia.com/gpu.memory': '4864',
      'nvidia.com/mig.strategy': 'single',
    },
  },
  status: { allocatable: { [GPU]: '28' } },
};
const WHOLE = exclusiveNode({ name: 'whole', gpus: 1 });

/** What admission makes of the pod, and the nodes that take it then, the best first. */
function outcome(nodes: readonly object[], parts: PodParts, policies: Readonly<Record<string, object>> = {}) {
  const { state, admission } = stateOf({ nodes, policies });
  const pod = podOf(parts);
  const view = admission.view();
  const judged = evaluateAdmission(pod, 'team', view);
  if (!judged.ok) throw new Error(judged.faults.join());
  const after = podSchema.parse(applyDecision(pod, judged, view, new Date(0)) ?? pod);
  const ledger = new Ledger();
  for (const { inventory } of state.nodes.values()) if (inventory) ledger.setNode(inventory);
  const request = gpuRequestOf(after);
  const table = new EquivalenceClass(request, ledger, new LiveStrategy(bestFit, ledger));
  const names = [...state.nodes.values()].map(({ name }) => name);
  const takes = table.best(
    ledger.findAll(names).flatMap((node) => (node && !table.refusalOf(node) ? [node] : [])),
    names.length,
  );
  const strategy = after.metadata.annotations?.[`${KEY}optimization-strategy`];
  const { reasons, warnings } = judged.decision;
  return { goes: takes.map(({ name }) => name), strategy, reason: reasons.at(-1), warnings };
}

tap.test('a pod that no rule shares runs where GPUs are shared under their own name, as before', async (t) => {
  for (const node of [SLICED, SINGLE, UNLABELLED]) {
    const { goes, warnings, strategy } = outcome([node], {});
    t.strictSame(goes, [node.metadata.name]);
    t.strictSame(warnings, []);
    t.equal(strategy, undefined, 'no whole GPU is claimed');
  }
  const { reason } = outcome([SLICED], {});
  t.equal(reason, 'nvidia.com/gpu is a slot of a GPU on 1 node: it stays as it came');
});

tap.test('it takes a whole GPU first, where there is one', async (t) => {
  for (const labels of [{}, { 'workload-type': 'training' }]) {
    const { goes, reason } = outcome([UNLABELLED, SLICED, WHOLE], { labels });
    t.strictSame(goes, ['whole', 'sliced', 'unlabelled'], 'then a slot, and last what nobody knows the size of');
    t.equal(
      reason,
      'nvidia.com/gpu is a slot of a GPU, or of unknown size, on 2 nodes: it goes there only where no whole GPU is free',
    );
  }
});

tap.test('by the word of its author it waits for a whole GPU, unless there is none for it at all', async (t) => {
  for (const annotations of [{ 'sharing-mode': 'exclusive' }, { sharing: 'disabled' }]) {
    const kept = outcome([SLICED, WHOLE], { annotations });
    t.strictSame([kept.goes, kept.strategy], [['whole'], 'exclusive']);
    const none = outcome([SLICED], { annotations });
    t.strictSame([none.goes, none.strategy], [['sliced'], undefined]);
    t.match(none.warnings, [/^no node that it may go to is known to offer a whole GPU, .*: it stays as it came$/]);
  }
});

tap.test('by the word of a policy as well', async (t) => {
  const policies = { all: { strategy: 'exclusive' } };
  t.strictSame(outcome([SLICED, WHOLE], {}, policies).goes, ['whole']);
  t.strictSame(outcome([SLICED], {}, policies).goes, ['sliced']);
});

tap.test('a slot of unknown size is promised to no pod', async (t) => {
  const unlabelled = { metadata: { name: 'n' }, status: { allocatable: { 'nvidia.com/gpu.shared': '10' } } };
  t.equal(outcome([unlabelled], { labels: { 'workload-type': 'development' } }).strategy, 'exclusive');
});

const MPS = mpsNode({ name: 'mps', gpus: 1, replicas: 4 }) as { metadata: object; status: object };
const INFERENCE = { labels: { 'workload-type': 'inference' } };

tap.test('nodes that the pod does not tolerate, or that are cordoned, offer nothing', async (t) => {
  const tainted = { ...MPS, spec: { taints: [{ key: 'team', value: 'a', effect: 'NoSchedule' }] } };
  t.equal(outcome([tainted], INFERENCE).strategy, 'exclusive');
  const tolerations = [{ key: 'team', operator: 'Exists' }];
  const pod = { ...INFERENCE, spec: { containers: [container()], tolerations } };
  t.equal(outcome([tainted], pod).strategy, 'mps');
  t.equal(outcome([{ ...MPS, spec: { unschedulable: true } }], INFERENCE).strategy, 'exclusive');
  const passing = [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }];
  t.equal(outcome([{ ...MPS, spec: { taints: passing } }], INFERENCE).strategy, 'mps', 'for a moment');
  const cordon = { ...MPS, metadata: { ...MPS.metadata, annotations: { [`${KEY}transition`]: '{}' } } };
  t.equal(outcome([{ ...cordon, spec: { unschedulable: true } }], INFERENCE).strategy, 'mps', 'our own, for a change');
});

function container() {
  return { name: 'main', image: 'team/app:1', resources: { requests: { [GPU]: '1' } } };
}

tap.test('zero for a moment is not zero: what a node offered counts for ten minutes', async (t) => {
  const clock = new ManualClock();
  const { state, admission } = stateOf({ nodes: [MPS], clock });
  const modes = () =>
    admission
      .view()
      .offers([])
      .filter(({ nodes }) => nodes > 0)
      .map(({ mode }) => mode);
  const away = { ...MPS, status: { allocatable: { 'nvidia.com/gpu.shared': '0' } } };
  state.nodes.update(away);
  t.strictSame(modes(), ['mps']);
  clock.ms += 599_000;
  t.strictSame(modes(), ['mps']);
  clock.ms += 2_000;
  t.strictSame(modes(), []);
  state.nodes.update({ ...away, metadata: { ...MPS.metadata, labels: { ...LABELS, other: 'label' } } });
  t.strictSame(modes(), [], 'and not again, whatever else changes');
  state.nodes.update(MPS);
  t.strictSame(modes(), ['mps'], 'until it is back');
});

tap.test('but no pod waits for a node that is away where a whole GPU is at hand', async (t) => {
  const away = { ...MPS, status: { allocatable: { 'nvidia.com/gpu.shared': '0' } } };
  t.equal(outcome([away, WHOLE], INFERENCE).strategy, 'exclusive');
  const gone = { ...MPS, spec: { taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] } };
  t.equal(outcome([gone], INFERENCE).strategy, 'exclusive', 'nor for one that is out of service');
});

tap.test('a webhook that starts meanwhile reads it from the labels', async (t) => {
  const away = { ...MPS, status: { allocatable: { 'nvidia.com/gpu.shared': '0' } } };
  t.equal(outcome([away], INFERENCE).strategy, 'mps');
  const bare = { ...MPS, status: { allocatable: {} } };
  t.equal(outcome([bare], INFERENCE).strategy, 'exclusive', 'where no name tells how they are offered, nothing is');
  const { admission } = stateOf({ nodes: [bare], configuration: { sharing: { mps: { autoConfig: true } } } });
  const offers = admission.view().offers([]);
  t.strictSame(offers, [], 'nor may it be made to offer slots, as nobody knows how it is partitioned');
});

tap.test('where slots are ruled out by the pod itself, the reason says so', async (t) => {
  const spec = { containers: [container()], nodeSelector: { pool: 'none' } };
  for (const pods of [undefined, []]) {
    const { admission } = stateOf({ nodes: [MPS], ...(pods && { pods }) });
    const judged = evaluateAdmission(podOf({ ...INFERENCE, spec }), 'team', admission.view());
    const isSaid =
      judged.ok && judged.decision.reasons.some((reason) => /are ruled out by its nodeSelector/.test(reason));
    t.ok(isSaid, pods ? 'who holds what is known' : 'and where it is not');
  }
  const policies = { only: { strategy: 'mig' } };
  t.notMatch(outcome([MPS], INFERENCE, policies).reason, /ruled out/, 'and only then');
});

const OBSTACLES: readonly [what: string, parts: PodParts, strategy: string | undefined, warned: boolean][] = [
  ['a member of a group', { metadata: { labels: { 'ray.io/cluster': 'x' } } }, 'exclusive', false],
  [
    'a pod group keeps its scheduler',
    { metadata: { labels: { 'scheduling.x-k8s.io/pod-group': 'x' } } },
    undefined,
    false,
  ],
];
for (const [what, parts, strategy, warned] of OBSTACLES) {
  tap.test(`no sharing by a guess: ${what}`, async (t) => {
    const answer = outcome([MPS, WHOLE], parts);
    t.equal(answer.strategy, strategy);
    t.equal(answer.warnings.length > 0, warned);
  });
}

tap.test('a server without a declared size only looks like inference: it shares with known memory alone', async (t) => {
  const image = { name: 'main', image: 'vllm/vllm-openai:v0.10.2', resources: { requests: { [GPU]: '1' } } };
  const spec = { containers: [image] };
  t.equal(outcome([MPS, WHOLE], { spec }).strategy, 'exclusive');
  t.equal(outcome([MPS, WHOLE], { spec, annotations: { 'gpu-memory': '8Gi' } }).strategy, 'mps');
  t.equal(outcome([MPS, WHOLE], { spec, ...INFERENCE }).strategy, 'mps', 'by its label it is');
});
