/** Kueue's queues: which ClusterQueue counts the pods of a LocalQueue. */

import type { z } from 'zod';
import { type ClusterQueue, clusterQueueSchema, localQueueSchema } from '../api/queues.ts';
import { namedSchema, namespacedNameOf } from '../api/stored-objects.ts';
import { resourceVersionOf, Store } from './store.ts';

export class Queues {
  readonly localQueues = storeOf(localQueueSchema, namespacedNameOf);
  readonly clusterQueues = storeOf(clusterQueueSchema, (object) => namedSchema.safeParse(object).data?.metadata.name);

  /** The ClusterQueue behind a LocalQueue; undefined if either is not known. */
  clusterQueueOf(namespace: string, localQueue: string): ClusterQueue | undefined {
    const queue = this.localQueues.get(`${namespace}/${localQueue}`);
    return queue && this.clusterQueues.get(queue.clusterQueue);
  }
}

function storeOf<T extends object>(schema: z.ZodType<T>, keyOf: (object: unknown) => string | undefined): Store<T> {
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
