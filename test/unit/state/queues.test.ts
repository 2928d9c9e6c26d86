/** From a LocalQueue to what its pods may get. */

import tap from 'tap';
import { evaluateAdmission } from '#src/state/evaluate-admission.ts';
import { Queues } from '#src/state/queues.ts';
import { short } from '../core/admission/make.ts';
import { type PodParts, podOf, stateOf } from './evaluating.ts';

const GPU = 'nvidia.com/gpu';
const SHARED = 'nvidia.com/gpu.shared';
const localQueue = (name: string, clusterQueue: string, namespace = 'team') => ({
  metadata: { name, namespace },
  spec: { clusterQueue },
});
const clusterQueue = (name: string, ...resources: string[]) => ({
  metadata: { name },
  spec: {
    resourceGroups: [
      {
        coveredResources: resources,
        flavors: [{ name: 'f', resources: resources.map((name) => ({ name, nominalQuota: '8' })) }],
      },
    ],
  },
});

tap.test('a ClusterQueue is found by the LocalQueue of a namespace, whichever came first', async (t) => {
  const queues = new Queues();
  queues.localQueues.update(localQueue('q', 'c'));
  t.equal(queues.clusterQueueOf('team', 'q'), undefined);
  queues.clusterQueues.update(clusterQueue('c', GPU));
  t.match(queues.clusterQueueOf('team', 'q'), { name: 'c', grants: [GPU] });
  t.equal(queues.clusterQueueOf('other', 'q'), undefined);
  queues.localQueues.update({ metadata: { name: 'q', namespace: 'team' }, spec: {} });
  t.equal(queues.clusterQueueOf('team', 'q'), undefined, 'one that cannot be read');
  queues.localQueues.update(localQueue('q', 'c'));
  queues.localQueues.delete({ metadata: { name: 'q', namespace: 'team' } });
  queues.clusterQueues.delete({ metadata: { name: 'c' } });
  t.strictSame([queues.localQueues.size, queues.clusterQueues.size], [0, 0]);
});

/** What becomes of the pod of a queue, and the last word of the trail. */
function judged(queue: string, parts: PodParts): [becomes: string, why: string | undefined] {
  const { state, admission } = stateOf();
  for (const [name, resources] of Object.entries({
    all: [GPU, SHARED, 'nvidia.com/mig-3g.20gb'],
    whole: ['cpu', GPU],
  })) {
    state.queues.localQueues.update(localQueue(name, name));
    state.queues.clusterQueues.update(clusterQueue(name, ...resources));
  }
  const metadata = { labels: { 'kueue.x-k8s.io/queue-name': queue, ...parts.metadata } };
  const result = evaluateAdmission(podOf({ ...parts, metadata }), 'team', admission.view());
  return result.ok ? [short(result.decision), result.decision.reasons.at(-1)] : ['error', result.faults[0]];
}
const TYPE = 'gpu-autoscaler.io/workload-type';
const inference = { metadata: { [TYPE]: 'inference' } };
const memory = (size: string) => ({ annotations: { 'gpu-memory': size } });

tap.test('a pod of a queue gets what its ClusterQueue has, and nothing else', async (t) => {
  t.strictSame(judged('all', inference)[0], 'mps gpu.shared');
  t.strictSame(judged('all', memory('4Gi'))[0], 'mig mig-3g.20gb', 'the smaller profiles are not covered');
  t.strictSame(judged('whole', inference), [
    'exclusive',
    'kueue.x-k8s.io/queue-name: ClusterQueue whole has no quota for slots of shared GPUs: it keeps a whole GPU',
  ]);
  t.match(judged('unknown', inference), ['exclusive', /Kueue counts what it asked for: it keeps a whole GPU/]);
});

tap.test('its author is told where a wish is not covered', async (t) => {
  const wish = { annotations: { 'mig-profile': '1g.5gb' } };
  t.match(judged('all', wish), [
    'exclusive',
    /MIG profile 1g\.5gb was asked for, but its ClusterQueue has no quota for such slots: it keeps a whole GPU/,
  ]);
});
