/** Admission in view of who holds what: users of MPS daemons, and slots that are all taken. */

import tap from 'tap';
import { evaluateAdmission } from '#src/state/evaluate-admission.ts';
import { exclusiveNode, mpsNode, timeSlicingNode } from '../../objects/nodes.ts';
import { storedPod } from '../../objects/pods.ts';
import { short } from '../core/admission/make.ts';
import { judged, podOf, stateOf, type World } from './evaluating.ts';

const SHARED = 'nvidia.com/gpu.shared';
const MPS = mpsNode({ name: 'mps', gpus: 1, replicas: 2 });
const WHOLE = exclusiveNode({ name: 'whole', gpus: 1 });
const INFERENCE = { labels: { 'workload-type': 'inference' } };

/** A pod that holds a slot. */
function holder(name: string, node: string, runAsUser?: number): object {
  const spec = runAsUser === undefined ? {} : { securityContext: { runAsUser } };
  return storedPod({ name, uid: name, nodeName: node, resources: { [SHARED]: '1' }, spec });
}

/** What becomes of an inference pod of that user, and the last reason. */
function outcome(world: World, runAsUser?: number, wishes: object = INFERENCE) {
  const { becomes, reasons } = judged(podOf({ ...wishes, spec: { ...specOf(runAsUser) } }), world);
  return { becomes, reason: reasons.join('; ') };
}

function specOf(runAsUser: number | undefined) {
  return {
    containers: [{ name: 'main', image: 'team/app:1', resources: { requests: { 'nvidia.com/gpu': 1 } } }],
    ...(runAsUser !== undefined && { securityContext: { runAsUser } }),
  };
}

tap.test('MPS is promised where a daemon serves the user of the pod', async (t) => {
  const nodes = [MPS, WHOLE];
  t.match(outcome({ nodes, pods: [] }, 1000).becomes, /^mps/, 'nobody is there');
  t.match(outcome({ nodes, pods: [holder('a', 'mps', 1000)] }, 1000).becomes, /^mps/, 'the same');
  t.match(outcome({ nodes, pods: [holder('a', 'mps')] }).becomes, /^mps/, 'unknown is root, and so is the other');
  const other = outcome({ nodes, pods: [holder('a', 'mps')] }, 1000);
  t.match(other.becomes, /^exclusive/);
  t.match(other.reason, /the MPS daemons of the nodes that offer a slot for it serve other users/);
  t.match(outcome({ nodes }, 1000).becomes, /^mps/, 'where nobody knows who is there, it is promised');
  const second = mpsNode({ name: 'mps-2', gpus: 1, replicas: 2 });
  t.match(
    outcome({ nodes: [...nodes, second], pods: [holder('a', 'mps')] }, 1000).becomes,
    /^mps/,
    'another node will do',
  );
});

tap.test('a full node of the same user is waited for', async (t) => {
  const pods = [holder('a', 'mps', 1000), holder('b', 'mps', 1000)];
  t.match(outcome({ nodes: [MPS, WHOLE], pods }, 1000).becomes, /^mps/);
});

tap.test('the user is that of the container with the GPU, whatever init containers run as', async (t) => {
  const shares = (name: string, runAsUser: number) => ({
    name,
    image: 'team/app:1',
    resources: { requests: { 'nvidia.com/gpu': 1 } },
    securityContext: { runAsUser },
  });
  const spec = { containers: [shares('main', 1000)], initContainers: [shares('init', 0)] };
  const becomes = (user: number) =>
    judged(podOf({ ...INFERENCE, spec }), { nodes: [MPS, WHOLE], pods: [holder('a', 'mps', user)] }).becomes;
  t.match(becomes(1000), /^mps/);
  t.match(becomes(0), /^exclusive/);
});

