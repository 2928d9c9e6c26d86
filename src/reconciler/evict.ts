/** Evictions, by the API that heeds PodDisruptionBudgets. */

import { type KubeClient, KubeError } from '../kube/kube-client.ts';

interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/**
 * Undefined if the pod goes, or has gone; else why it does not go yet: a PodDisruptionBudget, as a rule.
 * @throws KubeError for any other refusal
 */
export async function evict(
  client: Pick<KubeClient, 'json'>,
  { namespace, name, uid }: Pod,
  maySend: () => boolean,
): Promise<string | undefined> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/eviction`;
  const body = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { namespace, name },
    // Another pod of the same name is not meant.
    deleteOptions: { preconditions: { uid } },
  };
  try {
    await client.json('POST', path, { body, maySend });
    return undefined;
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (error.status === 404 || error.status === 409) return undefined;
    if (error.status === 429 || error.status === 403) return error.message;
    throw error;
  }
}
