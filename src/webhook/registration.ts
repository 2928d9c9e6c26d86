/**
 * Our entry with the API server, the MutatingWebhookConfiguration. In a cluster it is the chart's: we fill in whom to
 * trust, and nothing else. Run with a URL, outside of one, it is ours: made and kept as a whole.
 */

import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { WEBHOOK_NAME } from '../api/keys.ts';
import { type KubeClient, KubeError } from '../kube/kube-client.ts';
import { HOOK_NAME, type WebhookConfigurationOptions, webhookConfiguration } from './configuration.ts';

export type Owned = Omit<WebhookConfigurationOptions, 'caBundle'>;

const configurationSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string(), uid: z.string() }),
  webhooks: z
    .array(z.looseObject({ name: z.string(), clientConfig: z.looseObject({ caBundle: z.string().nullish() }) }))
    .nullish(),
});

export interface Registered {
  readonly object: z.infer<typeof configurationSchema>;
  /** PEM; empty if no authority is trusted yet. */
  readonly caBundle: string;
}

/** `missing`: it is not ours to make. `lost`: another client was quicker. */
export type Published = 'unchanged' | 'written' | 'missing' | 'lost';

const PATH = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';

export class Registration {
  readonly #client: Pick<KubeClient, 'json'>;
  readonly #owned: Owned | undefined;

  constructor(client: Pick<KubeClient, 'json'>, owned?: Owned) {
    this.#client = client;
    this.#owned = owned;
  }

  /** Undefined if it is not there, or has no webhook of ours in it. */
  async read(): Promise<Registered | undefined> {
    let reply: unknown;
    try {
      reply = await this.#client.json('GET', `${PATH}/${WEBHOOK_NAME}`);
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return undefined;
      throw error;
    }
    const object = configurationSchema.parse(reply);
    const ours = object.webhooks?.find(({ name }) => name === HOOK_NAME);
    if (!ours && !this.#owned) return undefined;
    return { object, caBundle: Buffer.from(ours?.clientConfig.caBundle ?? '', 'base64').toString() };
  }

  /**
   * Sees to it that the configuration trusts `caBundle` (PEM), and, where it is ours, that the rest is as it should be.
   * @param current as read before; nothing is overwritten that was changed since
   * @throws KubeError
   */
  async publish(current: Registered | undefined, caBundle: string): Promise<Published> {
    if (!current && !this.#owned) return 'missing';
    const wanted = this.#owned ? webhookConfiguration({ ...this.#owned, caBundle }) : trusting(caBundle);
    if (current && includes(current.object, wanted)) return 'unchanged';
    try {
      if (current) await this.#apply(current, wanted);
      else await this.#client.json('POST', `${PATH}?fieldManager=${WEBHOOK_NAME}`, { body: wanted });
      return 'written';
    } catch (error) {
      if (error instanceof KubeError && error.status === 409) return 'lost';
      throw error;
    }
  }

  /** Server-side: what we do not name stays as others have it. */
  async #apply({ object }: Registered, wanted: { readonly metadata: object }): Promise<void> {
    const { resourceVersion, uid } = object.metadata;
    const body = { ...wanted, metadata: { ...wanted.metadata, resourceVersion, uid } };
    const contentType = 'application/apply-patch+yaml';
    await this.#client.json('PATCH', `${PATH}/${WEBHOOK_NAME}?fieldManager=${WEBHOOK_NAME}&force=true`, {
      body,
      contentType,
    });
  }
}

function trusting(caBundle: string) {
  const clientConfig = { caBundle: Buffer.from(caBundle).toString('base64') };
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: WEBHOOK_NAME },
    webhooks: [{ name: HOOK_NAME, clientConfig }],
  };
}

/** Whether all that is wanted is there. Lists of named things may hold others besides, as in a server-side apply. */
function includes(there: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(there)) return false;
    if (wanted.length === 0 || !wanted.every(isNamed)) {
      return there.length === wanted.length && wanted.every((each, i) => includes(there[i], each));
    }
    return wanted.every((each) =>
      there.some((other) => isNamed(other) && other.name === each.name && includes(other, each)),
    );
  }
  if (typeof wanted !== 'object' || wanted === null) return isDeepStrictEqual(there, wanted);
  if (typeof there !== 'object' || there === null) return false;
  const fields = new Map(Object.entries(there));
  return Object.entries(wanted).every(([key, value]) => includes(fields.get(key), value));
}

function isNamed(value: unknown): value is { readonly name: string } {
  return typeof value === 'object' && value !== null && 'name' in value;
}
