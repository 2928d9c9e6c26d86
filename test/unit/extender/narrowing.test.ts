/** Where nobody else has a say, filter names the strategy's best node alone. */

import tap from 'tap';
import { makeExtender } from '../../fakes/extender.ts';
import { exclusiveNode, mpsNode } from '../../objects/nodes.ts';
import { gpuPod, livePod } from '../../objects/pods.ts';

const NODES = ['node-a', 'node-b', 'node-c'].map((name) => exclusiveNode({ name, gpus: 4 }));
const NAMES = ['node-c', 'node-a', 'node-b'];
const prefers = (name: string) => ({
  affinity: {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 1, preference: { matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }] } },
      ],
    },
  },
});

function extender(nodes: readonly object[] = NODES, narrowing = true) {
  const { server, state } = makeExtender({ nodes, narrowing });
  const ask = async (Pod: object, NodeNames = NAMES) =>
    (await server.inject({ method: 'POST', url: '/filter', payload: { Pod, NodeNames } })).json();
  return { server, state, ask };
}

tap.test('the best node alone, and whoever has no room with the reason', async (t) => {
  const mps = mpsNode({ name: 'mps', gpus: 1, replicas: 4 });
  const { state, ask } = extender([...NODES, mps]);
  state.pods.update(livePod(gpuPod({ name: 'p', gpus: 2 }), 'uid', { nodeName: 'node-b' }));
  t.match(await ask(gpuPod({ name: 'q', gpus: 1 }), [...NAMES, 'mps', 'nobody']), {
    NodeNames: ['node-b'],
    FailedNodes: {},
    FailedAndUnresolvableNodes: { mps: /^WrongMode: /, nobody: /^UnknownNode: / },
    Error: '',
  });
  t.match(await ask(gpuPod({ name: 'q', gpus: 3 })), { NodeNames: ['node-a'], FailedNodes: { 'node-b': /^Insuff/ } });
});

tap.test('only nodes that were asked for are named', async (t) => {
  const { ask } = extender();
  t.match(await ask(gpuPod({ name: 'q', gpus: 1 }), ['node-c', 'node-b']), { NodeNames: ['node-b'] });
  t.match(await ask(gpuPod({ name: 'q', gpus: 1 }), ['node-c']), { NodeNames: ['node-c'] });
  t.match(await ask(gpuPod({ name: 'q', gpus: 1 }), []), { NodeNames: [] });
});

tap.test('a pod that prefers something gets all that fit', async (t) => {
  const { ask } = extender();
  t.match(await ask(gpuPod({ name: 'q', gpus: 1, spec: prefers('node-c') })), { NodeNames: NAMES });
});

tap.test('so does one that some node would rather not have', async (t) => {
  const soft = { spec: { taints: [{ key: 'spot', effect: 'PreferNoSchedule' }] } };
  const { state, ask } = extender([{ ...NODES[0], ...soft }, ...NODES.slice(1)]);
  const tolerations = [{ key: 'spot', operator: 'Exists' }];
  t.match(await ask(gpuPod({ name: 'q', gpus: 1 })), { NodeNames: NAMES });
  t.match(await ask(gpuPod({ name: 'q', gpus: 1, spec: { tolerations } })), { NodeNames: ['node-a'] });
  state.nodes.update(NODES[0]);
  t.match(await ask(gpuPod({ name: 'q', gpus: 1 })), { NodeNames: [/^node-/] }, 'the taint has gone');
  state.nodes.update({ ...NODES[1], ...soft });
  t.match(await ask(gpuPod({ name: 'q', gpus: 1 })), { NodeNames: NAMES });
  state.nodes.delete({ ...NODES[1], ...soft });
  t.match(await ask(gpuPod({ name: 'q', gpus: 1 }), ['node-a', 'node-c']), { NodeNames: [/^node-/] }, 'the node has');
});

tap.test('switched off, all that fit are named', async (t) => {
  const { ask } = extender(NODES, false);
  t.match(await ask(gpuPod({ name: 'q', gpus: 1 })), { NodeNames: NAMES });
});

tap.test('the metrics tell how often', async (t) => {
  const { server, ask } = extender();
  await ask(gpuPod({ name: 'q', gpus: 1 }));
  await ask(gpuPod({ name: 'q', gpus: 1, spec: prefers('node-c') }));
  await ask(gpuPod({ name: 'q', gpus: 5 }));
  const { body } = await server.inject({ url: '/metrics' });
  for (const result of ['narrowed', 'listed', 'none']) {
    t.match(body, `gpu_autoscaler_extender_decisions_total{strategy="bestfit",result="${result}"} 1`);
  }
  t.match(body, 'gpu_autoscaler_extender_class_cache_total{result="hit"} 1');
  t.match(body, 'gpu_autoscaler_extender_class_cache_total{result="miss"} 2');
});
