/** preempt: pods are evicted only where that helps. */

import tap from 'tap';
import { makeExtender } from '../../fakes/extender.ts';
import { exclusiveNode, migNode, mpsNode } from '../../objects/nodes.ts';
import { gpuPod, livePod } from '../../objects/pods.ts';

const NODES = [
  mpsNode({ name: 'large', gpus: 1, replicas: 4 }),
  mpsNode({ name: 'small', gpus: 1, replicas: 8 }),
  exclusiveNode({ name: 'whole', gpus: 1 }),
  migNode({ name: 'mig', gpus: 1, layout: { '1g.5gb': 7 } }),
];
const SHARED = { 'nvidia.com/gpu.shared': 1 };
const victims = (...uids: string[]) => ({ Pods: uids.map((UID) => ({ UID })), NumPDBViolations: uids.length - 1 });
const CANDIDATES = {
  large: victims('a', 'b'),
  small: victims('c'),
  whole: victims('d'),
  mig: victims('e'),
  nobody: victims('f'),
};

async function left(pod: object, full: readonly string[] = []): Promise<object> {
  const { server, state } = makeExtender({ nodes: NODES });
  for (const nodeName of full) {
    const holder = gpuPod({ name: `on-${nodeName}`, resources: { 'nvidia.com/gpu.shared': 8 } });
    state.pods.update(livePod(holder, `uid-${nodeName}`, { nodeName }));
  }
  const payload = { Pod: pod, NodeNameToVictims: null, NodeNameToMetaVictims: CANDIDATES };
  const reply = await server.inject({ method: 'POST', url: '/preempt', payload });
  return reply.json().NodeNameToMetaVictims;
}

tap.test('a full node stays a candidate, with its victims as they came', async (t) => {
  const { large, small } = CANDIDATES;
  t.same(await left(gpuPod({ name: 'p', resources: SHARED }), ['large', 'small']), { large, small });
});

tap.test('a node that is wrong for the pod is none, full or not', async (t) => {
  const { large, whole } = CANDIDATES;
  const annotations = { 'gpu-autoscaler.io/gpu-memory': '8Gi' };
  const pod = gpuPod({ name: 'p', resources: SHARED, annotations });
  for (const full of [[], ['large', 'small']]) t.same(await left(pod, full), { large });
  t.same(await left(gpuPod({ name: 'p', gpus: 1 })), { whole });
});

tap.test('a node that has fewer slots than the pod asks for is none', async (t) => {
  t.same(await left(gpuPod({ name: 'p', gpus: 2 })), {});
});

tap.test('for a pod that asks for none, all stay', async (t) => {
  t.same(await left(gpuPod({ name: 'p', gpus: 0 })), CANDIDATES);
});

tap.test('what is not by names is refused', async (t) => {
  const { server } = makeExtender({ nodes: NODES });
  const Pod = gpuPod({ name: 'p', gpus: 1 });
  const said = async (payload: object) => (await server.inject({ method: 'POST', url: '/preempt', payload })).json();
  t.match(await said({ Pod, NodeNameToVictims: {} }), { code: 'NodeListNotSupported' });
  t.match(await said({ Pod }), { code: 'InvalidEnvelope', message: /NodeNameToMetaVictims/ });
  t.match(await said({ Pod, NodeNameToMetaVictims: { a: {} } }), { code: 'InvalidEnvelope' });
});
