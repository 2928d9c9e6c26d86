/**
 * The one copy of a kind of object: each object is parsed once, into a record, for all readers. A reflector feeds
 * it, and so do the replies to our own writes; views follow its changes.
 */

import type { ReflectorStore, Replacement } from '../kube/reflector.ts';
import { sameData } from './same-data.ts';

/** Says what could not be used of an object, and why. */
export type OnInvalidObject = (message: string, details: Record<string, unknown>) => void;

/** An object, as far as it can be read. */
export interface Reading<T> {
  readonly key: string;
  /** `metadata.resourceVersion`; undefined where there is none (hand-written objects): such an object is always newer. */
  readonly resourceVersion: string | undefined;
  /** Undefined: nothing of it is kept. */
  readonly record: T | undefined;
}

/**
 * What has become of one record. For listeners that ask for `unchanged`, both are the same object where a list has confirmed
 * what was known, and both are undefined where one that was never seen has gone.
 */
export interface Change<T> {
  readonly key: string;
  readonly before: T | undefined;
  readonly after: T | undefined;
}

export type Listener<T> = (change: Change<T>) => void;

export interface ListenOptions {
  /** Calls the listener even where the record is what it was: a list has confirmed it, or it was never seen. */
  readonly unchanged?: boolean;
}

export interface StoreOptions<T> {
  /**
   * Reads an object; undefined if it cannot be read, and what was known before stays.
   * @param before finds the record that is kept under a key, so that what has not changed need not be made again
   */
  readonly read: (object: unknown, before: (key: string) => T | undefined) => Reading<T> | undefined;
  /** The key of an object that is gone, of which nothing else need be readable. */
  readonly keyOf: (object: unknown) => string | undefined;
}

interface Entry<T> {
  record: T;
  version: number;
  /** The last list that it was in. */
  list: number;
}

export class Store<T extends object> implements ReflectorStore {
  readonly #options: StoreOptions<T>;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #listeners: { readonly listener: Listener<T>; readonly unchanged: boolean }[] = [];
  readonly #replaced: (() => void)[] = [];
  /** Lists that have begun. */
  #lists = 0;
  /** The newest version that the reflector has brought: an object that is older and not here has gone. */
  #newest = Number.NaN;
  readonly #known = (key: string) => this.#entries.get(key)?.record;

