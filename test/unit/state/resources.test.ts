/** Amounts of cpu and memory: what is asked for is rounded up, and what there is down. */

import tap from 'tap';
import { allocatableResources, requestedResources } from '#src/state/resources.ts';

tap.test('the effective request: init containers peak, sidecars stay; a limit alone is a request', async (t) => {
  const container = (cpu: string, more: object = {}) => ({ name: 'c', resources: { requests: { cpu } }, ...more });
  const spec = {
    initContainers: [container('3'), container('500m', { restartPolicy: 'Always' })],
    containers: [container('1'), { name: 'd', resources: { limits: { cpu: '1', memory: '2Gi' } } }],
  };
  t.same(requestedResources({ spec }), { cpu: 3_000, memory: 2_048, pods: 1 });
});

tap.test('requests are rounded up, allocatable down: in doubt there is too little room, never too much', async (t) => {
  const amounts: Record<string, string> = { cpu: '1500u', memory: '1572865', pods: '10' };
  const spec = { containers: [{ name: 'c', resources: { requests: amounts } }] };
  t.same(requestedResources({ spec }), { cpu: 2, memory: 2, pods: 1 });
  t.same(allocatableResources(amounts), { cpu: 1, memory: 1, pods: 10 });
});

tap.test('what is absent, negative or no quantity is nothing', async (t) => {
  t.same(allocatableResources({}), { cpu: 0, memory: 0, pods: 0 });
  t.same(allocatableResources({ cpu: '-1', memory: 'much', pods: '' }), { cpu: 0, memory: 0, pods: 0 });
});
