/**
 * Keeps a copy of one kind of object up to date: a paged list, then a watch that resumes where it
 * broke off. Every fault is met with a jittered delay and another try, for ever. Knows nothing of
 * what the objects mean.
 */

import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { z } from 'zod';
import { type Backoff, delayOf } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import { type KubeClient, KubeError, parseStatus } from './kube-client.ts';
import { listPages } from './list.ts';

/** A list that is on its way. */
export interface Replacement {
  /** Some of what there is. */
  add(objects: readonly unknown[]): void;
  /** That was all, as of this version: what was not listed has gone. */
  finish(resourceVersion: string): void;
}

/** Where a reflector brings what it hears. */
export interface ReflectorStore {
  /** A list begins. It may break off, and another begin. */
  replace(): Replacement;
  /** An object has come, or has changed. */
  update(object: unknown): void;
  /** An object has gone. */
  delete(object: unknown): void;
  /** The list that comes next is older than what was heard, and true all the same: a backup was restored. */
  forgetVersions(): void;
}

export interface ReflectorOptions {
  readonly client: Pick<KubeClient, 'json' | 'stream'>;
  /** `/api/v1/nodes`; of a kind that may be served in one of several versions, all of its paths in order of preference. */
  readonly path: string | readonly string[];
  readonly store: ReflectorStore;
  readonly log: (message: string, details: Record<string, unknown>) => void;
  /** In [0, 1): spreads reconnections. */
  readonly random: () => number;
  readonly clock?: Pick<Clock, 'monotonic'>;
  /** Objects in one page of a list. */
  readonly pageSize?: number;
  /**
   * The kind may not be installed: then there are none of it, until it is; `ifAllowed`: the same where it may not be listed.
   * Default false: it is waited for.
   */
  readonly optional?: boolean | 'ifAllowed';
  /** That the kind is absent is no news: most clusters do not have it. */
  readonly mostlyAbsent?: boolean;
  /** ms between two looks for a kind that is not installed; default 15,000. */
  readonly absentMs?: number;
}

const eventSchema = z.object({ type: z.string(), object: z.unknown() });
const versionSchema = z.object({ metadata: z.object({ resourceVersion: z.string() }) });

