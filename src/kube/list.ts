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
   * Objects in one page. A page is parsed in one go, and its text and objects live on until the next major garbage
   * collection: larger pages are fetched faster and take more memory (bench cold-start; 150 is between the two).
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
    // A caller that stops in between does not wait for it.
    next?.catch(() => {});
    yield { items, resourceVersion: metadata.resourceVersion };
  }
}

async function ask({ client, path, pageSize = 150, signal }: ListOptions, cursor: string) {
  const query = new URLSearchParams({ limit: String(pageSize), ...(cursor && { continue: cursor }) });
  return pageSchema.parse(await client.json('GET', `${path}?${query}`, signal && { signal }));
}

/** All objects of a list at once, for those who look once. @throws KubeError */
export async function listAll(client: Pick<KubeClient, 'json'>, path: string): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const { items } of listPages({ client, path })) all.push(...items);
  return all;
}
