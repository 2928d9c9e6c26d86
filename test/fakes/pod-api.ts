/** The calls that binding makes, answered from an object store without network, and failing as told. */

import { KubeError, type Method } from '#src/kube/kube-client.ts';
import { type Binding, ObjectStore } from './object-store.ts';

/** What a call meets. */
export type ApiFault =
  | 'none'
  /** It is refused, or fails, without effect. */
  | { readonly status: number }
  /** It has its effect, and fails. */
  | { readonly status: number; readonly done: true }
  /** It never arrives, and nobody knows. */
  | 'unsent'
  /** It has its effect, and nobody knows. */
  | 'lost reply'
  /** It succeeds, and is answered with something that is no pod. */
  | 'nonsense';

export class FakePodApi {
  readonly store = new ObjectStore();
  /** `GET a`, `POST a`, in the order they came. */
  readonly calls: string[] = [];
  /** Bodies of the Bindings that came. */
  readonly bindings: Binding[] = [];
  /** No call arrives. */
  unreachable = false;
  /** Awaited before a call has its effect, and before its reply comes back. */
  pass: (what: string) => Promise<unknown> = async () => {};
  readonly #faults: { readonly on: RegExp; readonly fault: ApiFault }[] = [];

  /** The next call that matches meets this; what was planned first comes first. */
  meet(on: RegExp, fault: ApiFault): void {
    this.#faults.push({ on, fault });
  }

  async json(method: Method, path: string, { body }: { readonly body?: unknown } = {}): Promise<unknown> {
    const [, namespace, name] = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)/.exec(path) ?? [];
    const call = `${method} ${name}`;
    this.calls.push(call);
    if (method === 'POST') this.bindings.push(body as Binding);
    const index = this.#faults.findIndex(({ on }) => on.test(call));
    const fault = index < 0 ? undefined : this.#faults.splice(index, 1)[0]?.fault;
    await this.pass(call);
    if (this.unreachable || fault === 'unsent') throw new KubeError('connect ECONNREFUSED');
    const planned = typeof fault === 'object' ? fault : undefined;
    const key = `${namespace}/${name}`;
    const [status, reply] = planned && !('done' in planned) ? [planned.status, {}] : this.#answer(method, key, body);
    await this.pass(`reply to ${call}`);
    if (fault === 'lost reply') throw new KubeError('the reply broke off');
    if (planned) throw new KubeError(`a planned ${planned.status}`, planned.status);
    if (status >= 400) throw new KubeError((reply as { message: string }).message, status);
    return fault === 'nonsense' ? { kind: 'Nonsense' } : reply;
  }

  #answer(method: Method, key: string, body: unknown): readonly [number, object] {
    if (method === 'POST') return this.store.bind(key, body as Binding);
    const pod = this.store.get('pods', key);
    return pod ? [200, pod] : [404, { message: `pods "${key}" not found` }];
  }
}
