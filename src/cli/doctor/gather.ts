/** What can be seen of a cluster, live or in a snapshot: only GETs, and what cannot be looked at comes with its reason. */

import { z } from 'zod';
import { formatIssues } from '../../api/kubernetes.ts';
import { type KubeClient, KubeError } from '../../kube/kube-client.ts';
import { listAll } from '../../kube/list.ts';
import { ClusterState } from '../../state/cluster-state.ts';
import { HOOK_NAME } from '../../webhook/configuration.ts';
import { takeAll } from '../decide/cluster.ts';
import type { Manifest } from '../decide/manifests.ts';
import { say } from '../input.ts';
import type { Seen } from './check.ts';
import { KINDS, type KindInfo, type ObjectKind, type Place } from './kinds.ts';
import type { Kind, Observations, Webhook } from './observations.ts';

/** Something that was seen, or why it was not. */
type Glimpse<T> = { readonly seen: true; readonly value: T } | { readonly seen: false; readonly why: string };

/** Where objects come from. */
export interface Source {
  nodes(state: ClusterState): Promise<Glimpse<undefined>>;
  objects(kind: KindInfo<unknown>, place: Place): Promise<Glimpse<readonly unknown[]>>;
  clock(): Promise<Glimpse<Observations['clock']>>;
}

export interface Gathered {
  readonly seen: Seen;
  /** Why the others were not looked at. */
  readonly unseen: ReadonlyMap<Kind, string>;
}

/** @throws KubeError for a cluster that cannot be asked at all */
export async function gather(source: Source, systemNamespace: string): Promise<Gathered> {
  const seen: { [K in Kind]?: Observations[K] } = {};
  const unseen = new Map<Kind, string>();
  const take = <K extends Kind>(kind: K, glimpse: Glimpse<Observations[K]>) => {
    if (glimpse.seen) seen[kind] = glimpse.value;
    else unseen.set(kind, glimpse.why);
  };
  take('clock', await source.clock());
  const state = new ClusterState((why, details) => say(`${why}: ${JSON.stringify(details)}`));
  const nodes = await source.nodes(state);
  take('nodes', nodes.seen ? { seen: true, value: [...state.nodes.values()] } : nodes);
  const webhooks = await read('webhooks', source, { systemNamespace, webhookServices: [] });
  take('webhooks', webhooks);
  const place = { systemNamespace, webhookServices: webhooks.seen ? servicesOf(webhooks.value) : [] };
  const rest = (Object.keys(KINDS) as ObjectKind[]).filter((kind) => kind !== 'webhooks');
  await Promise.all(
    rest.map(async <K extends ObjectKind>(kind: K) => {
      take(kind, await read(kind, source, place));
    }),
  );
  return { seen, unseen };
}

function servicesOf(webhooks: readonly Webhook[]) {
  return webhooks.flatMap(({ name, service }) => (name === HOOK_NAME && service ? [service] : []));
}

async function read<K extends ObjectKind>(kind: K, source: Source, place: Place): Promise<Glimpse<Observations[K]>> {
  // The same kind on both sides, which TypeScript does not see through the index.
  const info = KINDS[kind] as KindInfo<Observations[K][number]>;
  const glimpse = await source.objects(info, place);
  if (!glimpse.seen) return glimpse;
  const value = glimpse.value.flatMap((object) => {
    const parsed = info.schema.safeParse(object);
    if (parsed.success) return parsed.data;
    say(`one of the ${info.title} cannot be read and is left out: ${formatIssues(parsed.error)}`);
    return [];
  });
  return { seen: true, value: value as unknown as Observations[K] };
}

const namedSchema = z.looseObject({
  apiVersion: z.string().default(''),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});

/** A snapshot has what was saved into it: a kind of which it has no object may be there all the same. */
export class SnapshotSource implements Source {
  readonly #objects: readonly unknown[];