tap.test('a node that may be made to share by MPS serves anybody, while it is idle', async (t) => {
  const configuration = { sharing: { mps: { autoConfig: true } } };
  const nodes = [MPS, exclusiveNode({ name: 'idle', gpus: 2 })];
  t.match(outcome({ nodes, pods: [holder('a', 'mps')], configuration }, 1000).becomes, /^mps/);
  const busy = storedPod({ name: 'b', uid: 'b', nodeName: 'idle', resources: { 'nvidia.com/gpu': '1' } });
  t.match(outcome({ nodes, pods: [holder('a', 'mps'), busy], configuration }, 1000).becomes, /^exclusive/);
});

const WHOLE_GPU = { sharing: { whenFull: 'wholeGpu' } };

tap.test('whenFull: wholeGpu keeps a whole GPU once every slot is taken, and only then', async (t) => {
  const world = (...pods: object[]): World => ({ nodes: [MPS, WHOLE], pods, configuration: WHOLE_GPU });
  t.match(outcome(world()).becomes, /^mps/);
  t.match(outcome(world(holder('a', 'mps'))).becomes, /^mps/);
  const full = outcome(world(holder('a', 'mps'), holder('b', 'mps')));
  t.match(full.becomes, /^exclusive/);
  t.match(full.reason, /every slot for it is taken \(whenFull: wholeGpu\)/);
  const waits = outcome({ ...world(holder('a', 'mps'), holder('b', 'mps')), configuration: {} });
  t.match(waits.becomes, /^mps/, 'by default it waits');
});

tap.test('the same of time-slices, and of a mode that the pod named', async (t) => {
  const sliced = timeSlicingNode({ name: 'sliced', gpus: 1, replicas: 2 });
  const pods = [holder('a', 'sliced'), holder('b', 'sliced')];
  const world = { nodes: [sliced, WHOLE], pods, configuration: WHOLE_GPU };
  t.match(outcome(world, undefined, { labels: { 'workload-type': 'development' } }).becomes, /^exclusive/);
  const named = outcome(world, undefined, { annotations: { 'sharing-mode': 'timeslicing' } });
  t.match(named.becomes, /^exclusive/);
  t.match(named.reason, /was asked for, but every slot for it is taken/);
});

tap.test('slots that were promised a moment ago are taken', async (t) => {
  const { admission } = stateOf({ nodes: [MPS, WHOLE], pods: [], configuration: WHOLE_GPU });
  const becomes = [1, 2, 3].map(() => {
    const result = evaluateAdmission(podOf(INFERENCE), 'team', admission.view());
    if (!result.ok) return 'error';
    const { decision } = result;
    if (decision.action === 'share') admission.promise(decision.resource, decision.mode, result.user);
    return short(decision).split(' ')[0];
  });
  t.strictSame(becomes, ['mps', 'mps', 'exclusive']);
});

tap.test('a daemon that pods of another user were promised, and do not hold yet, serves no second one', async (t) => {
  const becomes = (nodes: readonly object[], users: readonly number[]) => {
    const { admission } = stateOf({ nodes, pods: [] });
    return users.map((user) => {
      const pod = podOf({ ...INFERENCE, spec: specOf(user) });
      const result = evaluateAdmission(pod, 'team', admission.view());
      if (!result.ok) return 'error';
      const { decision } = result;
      if (decision.action === 'share') admission.promise(decision.resource, decision.mode, result.user);
      return short(decision).split(' ')[0];
    });
  };
  t.strictSame(becomes([MPS, WHOLE], [0, 1000, 0]), ['mps', 'exclusive', 'mps']);
  const second = mpsNode({ name: 'mps-2', gpus: 1, replicas: 2 });
  t.strictSame(becomes([MPS, second, WHOLE], [0, 1000, 7, 1000]), ['mps', 'mps', 'exclusive', 'mps']);
  t.strictSame(becomes([MPS], [0, 1000]), ['mps', 'mps'], 'where no GPU is whole, it waits for a daemon');
});

