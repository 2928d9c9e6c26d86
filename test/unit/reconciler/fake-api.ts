/** Objects as an API server keeps them, by path: patches, versions and 409s. No watch: tests tell what has changed. */

import { KubeError } from '#src/kube/kube-client.ts';

type Json = Record<string, unknown>;
interface Stored extends Json {
  metadata: Json & { resourceVersion: string };
}

export class FakeApi {
  readonly objects = new Map<string, Stored>();
  /** `PATCH /api/v1/nodes/a`, in the order they came. */
  readonly calls: string[] = [];
  /** Bodies of POSTs, by path. */
  readonly posted: { readonly path: string; readonly body: Json }[] = [];
  /** What the next calls of that `METHOD path` meet. */
  readonly faults: { readonly on: RegExp; readonly status: number | undefined }[] = [];
  /** Happens before each call is answered; the answer waits for what it returns. */
  before: (call: string) => void | Promise<void> = () => {};
  #version = 100;

  readonly json = async (
    method: string,
    path: string,
    { body, contentType, maySend }: { body?: unknown; contentType?: string; maySend?: () => boolean } = {},
  ): Promise<unknown> => {
    if (maySend && !maySend()) throw new KubeError('not sent', 403);
    const call = `${method} ${path}`;
    this.calls.push(call);
    await this.before(call);
    const fault = this.faults.findIndex(({ on }) => on.test(call));
    if (fault >= 0) {
      const [met] = this.faults.splice(fault, 1);
      throw new KubeError('planned', met?.status);
    }
    if (method === 'POST') return this.#post(path, body as Json);
    const owner = path.replace(/\/status$/, '');
    const stored = this.objects.get(owner);
    if (!stored) throw new KubeError(`not found: ${path}`, 404);
    if (method === 'GET') return structuredClone(stored);
    const { resourceVersion } = ((body as Json).metadata ?? {}) as { resourceVersion?: string };
    if (resourceVersion !== undefined && resourceVersion !== stored.metadata.resourceVersion)
      throw new KubeError('conflict', 409);
    if (contentType === 'application/json-patch+json') {
      const [{ value }] = body as [{ value: unknown }];
      return this.put(owner, { ...stored, status: value });
    }
    return this.put(owner, merged(stored, body as Json) as Json);
  };

  put(path: string, object: object): Stored {
    this.#version += 1;
    const { metadata } = object as { metadata?: Json };
    const stored = {
      ...(structuredClone(object) as Json),
      metadata: { ...metadata, resourceVersion: String(this.#version) },
    };
    this.objects.set(path, stored);
    return structuredClone(stored);
  }

  get(path: string): Json | undefined {
    return this.objects.get(path);
  }

  count(on: RegExp): number {
    return this.calls.filter((call) => on.test(call)).length;
  }

  #post(path: string, body: Json): unknown {
    this.posted.push({ path, body });
    const { name } = body.metadata as { name: string };
    if (this.objects.has(`${path}/${name}`)) throw new KubeError('exists', 409);
    return path.endsWith('/eviction') ? {} : this.put(`${path}/${name}`, body);
  }
}

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Json = { ...(typeof target === 'object' && target !== null ? (target as Json) : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}
