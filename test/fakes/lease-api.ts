/** One Lease as an API server keeps it: every write must name the version that it replaces. */

import { KubeError } from '#src/kube/kube-client.ts';

interface Body {
  readonly metadata: { readonly resourceVersion?: string };
  readonly spec: object;
}

export class FakeLeaseApi {
  readonly calls: string[] = [];
  stored: (Body & { readonly spec: { readonly holderIdentity: string } }) | undefined;
  /** What the next calls meet: refused, or done without an answer. */
  readonly faults: (number | 'lost reply')[] = [];
  /** Happens during each call. */
  before: () => void = () => {};
  #version = 100;

  /** A client of `Lease`. */
  readonly json = async (
    method: string,
    path: string,
    { body }: { readonly body?: unknown } = {},
  ): Promise<unknown> => {
    this.calls.push(`${method} ${path.replace(/^.*leases/, 'leases')}`);
    this.before();
    const fault = this.faults.shift();
    if (typeof fault === 'number') throw new KubeError(`a planned ${fault}`, fault);
    const reply = method === 'GET' ? this.#get() : this.#write(method, body as Body);
    if (fault === 'lost reply') throw new KubeError('the reply was lost');
    return reply;
  };

  get holder(): string | undefined {
    return this.stored?.spec.holderIdentity;
  }

  /** As somebody does by hand. */
  edit(spec: object): void {
    if (!this.stored) return;
    this.#version += 1;
    const metadata = { ...this.stored.metadata, resourceVersion: String(this.#version) };
    this.stored = { ...this.stored, metadata, spec: { ...this.stored.spec, ...spec } };
  }

  #get(): object {
    if (!this.stored) throw new KubeError('not found', 404);
    return this.stored;
  }

  #write(method: string, body: Body): object {
    if (method === 'POST' ? this.stored : this.stored?.metadata.resourceVersion !== body.metadata.resourceVersion) {
      throw new KubeError('somebody else was quicker', 409);
    }
    this.#version += 1;
    this.stored = {
      ...body,
      metadata: { ...body.metadata, resourceVersion: String(this.#version) },
    } as typeof this.stored;
    return this.stored as object;
  }
}
