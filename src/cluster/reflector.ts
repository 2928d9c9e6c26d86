/**
 * Keeps a copy of one kind of object up to date: a paged list, then a watch that resumes where it
 * broke off. Every fault is met with a jittered delay and another try, for ever. Knows nothing of
 * what the objects mean.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type KubeClient, KubeError, parseStatus } from './kube-client.ts';

export interface ReflectorOptions {
  readonly client: Pick<KubeClient, 'json' | 'stream'>;
  /** `/api/v1/nodes` */
  readonly path: string;
  /** Everything there is, as of now: replaces all that was known. */
  readonly replaced: (objects: readonly unknown[]) => void;
  readonly changed: (object: unknown) => void;
  readonly deleted: (object: unknown) => void;
  readonly log: (message: string, details: Record<string, unknown>) => void;
  /** In [0, 1): spreads reconnections. */
  readonly random: () => number;
  /** ms of a clock that never goes back. */
  readonly now?: () => number;
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
/** Failures in a row after which the version is given up: whatever is wrong with it, a list sets it right. */
const RESUMES = 5;

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #stopping = new AbortController();
  readonly #firstList = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;

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
    const { signal } = this.#stopping;
    const { now = () => performance.now() } = this.#options;
    let version: string | undefined;
    // In a row, without an event in between.
    let failures = 0;
    while (!signal.aborted) {
      let watching: number | undefined;
      let fault: unknown;
      try {
        version ??= await this.#list();
        watching = now();
        for await (const seen of this.#watch(version)) {
          version = seen;
          failures = 0;
        }
      } catch (error) {
        fault = error;
      }
      if (signal.aborted) return;
      if (watching !== undefined && now() - watching > LONGEST_DELAY_MS) failures = 0;
      // A watch ends in its own time, or after it has told something; to end at once time and again is a fault.
      if (failures > 0) fault ??= new Error('the watch ended without an event');
      if (mustListAgain(fault) || failures >= RESUMES) version = undefined;
      await this.#pause(failures, fault);
      failures += 1;
    }
  }

  /** Lists everything, page by page; the version to watch from. */
  async #list(): Promise<string> {
    const { client, path, pageSize = 500, replaced } = this.#options;
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
    for await (const chunk of response as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
        pieces.push(chunk.subarray(start, end));
        yield this.#apply(Buffer.concat(pieces).toString());
        pieces = [];
        start = end + 1;
      }
      pieces.push(chunk.subarray(start));
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
    return version;
  }

  async #pause(failures: number, fault: unknown): Promise<void> {
    const { log, path, random } = this.#options;
    const delayMs = Math.round(Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures) * (0.5 + random()));
    if (fault instanceof Error) {
      log('no usable answer from the API server, trying again', { path, delayMs, error: fault.message });
    }
    await sleep(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}

/** The version is too old to resume from, or what came cannot be read: list again. */
function mustListAgain(error: unknown): boolean {
  if (error instanceof SyntaxError || error instanceof z.ZodError) return true;
  return error instanceof KubeError && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone');
}
