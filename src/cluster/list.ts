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
export async function* listPages(options: ListOptions): AsyncIterable<Page> {
  let next: Promise<z.infer<typeof pageSchema>> | undefined = ask(options, '');
  while (next) {
    const { items, metadata }: z.infer<typeof pageSchema> = await next;
    // The API server makes the next page while this one is dealt with.
    next = metadata.continue ? ask(options, metadata.continue) : undefined;
    // Whoever stops in between does not wait for it.
    next?.catch(() => {});
    yield { items, resourceVersion: metadata.resourceVersion };
  }
}

async function ask({ client, path, pageSize = 250, signal }: ListOptions, cursor: string) {
  const query = new URLSearchParams({ limit: String(pageSize), ...(cursor && { continue: cursor }) });
  return pageSchema.parse(await client.json('GET', `${path}?${query}`, signal && { signal }));
}
