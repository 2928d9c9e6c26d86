/** A reflector of three nodes of a fake API server, and what it tells. */

import type { Test } from 'tap';
import { KubeClient } from '#src/kube/kube-client.ts';
import { Reflector, type ReflectorOptions } from '#src/kube/reflector.ts';
import { waitFor } from '../../cluster/wait.ts';
import { FakeApiServer } from '../../fakes/api-server.ts';
import type { StoredObject } from '../../fakes/object-store.ts';

export const LIST = /^GET .*limit=/;
export const WATCH = /^GET .*watch=/;
export const ALWAYS = Number.POSITIVE_INFINITY;

export interface SetUpOptions extends Partial<Omit<ReflectorOptions, 'store'>> {
  /** In place of taking note. */
  readonly changed?: (object: unknown) => void;
  /** How long the client bears silence, whatever the reflector asks for. */
  readonly idleMs?: number;
}

/** Three nodes in pages of two, and a reflector that keeps a copy of them, not started. */
export async function setUp(t: Test, { idleMs = 5_000, changed, ...options }: SetUpOptions = {}) {
  const server = await FakeApiServer.start(t);
  const raw = new KubeClient(server.kubeConfig);
  const client: ReflectorOptions['client'] = {
    json: (method, path, call) => raw.json(method, path, { ...call, idleMs }),
    stream: (method, path, call) => raw.stream(method, path, { ...call, idleMs }),
  };
  /** name → version, by what was told. */
  const copy = new Map<string, string>();
  /** `a@101`, `-a@104`, `[2]`, as it was told. */
  const told: string[] = [];
  const logged: Record<string, unknown>[] = [];
  const meta = (object: unknown) => (object as StoredObject).metadata;
  const reflector = new Reflector({
    client,
    path: '/api/v1/nodes',
    store: {
      replace: () => {
        const listed: [string, string][] = [];
        return {
          add: (objects) => {
            for (const object of objects) listed.push([meta(object).name, meta(object).resourceVersion]);
          },
          finish: () => {
            told.push(`[${listed.length}]`);
            copy.clear();
            for (const [name, version] of listed) copy.set(name, version);
          },
        };
      },
      update: (object) => {
        if (changed) return changed(object);
        told.push(`${meta(object).name}@${meta(object).resourceVersion}`);
        copy.set(meta(object).name, meta(object).resourceVersion);
      },
      delete: (object) => {
        told.push(`-${meta(object).name}@${meta(object).resourceVersion}`);
        copy.delete(meta(object).name);
      },
      forgetVersions: () => void told.push('versions forgotten'),
    },
    log: (_message, details) => void logged.push(details),
    random: () => 0.5,
    pageSize: 2,
    ...options,
  });
  t.teardown(async () => {
    await reflector.stop();
    raw.close();
  });
  const put = (name: string, labels?: object) =>
    server.store.put('nodes', { metadata: { name, ...labels } }).metadata.resourceVersion;
  for (const name of ['a', 'b', 'c']) put(name);
  const truth = () => {
    const { items } = server.store.list('nodes', undefined, 0, null)[1] as { items: StoredObject[] };
    return new Map(items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
  };
  const caughtUp = () =>
    waitFor('the copy is as the API server has it', () => JSON.stringify([...copy]) === JSON.stringify([...truth()]), {
      timeoutMs: 10_000,
      everyMs: 10,
    });
  const watching = (times: number) =>
    waitFor(`watch ${times}`, () => server.count(WATCH) >= times && server.store.watchers.size > 0, { everyMs: 5 });
  return { server, reflector, put, copy, told, logged, caughtUp, watching };
}

/** The version that each watch began at. */
export function watchedFrom(server: FakeApiServer): (string | null)[] {
  const watches = server.requests.filter((request) => WATCH.test(request));
  return watches.map((request) => new URL(request.slice(4), 'https://127.0.0.1').searchParams.get('resourceVersion'));
}