  constructor(options: StoreOptions<T>) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): T | undefined {
    return this.#entries.get(key)?.record;
  }

  /** The record that would be kept of the object; nothing is kept, and no listener is called. */
  peek(object: unknown): T | undefined {
    return this.#options.read(object, this.#known)?.record;
  }

  /** The resourceVersion of the newest object seen under the key, for writes that must not overwrite another's. */
  versionOf(key: string): string | undefined {
    const version = this.#entries.get(key)?.version;
    return version === undefined || Number.isNaN(version) ? undefined : String(version);
  }

  *values(): Iterable<T> {
    for (const { record } of this.#entries.values()) yield record;
  }

  /** Calls the listener after each change, from the next one on. Listeners are called in the order in which they came. */
  subscribe(listener: Listener<T>, { unchanged = false }: ListenOptions = {}): void {
    this.#listeners.push({ listener, unchanged });
  }

  /** The same, and with what is here already, as if it had just come. */
  follow(listener: Listener<T>, options?: ListenOptions): void {
    for (const [key, { record }] of this.#entries) listener({ key, before: undefined, after: record });
    this.subscribe(listener, options);
  }

  /** Calls the listener whenever a list has been taken as a whole. */
  onReplaced(listener: () => void): void {
    this.#replaced.push(listener);
  }

  /** An event of the watch: the object is there, and this is how it looks. */
  update(object: unknown): void {
    const reading = this.#options.read(object, this.#known);
    if (!reading) return;
    const version = numberOf(reading.resourceVersion);
    const entry = this.#entries.get(reading.key);
    if (entry && version < entry.version) return;
    if (version > this.#newest || Number.isNaN(this.#newest)) this.#newest = version;
    this.#set(reading, version, entry);
  }

  /** An event of the watch: the object has gone. */
  delete(object: unknown): void {
    const key = this.#options.keyOf(object);
    if (key === undefined) return;
    const version = numberOf(resourceVersionOf(object));
    if (version > this.#newest) this.#newest = version;
    const entry = this.#entries.get(key);
    if (entry && version < entry.version) return;
    this.#entries.delete(key);
    // Also for one that was never seen: a listener may hold something for it.
    this.#notify({ key, before: entry?.record, after: undefined });
  }

  /**
   * The API server's reply to a write of ours. It may be older than what the watch has brought since, and the object may
   * even have gone: neither brings an old object back.
   * @returns the record of the reply, whether it is the newest or not; undefined if nothing of it is kept
   */
  accept(reply: unknown): T | undefined {
    const reading = this.#options.read(reply, this.#known);
    if (!reading) return undefined;
    const version = numberOf(reading.resourceVersion);
    const entry = this.#entries.get(reading.key);
    if (!(version <= (entry ? entry.version : this.#newest))) this.#set(reading, version, entry);
    return reading.record;
  }

  /** A list begins. It may break off, and another begin: only `finish` takes away what was not listed. */
  replace(): Replacement {
    this.#lists += 1;
    const list = this.#lists;
    return {
      add: (objects) => {
        for (const object of objects) {
          const reading = this.#options.read(object, this.#known);
          if (!reading) continue;
          const version = numberOf(reading.resourceVersion);
          const entry = this.#entries.get(reading.key);
          if (!entry || !(version < entry.version)) this.#set(reading, version, entry, true);
          const listed = this.#entries.get(reading.key);
          if (listed) listed.list = list;
        }
      },
      finish: (resourceVersion) => {
        const version = numberOf(resourceVersion);
        for (const [key, entry] of this.#entries) {
          // What came after the moment of the list is not in it.
          if (entry.list !== list && !(entry.version > version)) this.#remove(key, entry);
        }
        this.#newest = version;
        for (const listener of this.#replaced) listener();
      },
    };
  }

  /** From now on any version is newer: a backup was restored, and versions count from an earlier one again. */
  forgetVersions(): void {
    this.#newest = Number.NaN;
    for (const entry of this.#entries.values()) entry.version = Number.NaN;
  }

  /** Makes all records again, to be read differently from now on. */
  reread(read: (record: T) => T): void {
    for (const [key, entry] of this.#entries) {
      const before = entry.record;
      const after = read(before);
      if (sameData(before, after)) continue;
      entry.record = after;
      this.#notify({ key, before, after });
    }
  }

  /** @param confirm calls listeners even where nothing has changed */
  #set({ key, record }: Reading<T>, version: number, entry: Entry<T> | undefined, confirm = false): void {
    if (record === undefined) {
      if (entry) this.#remove(key, entry);
      return;
    }
    if (!entry) {
      this.#entries.set(key, { record, version, list: 0 });
      this.#notify({ key, before: undefined, after: record });
      return;
    }
    const before = entry.record;
    entry.version = version;
    // Heartbeats, and fields that are not read.
    if (!sameData(before, record)) {
      entry.record = record;
      this.#notify({ key, before, after: record });
    } else if (confirm) this.#notify({ key, before, after: before });
  }

  #remove(key: string, { record }: Entry<T>): void {
    this.#entries.delete(key);
    this.#notify({ key, before: record, after: undefined });
  }

  #notify(change: Change<T>): void {
    const isChange = change.before !== change.after;
    for (const { listener, unchanged } of this.#listeners) if (isChange || unchanged) listener(change);
  }
}

/** NaN for a version that is no number: it is neither older nor newer than any. Source: Kubernetes, KEP-5504. */
function numberOf(resourceVersion: string | undefined): number {
  return resourceVersion === undefined || !/^\d{1,15}$/.test(resourceVersion) ? Number.NaN : Number(resourceVersion);
}

/** The resourceVersion of an object of any kind, of which nothing else need be readable. */
export function resourceVersionOf(object: unknown): string | undefined {
  const { metadata } = (object ?? {}) as { metadata?: { resourceVersion?: unknown } | null };
  return typeof metadata?.resourceVersion === 'string' ? metadata.resourceVersion : undefined;
}