/** Objects that are taken before the time is looked at, and ms in one turn of the event loop: cold code takes long for each. */
const SLICE = 10;
const TURN_MS = 8;
/** The API server sends a bookmark about once a minute: a watch that says nothing for longer is dead. */
const WATCH_IDLE_MS = 150_000;
const BACKOFF: Backoff = { baseMs: 100, maxMs: 10_000 };
/** Failures in a row after which the version is given up: whatever is wrong with it, a list sets it right. */
const RESUMES = 5;

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #stopping = new AbortController();
  readonly #firstList = Promise.withResolvers<void>();
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #paths: readonly string[];
  #path: string;
  #running: Promise<void> | undefined;
  #watching: AbortController | undefined;
  /** Ends a pause early. */
  #pausing = new AbortController();
  /** Asked to list once more, and not done yet. */
  #again: PromiseWithResolvers<void> | undefined;
  /** The newest version of a list or of the watch. */
  #newest: string | undefined;
  /** Lists in a row that were older than that. */
  #stale = 0;
  #heardAt: number;
  #faults = 0;
  #absent = false;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#heardAt = this.#clock.monotonic();
    this.#paths = [options.path].flat();
    this.#path = this.#paths[0] ?? '';
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves once everything has been listed. */
  get synced(): Promise<void> {
    return this.#firstList.promise;
  }

  /** ms since the API server has said anything; a bookmark comes once a minute, whatever happens. */
  get silence(): number {
    return this.#clock.monotonic() - this.#heardAt;
  }

  /** Faults met so far: lists and watches that broke off. */
  get faults(): number {
    return this.#faults;
  }

  /** Lists everything once more, as at the start; resolves when that list is in, never if it is stopped before. */
  listAgain(): Promise<void> {
    this.#again ??= Promise.withResolvers<void>();
    this.#watching?.abort();
    if (this.#absent) this.#pausing.abort();
    return this.#again.promise;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let version: string | undefined;
    // In a row, without an event in between.
    let failures = 0;
    while (!signal.aborted) {
      let watching: number | undefined;
      let fault: unknown;
      try {
        if (this.#again) version = undefined;
        version ??= await this.#list();
        if (this.#again) continue;
        watching = this.#clock.monotonic();
        for await (const seen of this.#watch(version)) {
          version = seen;
          failures = 0;
        }
      } catch (error) {
        fault = error;
      }
      if (signal.aborted) return;
      if (watching !== undefined && this.#again) continue;
      if (watching !== undefined && this.#clock.monotonic() - watching > BACKOFF.maxMs) failures = 0;
      // A watch ends in its own time, or after it has sent something; to end at once time and again is a fault.
      if (failures > 0) fault ??= new Error('the watch ended without an event');
      if (mustListAgain(fault) || this.#isAbsence(fault) || failures >= RESUMES) version = undefined;
      await this.#pause(failures, fault);
      failures += 1;
    }
  }

  /** Lists everything, page by page; the version to watch from. */
  async #list(): Promise<string> {
    const { client, pageSize, store } = this.#options;
    const path = this.#path;
    const signal = this.#stopping.signal;
    // Callers that asked before now are answered by this list; later ones, by another.
    const asked = this.#again;
    this.#again = undefined;
    try {
      const list = store.replace();
      let version = '';
      const pages = listPages({ client, path, signal, ...(pageSize && { pageSize }) });
      for await (const { items, resourceVersion } of pages) {
        const isFresh = this.#isFresh(resourceVersion);
        if (!isFresh && version === '') store.forgetVersions();
        this.#heardAt = this.#clock.monotonic();
        // Others have their turn after the page has been parsed, and after each slice of it.
        for (let from = 0; from < items.length; ) {
          await turn();
          const until = this.#clock.monotonic() + TURN_MS;
          do {
            list.add(items.slice(from, from + SLICE));
            from += SLICE;
          } while (from < items.length && this.#clock.monotonic() < until);
        }
        version = resourceVersion;
      }
      list.finish(version);
      this.#absent = false;
      this.#stale = 0;
      this.#newest = version;
      this.#firstList.resolve();
      asked?.resolve();
      return version;
    } catch (error) {
      const next = this.#isAbsence(error) && this.#paths[this.#paths.indexOf(path) + 1];
      if (next) {
        this.#path = next;
        this.#again ??= asked;
        return this.#list();
      }
      if (this.#isAbsence(error)) {
        this.#nothing();
        asked?.resolve();
      } else if (asked) void this.listAgain().then(asked.resolve);
      throw error;
    }
  }

  /** The API server does not know the kind, or does not let us see it. */
  #isAbsence(fault: unknown): boolean {
    const { optional = false } = this.#options;
    if (!optional || !(fault instanceof KubeError)) return false;
    return fault.status === 404 || (fault.status === 403 && optional === 'ifAllowed');
  }

  #nothing(): void {
    const { log, store, mostlyAbsent = false } = this.#options;
    const path = this.#path;
    this.#path = this.#paths[0] ?? path;
    this.#heardAt = this.#clock.monotonic();
    if (!this.#absent && !mostlyAbsent)
      log('the API server does not know this kind, or does not show it: there are none', { path });
    this.#absent = true;
    store.replace().finish('');
    this.#firstList.resolve();
  }

  /**
   * A list from before what the watch has sent would bring back what has gone, and forget what has come. One that stays
   * older is the truth all the same: a backup was restored.
   */
  #isFresh(version: string): boolean {
    if (!isOlder(version, this.#newest)) return true;
    if (this.#stale >= RESUMES) return false;
    this.#stale += 1;
    throw new Error(`the list is older (${version}) than what the watch has sent (${this.#newest})`);
  }

  /** Follows changes until the server ends the watch; yields the version after each. */
  async *#watch(from: string): AsyncIterable<string> {
    const { client, random } = this.#options;
    const query = new URLSearchParams({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: from,
      timeoutSeconds: String(Math.round(240 + 240 * random())),
    });
    this.#watching = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, this.#watching.signal]);
    const response = await client.stream('GET', `${this.#path}?${query}`, { signal, idleMs: WATCH_IDLE_MS });
    // A line may come in many pieces: join them once, when it is whole.
    let pieces: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) {
      this.#heardAt = this.#clock.monotonic();
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
    this.#newest = version;
    if (type === 'DELETED') this.#options.store.delete(object);
    else if (type !== 'BOOKMARK') this.#options.store.update(object);
    return version;
  }

  async #pause(failures: number, fault: unknown): Promise<void> {
    const { log, random, absentMs = 15_000 } = this.#options;
    const path = this.#path;
    const backoff = this.#absent ? { baseMs: absentMs, maxMs: absentMs } : BACKOFF;
    const delayMs = delayOf(backoff, failures, random);
    if (fault instanceof Error && !this.#absent) {
      this.#faults += 1;
      log('no usable answer from the API server, trying again', { path, delayMs, error: fault.message });
    }
    this.#pausing = new AbortController();
    // Whoever has asked while there was nothing is answered at once.
    if (this.#again && this.#absent) return;
    const signal = AbortSignal.any([this.#stopping.signal, this.#pausing.signal]);
    await sleep(delayMs, undefined, { signal }).catch(() => {});
  }
}

/** The version is too old to resume from, or what came cannot be read: list again. */
function mustListAgain(error: unknown): boolean {
  if (error instanceof SyntaxError || error instanceof z.ZodError) return true;
  return error instanceof KubeError && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone');
}

/** Kubernetes counts versions up; where they are no numbers, the order is unknown. */
function isOlder(version: string, than: string | undefined): boolean {
  const numbers = /^\d+$/;
  return than !== undefined && numbers.test(version) && numbers.test(than) && BigInt(version) < BigInt(than);
}
