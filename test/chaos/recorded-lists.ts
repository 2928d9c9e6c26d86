/** Whole lists as the API server once gave them, to be given again when they are the past. Knows nothing of sockets. */

import { z } from 'zod';

const pageSchema = z.object({ metadata: z.object({ continue: z.string().nullish() }) });

interface RecordedList {
  readonly at: number;
  /** URL → page. */
  readonly pages: Map<string, Buffer>;
}

/** An API server may lag, but not for ever. */
const OLDEST_MS = 20_000;

export class RecordedLists {
  readonly #now: () => number;
  /** By the URL of the first page. */
  readonly #lists = new Map<string, RecordedList>();
  /** Lists that go on: by the URL of the page that comes next. */
  readonly #underWay = new Map<string, RecordedList>();
  /** Given again: pages that the reader will ask for. */
  readonly #promised = new Map<string, Buffer>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes note of a page that the API server gave. */
  record(url: string, body: Buffer): void {
    const first = !new URL(url, 'https://any').searchParams.has('continue');
    const list = first ? { at: this.#now(), pages: new Map() } : this.#underWay.get(url);
    this.#underWay.delete(url);
    if (!list) return;
    list.pages.set(url, body);
    const cursor = pageSchema.parse(JSON.parse(body.toString())).metadata.continue;
    if (cursor) {
      this.#underWay.set(nextPage(url, cursor), list);
      return;
    }
    const [firstUrl = url] = list.pages.keys();
    this.#lists.set(firstUrl, list);
  }

  /** The first page of an earlier list, whose other pages `page` will give; undefined if there is none. */
  replay(url: string): Buffer | undefined {
    const list = this.#lists.get(url);
    if (!list || this.#now() - list.at > OLDEST_MS) return undefined;
    for (const [page, body] of list.pages) if (page !== url) this.#promised.set(page, body);
    return list.pages.get(url);
  }

  /** A later page of a list that is being given again. */
  page(url: string): Buffer | undefined {
    const body = this.#promised.get(url);
    this.#promised.delete(url);
    return body;
  }
}

/** As our reflector, and everybody else, asks for it. */
function nextPage(url: string, cursor: string): string {
  const { pathname, searchParams } = new URL(url, 'https://any');
  searchParams.set('continue', cursor);
  return `${pathname}?${searchParams}`;
}
