/** Kueue's queues: which ClusterQueue counts the pods of a LocalQueue. */

import type { z } from 'zod';
import { type ClusterQueue, clusterQueueSchema, localQueueSchema, queueIdentitySchema } from '../api/queues.ts';
import { resourceVersionOf, Store } from './store.ts';

interface Identity {
  readonly namespace: string;
  readonly name: string;
}

const namespaced = ({ namespace, name }: Identity) => `${namespace}/${name}`;

export class Queues {
  readonly localQueues = storeOf(localQueueSchema, namespaced);
  readonly clusterQueues = storeOf(clusterQueueSchema, ({ name }) => name);

  /** The ClusterQueue behind a LocalQueue; undefined if either is not known. */
  clusterQueueOf(namespace: string, localQueue: string): ClusterQueue | undefined {
    const queue = this.localQueues.get(namespaced({ namespace, name: localQueue }));
    return queue && this.clusterQueues.get(queue.clusterQueue);
  }
}

function storeOf<T extends object>(schema: z.ZodType<T>, nameOf: (identity: Identity) => string): Store<T> {
  const keyOf = (object: unknown) => {
    const identity = queueIdentitySchema.safeParse(object).data?.metadata;
    return identity && nameOf(identity);
  };
  return new Store<T>({
    // A queue that cannot be read counts nothing that we know of: its pods keep what they asked for.
    read: (object) => {
      const key = keyOf(object);
      const record = schema.safeParse(object).data;
      return key === undefined ? undefined : { key, resourceVersion: resourceVersionOf(object), record };
    },
    keyOf,
  });
}
