/**
 * Keeps a copy of one kind of object up to date: a paged list, then a watch that resumes where it
 * broke off. Every fault but an expired version is met with a jittered delay and another try, for
 * ever. Knows nothing of what the objects mean.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type KubeClient, KubeError, parseStatus } from './kube-client.ts';

export interface ReflectorOptions {
  readonly client: KubeClient;
  /** `/api/v1/nodes` */
  readonly path: string;
  /** Told before a list is asked for, so that what happens meanwhile can be told from what it holds. */
  readonly listing: () => void;
  /** Everything there is, as of now: replaces all that was known. */
  readonly replaced: (objects: readonly unknown[]) => void;
  readonly changed: (object: unknown) => void;
  readonly deleted: (object: unknown) => void;
  readonly log: (message: string, details: Record<string, unknown>) => void;
  /** In [0, 1): spreads reconnections. */
  readonly random: () => number;
  /** Objects in one page of a list. */
  readonly pageSize?: number;
}

const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().nullish() }),
  items: z.array(z.unknown()),
});
const eventSchema = z.object({ type: z.string(), object: z.unknown() });
const versionSchema = z.object({ metadata: z.object({ resourceVersion: z.string() }) });

/** The API server sends a bookmark about once a minute: a watch that says nothing for longer is dead. */
const WATCH_IDLE_MS = 150_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #stopping = new AbortController();
  readonly #firstList = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;
  #delayMs = FIRST_DELAY_MS;

  constructor(options: ReflectorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves once everything has been listed. */
  get synced(): Promise<void> {
    return this.#firstList.promise;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    let version: string | undefined;
    while (!this.#stopping.signal.aborted) {
      try {
        if (version === undefined) version = await this.#list();
        const from: string = version;
        for await (const seen of this.#watch(from)) version = seen;
        // A server that ends watches at once must not be asked in a tight loop.
        if (version === from) await this.#pause(new Error('the watch ended without an event'));
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        if (mustListAgain(error)) version = undefined;
        await this.#pause(error as Error);
      }
    }
  }

  /** Lists everything, page by page; the version to watch from. */
  async #list(): Promise<string> {
    const { client, path, pageSize = 500, listing, replaced } = this.#options;
    listing();
    const objects: unknown[] = [];
    let cursor = '';
    for (;;) {
      const query = new URLSearchParams({ limit: String(pageSize), ...(cursor && { continue: cursor }) });
      const reply = await client.json('GET', `${path}?${query}`, { signal: this.#stopping.signal });
      const page = listSchema.parse(reply);
      objects.push(...page.items);
      cursor = page.metadata.continue ?? '';
      if (cursor) continue;
      replaced(objects);
      this.#delayMs = FIRST_DELAY_MS;
      this.#firstList.resolve();
      return page.metadata.resourceVersion;
    }
  }

  /** Follows changes until the server ends the watch; yields the version after each. */
  async *#watch(from: string): AsyncIterable<string> {
    const { client, path, random } = this.#options;
    const query = new URLSearchParams({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: from,
      timeoutSeconds: String(Math.round(240 + 240 * random())),
    });
    const signal = this.#stopping.signal;
    const response = await client.stream('GET', `${path}?${query}`, { signal, idleMs: WATCH_IDLE_MS });
    // A line may come in many pieces: join them once, when it is whole.
    let pieces: Buffer[] = [];
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        let start = 0;
        for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
          pieces.push(chunk.subarray(start, end));
          const line = Buffer.concat(pieces).toString();
          pieces = [];
          start = end + 1;
          if (line.trim() !== '') yield this.#apply(line);
        }
        if (start < chunk.length) pieces.push(chunk.subarray(start));
      }
    } finally {
      response.destroy();
    }
  }

  /** Acts on one event; the version it carries. */
  #apply(line: string): string {
    const { type, object } = eventSchema.parse(JSON.parse(line));
    if (type === 'ERROR') {
      const { message = 'the watch failed', code, reason } = parseStatus(object);
      throw new KubeError(message, code, reason);
    }
    const version = versionSchema.parse(object).metadata.resourceVersion;
    if (type === 'DELETED') this.#options.deleted(object);
    else if (type !== 'BOOKMARK') this.#options.changed(object);
    this.#delayMs = FIRST_DELAY_MS;
    return version;
  }

  async #pause(error: Error): Promise<void> {
    const { log, path, random } = this.#options;
    const delayMs = Math.round(this.#delayMs * (0.5 + random()));
    this.#delayMs = Math.min(LONGEST_DELAY_MS, this.#delayMs * 2);
    log('lost touch with the API server, trying again', { path, delayMs, error: error.message });
    await sleep(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}

/** The version is too old to resume from, or what came cannot be read: list again. */
function mustListAgain(error: unknown): boolean {
  if (error instanceof SyntaxError || error instanceof z.ZodError) return true;
  return error instanceof KubeError && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone');
}
