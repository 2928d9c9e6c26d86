/** Nodes and pods in memory, with versions, a history to watch, lists in pages, and Bindings. Knows nothing of HTTP. */

export type Kind = 'nodes' | 'pods';

export interface Manifest {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly [field: string]: unknown;
  };
  readonly spec?: { readonly nodeName?: string; readonly [field: string]: unknown };
  readonly [part: string]: unknown;
}

export type StoredObject = Manifest & { readonly metadata: { readonly uid: string; readonly resourceVersion: string } };

export interface Binding extends Manifest {
  readonly target: { readonly name: string };
}

export interface Change {
  readonly version: number;
  readonly kind: Kind;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: Manifest | { readonly metadata: object };
}

/** HTTP status and body. */
export type Reply = readonly [status: number, body: object];

const KINDS = { nodes: 'Node', pods: 'Pod' } as const;
const REASONS: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
};

export class ObjectStore {
  version = 100;
  /** The past from here on is known. */
  oldest = 0;
  readonly history: Change[] = [];
  readonly watchers = new Set<(change: Change) => void>();
  readonly #objects = { nodes: new Map<string, StoredObject>(), pods: new Map<string, StoredObject>() };
  /** Lists that were cut into pages, by version. */
  readonly #snapshots = new Map<number, readonly StoredObject[]>();

  get(kind: Kind, key: string): StoredObject | undefined {
    return this.#objects[kind].get(key);
  }

  /** Creates an object, or replaces the one of its name. */
  put(kind: Kind, manifest: Manifest): StoredObject {
    const key = keyOf(manifest.metadata);
    const earlier = this.get(kind, key);
    this.version += 1;
    const uid = manifest.metadata.uid ?? earlier?.metadata.uid ?? crypto.randomUUID();
    const metadata = { ...manifest.metadata, uid, resourceVersion: String(this.version) };
    const stored = { ...manifest, metadata };
    this.#objects[kind].set(key, stored);
    this.#tell({ version: this.version, kind, type: earlier ? 'MODIFIED' : 'ADDED', object: stored });
    return stored;
  }

  remove(kind: Kind, key: string): void {
    const stored = this.get(kind, key);
    if (!stored) return;
    this.version += 1;
    this.#objects[kind].delete(key);
    const object = { ...stored, metadata: { ...stored.metadata, resourceVersion: String(this.version) } };
    this.#tell({ version: this.version, kind, type: 'DELETED', object });
  }

  /** Forgets the past: earlier versions and lists under way have expired. */
  compact(): void {
    this.oldest = this.version;
    this.history.length = 0;
    this.#snapshots.clear();
  }

  /** What tells a watch how far it has come. */
  bookmark(kind: Kind): Change {
    const metadata = { resourceVersion: String(this.version) };
    return { version: this.version, kind, type: 'BOOKMARK', object: { metadata } };
  }

  /** All of a kind in a namespace (all if undefined); the cursor is that of an earlier page. */
  list(kind: Kind, namespace: string | undefined, limit: number, cursor: string | null): Reply {
    const [version = this.version, start = 0] = cursor?.split('.').map(Number) ?? [];
    const all = cursor === null ? this.#inside(kind, namespace) : this.#snapshots.get(version);
    if (!all) return refusal(410, 'The provided continue parameter is too old');
    const end = start + (limit || all.length);
    const more = end < all.length;
    if (more) this.#snapshots.set(version, all);
    const next = more && { continue: `${version}.${end}`, remainingItemCount: all.length - end };
    return [200, { metadata: { resourceVersion: String(version), ...next }, items: all.slice(start, end) }];
  }

  create(kind: Kind, namespace: string | undefined, manifest: Manifest): Reply {
    const metadata = { ...manifest.metadata, ...(namespace && { namespace }) };
    if (this.get(kind, keyOf(metadata))) return refusal(409, `${kind} "${metadata.name}" already exists`);
    return [201, typed(kind, this.put(kind, { status: { phase: 'Pending' }, ...manifest, metadata }))];
  }

  bind(key: string, { metadata, target }: Binding): Reply {
    const pod = this.get('pods', key);
    if (!pod) return refusal(404, `pods "${metadata.name}" not found`);
    const { uid, annotations, deletionTimestamp } = pod.metadata;
    if (metadata.uid && metadata.uid !== uid) return refusal(409, 'Precondition failed: UID');
    if (deletionTimestamp) return refusal(409, 'the pod is being deleted, cannot be assigned to a host');
    if (pod.spec?.nodeName) return refusal(409, `the pod is already assigned to node "${pod.spec.nodeName}"`);
    this.put('pods', {
      ...pod,
      metadata: { ...pod.metadata, annotations: { ...annotations, ...metadata.annotations } },
      spec: { ...pod.spec, nodeName: target.name },
    });
    return [201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }];
  }

  #inside(kind: Kind, namespace: string | undefined): StoredObject[] {
    return [...this.#objects[kind].values()].filter(({ metadata }) => !namespace || metadata.namespace === namespace);
  }

  #tell(change: Change): void {
    this.history.push(change);
    for (const tell of this.watchers) tell(change);
  }
}

/** Kubernetes's Status for a call that did not succeed. */
export function refusal(code: number, message: string): Reply {
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure' };
  return [code, { ...status, message, reason: REASONS[code], code }];
}

/** Lists leave out what kind their items are; everything else says it. */
export function typed(kind: Kind, object: object): object {
  return { kind: KINDS[kind], apiVersion: 'v1', ...object };
}

export function keyOf({ name, namespace }: { readonly name: string; readonly namespace?: string | undefined }): string {
  return namespace ? `${namespace}/${name}` : name;
}
