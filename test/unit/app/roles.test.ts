/** Roles in one process share one runtime: each kind is watched once, and what one learns all know. Tests also `runtime.ts`. */

import tap from 'tap';
import { type Role, type RunningRole, startRoles } from '#src/app/roles.ts';
import type { Kind, Runtime } from '#src/app/runtime.ts';
import { systemClock } from '#src/kube/clock.ts';
import { createLogger } from '#src/telemetry/logger.ts';
import { waitFor } from '../../cluster/wait.ts';
import { FakeApiServer } from '../../fakes/api-server.ts';

const log = createLogger('test', 'silent');

function roleOf(name: string, kinds: readonly Kind[], seen: Map<string, Runtime>): Role {
  return {
    name,
    kinds,
    async start(runtime): Promise<RunningRole> {
      seen.set(name, runtime);
      return { url: name, ready: runtime.reflectors.synced(kinds), close: async () => {} };
    },
  };
}

tap.test('each kind is listed and watched once, whoever needs it, and no other kind is', async (t) => {
  const server = await FakeApiServer.start(t);
  const seen = new Map<string, Runtime>();
  const { running, close } = await startRoles<[RunningRole, RunningRole, RunningRole]>(
    { kubeConfig: server.kubeConfig, log, random: () => 0.5, clock: systemClock },
    roleOf('one', ['nodes', 'pods'], seen),
    roleOf('two', ['nodes'], seen),
    roleOf('three', ['pods', 'nodes'], seen),
  );
  t.teardown(close);
  await Promise.all(running.map(({ ready }) => ready));
  const watches = (path: string) =>
    server.requests.filter((request) => request.startsWith(`GET ${path}?watch=`)).length;
  await waitFor('both are watched', () => watches('/api/v1/nodes') > 0 && watches('/api/v1/pods') > 0);
  t.same([watches('/api/v1/nodes'), watches('/api/v1/pods')], [1, 1]);
  t.ok(
    server.requests.every((request) => /\/api\/v1\/(nodes|pods)\?/.test(request)),
    'nothing else is asked for',
  );
  t.equal(seen.get('one')?.state, seen.get('three')?.state);
});

tap.test('a role that cannot start ends those that have', async (t) => {
  const server = await FakeApiServer.start(t);
  let closed = 0;
  const good: Role = {
    name: 'good',
    kinds: ['nodes'],
    start: async () => ({
      url: '',
      ready: Promise.resolve(),
      async close() {
        closed += 1;
      },
    }),
  };
  const bad: Role = { name: 'bad', kinds: [], start: () => Promise.reject(new Error('the address is taken')) };
  const options = { kubeConfig: server.kubeConfig, log, random: () => 0.5, clock: systemClock };
  await t.rejects(startRoles<[RunningRole, RunningRole]>(options, good, bad), { message: 'the address is taken' });
  t.equal(closed, 1);
  t.same(server.requests, [], 'nothing was listed');
});