tap.test('slots that could be made count as free while a node for them is idle', async (t) => {
  const configuration = { sharing: { whenFull: 'wholeGpu', mps: { autoConfig: true } } };
  t.match(outcome({ nodes: [WHOLE], pods: [], configuration }).becomes, /^mps/);
  const busy = storedPod({ name: 'b', uid: 'b', nodeName: 'whole', resources: { 'nvidia.com/gpu': '1' } });
  t.match(outcome({ nodes: [WHOLE], pods: [busy], configuration }).becomes, /^exclusive/);
});

tap.test('a server that tells its share of the memory takes a slot of that size', async (t) => {
  const server = (...args: string[]) => ({
    spec: {
      containers: [{ name: 'main', image: 'vllm/vllm-openai', args, resources: { limits: { 'nvidia.com/gpu': '1' } } }],
    },
    metadata: { ownerReferences: [{ kind: 'ReplicaSet', name: 'r', controller: true }] },
  });
  const nodes = [
    mpsNode({ name: 'fine', gpus: 1, replicas: 8 }),
    mpsNode({ name: 'coarse', gpus: 1, replicas: 2 }),
    WHOLE,
  ];
  const becomes = (parts: object) => {
    const { becomes, reasons } = judged(podOf(parts), { nodes });
    return `${becomes}: ${reasons.find((each) => /MPS/.test(each))}`;
  };
  t.match(
    becomes(server('--gpu-memory-utilization=0.4')),
    /^mps .*inference with 40% of a GPU's memory by its flag takes a slot of 1\/2 GPU/,
  );
  t.match(becomes(server('--gpu-memory-utilization=0.1')), /^mps .*takes a slot of 1\/8 GPU/);
  t.match(becomes(server('--gpu-memory-utilization=0.95')), /^exclusive.*no node offers a slot/);
  t.match(becomes(server()), /^exclusive: skipped MPS: it only looks like inference/);
  const labelled = podOf({
    ...server('--gpu-memory-utilization=0.95'),
    metadata: { labels: { 'gpu-autoscaler.io/workload-type': 'inference' } },
  });
  t.match(judged(labelled, { nodes }).becomes, /^mps/, 'by label it takes its share of a slot');
});

tap.test('no slot is promised on a GPU that stays whole for cluster-autoscaler', async (t) => {
  const labels = { 'k8s.amazonaws.com/accelerator': 'nvidia-tesla-a100' };
  const configuration = { sharing: { mps: { autoConfig: true }, mig: { autoConfig: true } } };
  const becomes = (gpus: number, wishes: object, more: object = {}) =>
    judged(podOf(wishes), {
      nodes: [exclusiveNode({ name: 'n', gpus, labels })],
      configuration: { ...configuration, ...more },
    }).becomes;
  const small = { annotations: { 'gpu-memory': '4Gi' } };
  t.match(becomes(2, INFERENCE), /^exclusive/, 'sharing would be of all of them');
  t.match(becomes(2, small), /^mig/, 'an instance fits beside it');
  t.match(becomes(1, small), /^exclusive/);
  const reconciler = { planner: { keepWholeGpu: false } };
  t.match(becomes(1, INFERENCE, { reconciler }), /^mps/, 'unless it need not');
});

tap.test('an idle node is as many slots as could be made of it, and no more', async (t) => {
  const configuration = { sharing: { whenFull: 'wholeGpu', mps: { autoConfig: true, maxClients: 4 } } };
  const { admission } = stateOf({ nodes: [WHOLE], pods: [], configuration });
  const becomes = Array.from({ length: 6 }, () => {
    const result = evaluateAdmission(podOf(INFERENCE), 'team', admission.view());
    if (!result.ok) return 'error';
    const { decision } = result;
    if (decision.action === 'share') admission.promise(decision.resource, decision.mode, 0);
    return short(decision).split(' ')[0];
  });
  t.strictSame(becomes, ['mps', 'mps', 'mps', 'mps', 'exclusive', 'exclusive']);
});
