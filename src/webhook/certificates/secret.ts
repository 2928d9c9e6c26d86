/**
 * The Secret that all replicas share. Every write names the version that it replaces, so that of several who do the
 * same one succeeds, and the others look again.
 */

import { z } from 'zod';
import { CERTIFICATE_SECRET, WEBHOOK_NAME } from '../../api/keys.ts';
import { type KubeClient, KubeError } from '../../kube/kube-client.ts';
import type { CertificateData } from './contents.ts';

export interface SecretOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly namespace: string;
  /** The Service that the certificate is for, and goes with. */
  readonly serviceName: string;
  /** Whether that has to be there; outside of a cluster there is none. */
  readonly serviceRequired: boolean;
}

const secretSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  data: z.record(z.string(), z.string()).nullish(),
});
type SecretObject = z.infer<typeof secretSchema>;

const serviceSchema = z.object({ metadata: z.object({ name: z.string(), uid: z.string() }) });

export interface StoredSecret {
  readonly object: SecretObject;
  readonly data: CertificateData;
}

export class CertificateSecret {
  readonly #options: SecretOptions;
  readonly #path: string;

  constructor(options: SecretOptions) {
    this.#options = options;
    this.#path = `/api/v1/namespaces/${options.namespace}/secrets`;
  }

  /** Undefined if there is none. */
  async read(): Promise<StoredSecret | undefined> {
    const reply = await found(this.#options.client.json('GET', `${this.#path}/${CERTIFICATE_SECRET}`));
    if (reply === undefined) return undefined;
    const object = secretSchema.parse(reply);
    const texts = Object.entries(object.data ?? {}).map(([key, value]) => [
      key,
      Buffer.from(value, 'base64').toString(),
    ]);
    return { object, data: Object.fromEntries(texts) };
  }

  /**
   * Replaces what was read, or creates it.
   * @returns false if another replica was quicker
   * @throws KubeError
   * @throws Error if there is no Service
   */
  async write(data: CertificateData, replaced: StoredSecret | undefined): Promise<boolean> {
    const { client } = this.#options;
    const encoded = Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')]),
    );
    try {
      if (replaced) {
        const body = { ...replaced.object, data: encoded };
        await client.json('PUT', `${this.#path}/${CERTIFICATE_SECRET}`, { body });
      } else {
        await client.json('POST', this.#path, { body: await this.#created(encoded) });
      }
      return true;
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      // Not found: the Secret that was read has gone, or there is no such namespace.
      if (error.status === 409 || (replaced && error.status === 404)) return false;
      throw error;
    }
  }

  async #created(data: Readonly<Record<string, string>>): Promise<object> {
    const owner = await this.#owner();
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/tls',
      metadata: {
        name: CERTIFICATE_SECRET,
        namespace: this.#options.namespace,
        labels: { 'app.kubernetes.io/name': 'gpu-autoscaler', 'app.kubernetes.io/managed-by': WEBHOOK_NAME },
        ...(owner && { ownerReferences: [owner] }),
      },
      data,
    };
  }

  async #owner(): Promise<object | undefined> {
    const { client, namespace, serviceName, serviceRequired } = this.#options;
    const reply = await found(client.json('GET', `/api/v1/namespaces/${namespace}/services/${serviceName}`));
    if (reply === undefined) {
      // While it is uninstalled nothing may be left behind.
      if (serviceRequired) throw new Error(`there is no Service ${namespace}/${serviceName} to make a certificate for`);
      return undefined;
    }
    const { name, uid } = serviceSchema.parse(reply).metadata;
    return { apiVersion: 'v1', kind: 'Service', name, uid };
  }
}

/** Undefined if what was asked for is not there. */
async function found(reply: Promise<unknown>): Promise<unknown> {
  return reply.catch((error: unknown) => {
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  });
}
