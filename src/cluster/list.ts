/** Everything there is of one kind, page by page, as of one moment. */

import { z } from 'zod';
import type { KubeClient } from './kube-client.ts';

const pageSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().nullish() }),
  items: z.array(z.unknown()),
});

export interface Page {
  readonly items: readonly unknown[];
  /** The moment: the same for all pages of one list. */
  readonly resourceVersion: string;
}

export interface ListOptions {
  readonly client: Pick<KubeClient, 'json'>;
  /** `/api/v1/nodes` */
  readonly path: string;
  /**
   * Objects in one page. A page is parsed and projected in one go, and nothing else happens meanwhile: 250 pods of
   * 8 KiB take 10 to 20 ms.
   */
  readonly pageSize?: number;
  readonly signal?: AbortSignal;
}

/** @throws KubeError, ZodError for a reply that is no list */
export async function* listPages({ client, path, pageSize = 250, signal }: ListOptions): AsyncIterable<Page> {
  let cursor = '';
  do {
    const query = new URLSearchParams({ limit: String(pageSize), ...(cursor && { continue: cursor }) });
    const reply = await client.json('GET', `${path}?${query}`, signal && { signal });
    const { items, metadata } = pageSchema.parse(reply);
    yield { items, resourceVersion: metadata.resourceVersion };
    cursor = metadata.continue ?? '';
  } while (cursor);
}
