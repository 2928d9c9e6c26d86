/** One Secret, its Service and one configuration as an API server keeps them: every write must name the version that it replaces. */

import { KubeError } from '#src/kube/kube-client.ts';

interface Stored {
  readonly metadata: { readonly name?: string; readonly resourceVersion: string; readonly uid: string };
  readonly [part: string]: unknown;
}

interface Hook {
  readonly name: string;
  readonly clientConfig: { readonly caBundle?: string };
}

const SERVICE: Stored = { metadata: { name: 'gpu-autoscaler-webhook', resourceVersion: '1', uid: 'service-uid' } };

export class FakeCertificateApi {
  readonly calls: string[] = [];
  /** What the next calls meet: refused, or done without an answer. */
  readonly faults: (number | 'lost reply' | undefined)[] = [];
  readonly #objects = new Map<string, Stored>([['services', SERVICE]]);
  #version = 100;

  /** A client of `ManagedCertificateManager`. */
  readonly json = async (
    method: string,
    path: string,
    { body }: { readonly body?: unknown } = {},
  ): Promise<unknown> => {
    const [collection = '', name] = split(path);
    this.calls.push(`${method} ${collection}`);
    const fault = this.faults.shift();
    if (typeof fault === 'number') throw new KubeError(`a planned ${fault}`, fault);
    const reply = method === 'GET' ? this.#get(collection) : this.#write(method, collection, name, body as Stored);
    if (fault === 'lost reply') throw new KubeError('the reply was lost');
    return reply;
  };

  /** Texts of the Secret; undefined if there is none. */
  get secret(): Readonly<Record<string, string>> | undefined {
    const data = this.#objects.get('secrets')?.data as Readonly<Record<string, string>> | undefined;
    if (!data) return undefined;
    return Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]));
  }

  /** PEM of whom the configuration trusts; undefined if there is no configuration. */
  get caBundle(): string | undefined {
    const [hook] = (this.#objects.get(CONFIGURATIONS)?.webhooks ?? []) as Hook[];
    return hook && Buffer.from(hook.clientConfig.caBundle ?? '', 'base64').toString();
  }

  get configuration(): Stored | undefined {
    return this.#objects.get(CONFIGURATIONS);
  }

  /** As helm does it, or somebody by hand. */
  register(configuration: object): void {
    this.#store(CONFIGURATIONS, configuration);
  }

  /** By hand; undefined removes a key, or the Secret. */
  damage(changes: Readonly<Record<string, string | undefined>> | undefined): void {
    const stored = this.#objects.get('secrets');
    if (!changes || !stored) {
      this.#objects.delete('secrets');
      return;
    }
    const texts = Object.entries({ ...this.secret, ...changes }).flatMap(([key, text]) =>
      text === undefined ? [] : [[key, Buffer.from(text).toString('base64')]],
    );
    this.#store('secrets', { ...stored, data: Object.fromEntries(texts) });
  }

  #get(collection: string): Stored {
    const stored = this.#objects.get(collection);
    if (!stored) throw new KubeError('not found', 404);
    return stored;
  }

  #write(method: string, collection: string, name: string | undefined, body: Stored): Stored {
    const stored = this.#objects.get(collection);
    if (method === 'POST') {
      if (stored) throw new KubeError(`${name} already exists`, 409);
      return this.#store(collection, body);
    }
    if (!stored) throw new KubeError('not found', 404);
    if (stored.metadata.resourceVersion !== body.metadata.resourceVersion) {
      throw new KubeError('somebody else was quicker', 409);
    }
    return this.#store(collection, method === 'PATCH' ? applied(stored, body) : body);
  }

  #store(collection: string, object: object): Stored {
    this.#version += 1;
    const before = this.#objects.get(collection);
    const { metadata } = { metadata: {}, ...object };
    const uid = before?.metadata.uid ?? `uid-${this.#version}`;
    const stored = { ...object, metadata: { ...metadata, uid, resourceVersion: String(this.#version) } };
    this.#objects.set(collection, stored);
    return stored;
  }
}

const CONFIGURATIONS = 'mutatingwebhookconfigurations';

/** `/api/v1/namespaces/n/secrets/s?x` → `secrets`, `s` */
function split(path: string): string[] {
  const [, collection = '', name = ''] =
    /(secrets|services|mutatingwebhookconfigurations)(?:\/([^?]+))?/.exec(path) ?? [];
  return [collection, name];
}

/** A server-side apply to the one webhook that there is. */
function applied(stored: Stored, { webhooks }: Stored): Stored {
  const [before, after] = [stored.webhooks, webhooks].map((list) => (list as Hook[])[0]);
  const clientConfig = { ...before?.clientConfig, ...after?.clientConfig };
  return { ...stored, webhooks: [{ ...before, ...after, clientConfig }] };
}