  constructor(manifests: readonly Manifest[]) {
    this.#objects = manifests.map(({ object }) => object);
  }

  async nodes(state: ClusterState): Promise<Glimpse<undefined>> {
    const nodes = this.#of({ group: '', kind: 'Node' });
    for (const node of nodes) state.nodes.update(node);
    return nodes.length > 0 ? { seen: true, value: undefined } : NOT_SAVED;
  }

  async objects(kind: KindInfo<unknown>): Promise<Glimpse<readonly unknown[]>> {
    const value = this.#of(kind);
    return value.length > 0 ? { seen: true, value } : NOT_SAVED;
  }

  async clock(): Promise<Glimpse<never>> {
    return { seen: false, why: 'a snapshot has none' };
  }

  #of({ group, kind, names }: Pick<KindInfo<unknown>, 'group' | 'kind' | 'names'>): unknown[] {
    return this.#objects.filter((object) => {
      const parsed = namedSchema.safeParse(object);
      if (!parsed.success || parsed.data.kind !== kind) return false;
      const [groupOf = '', version] = parsed.data.apiVersion.split('/');
      return (version === undefined ? '' : groupOf) === group && (names?.includes(parsed.data.metadata.name) ?? true);
    });
  }
}

const NOT_SAVED = { seen: false, why: 'not in the snapshot' } as const;

const listSchema = z.looseObject({ items: z.array(z.unknown()) });

/** A live cluster, as far as the user may look. */
export class LiveSource implements Source {
  readonly #client: Pick<KubeClient, 'json' | 'stream'>;
  readonly #now: () => number;

  /** @param now ms since the epoch by this machine's clock */
  constructor(client: Pick<KubeClient, 'json' | 'stream'>, now: () => number) {
    this.#client = client;
    this.#now = now;
  }

  nodes(state: ClusterState): Promise<Glimpse<undefined>> {
    return looked(async () => void (await takeAll(state.nodes, this.#client, '/api/v1/nodes')));
  }

  objects({ lists = [], objects }: KindInfo<unknown>, place: Place): Promise<Glimpse<readonly unknown[]>> {
    return looked(async () => {
      const found: unknown[] = [];
      for (const path of objects?.(place) ?? []) {
        const reply = await orAbsent(this.#client.json('GET', path));
        if (reply !== undefined) found.push(...(listSchema.safeParse(reply).data?.items ?? [reply]));
      }
      for (const path of lists) {
        const listed = await orAbsent(listAll(this.#client, path));
        // A version that is not served: an older one may be.
        if (listed) return listed;
      }
      return found;
    });
  }

  clock(): Promise<Glimpse<Observations['clock']>> {
    return looked(async () => {
      // The first call reads credentials and opens the connection.
      await this.#client.json('GET', '/version');
      const sent = this.#now();
      const reply = await this.#client.stream('GET', '/version');
      const received = this.#now();
      reply.resume();
      const date = Date.parse(reply.headers.date ?? '');
      if (Number.isNaN(date)) throw new KubeError('its replies have no Date header', 200);
      // The header has whole seconds, rounded down.
      const serverNow = date + 500;
      return { aheadMs: (sent + received) / 2 - serverNow, uncertaintyMs: 500 + (received - sent) / 2 };
    });
  }
}

/** What is not served, or not there, is absent; that is an answer. */
async function orAbsent<T>(reply: Promise<T>): Promise<T | undefined> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  }
}

/** @throws KubeError for a cluster that does not answer, or does not know the user: there is nothing to look at */
async function looked<T>(look: () => Promise<T>): Promise<Glimpse<T>> {
  try {
    return { seen: true, value: await look() };
  } catch (error) {
    if (error instanceof z.ZodError) return { seen: false, why: `the reply is no list: ${formatIssues(error)}` };
    if (!(error instanceof KubeError) || error.status === undefined || error.status === 401) throw error;
    return { seen: false, why: error.status === 403 ? 'forbidden' : error.message };
  }
}
