/** What is asked of the API server for an eviction, and what its answers mean. */

import tap from 'tap';
import { KubeError } from '#src/kube/kube-client.ts';
import { evict } from '#src/reconciler/evict.ts';
import { FakeApi } from './fake-api.ts';

const POD = { namespace: 'team', name: 'p', uid: 'u' };

tap.test('the very pod is evicted, and no other of its name', async (t) => {
  const api = new FakeApi();
  t.equal(await evict(api, POD, () => true), undefined);
  t.strictSame(api.posted, [
    {
      path: '/api/v1/namespaces/team/pods/p/eviction',
      body: {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { namespace: 'team', name: 'p' },
        deleteOptions: { preconditions: { uid: 'u' } },
      },
    },
  ]);
});

tap.test('what the answers mean', async (t) => {
  const answers: readonly [status: number | undefined, message: string | undefined][] = [
    [404, undefined],
    [409, undefined],
    [429, 'planned'],
    [403, 'planned'],
  ];
  for (const [status, message] of answers) {
    const api = new FakeApi();
    api.faults.push({ on: /eviction$/, status });
    t.equal(await evict(api, POD, () => true), message, String(status));
  }
  for (const status of [500, undefined]) {
    const api = new FakeApi();
    api.faults.push({ on: /eviction$/, status });
    await t.rejects(
      evict(api, POD, () => true),
      KubeError,
      String(status),
    );
  }
});

tap.test('nothing is sent without the Lease', async (t) => {
  const api = new FakeApi();
  await evict(api, POD, () => false);
  t.strictSame(api.calls, []);
});
