/** A kind of object, kept as one record each: what a reflector tells becomes `set` and `delete`, and only for what changed. */

import type { Feed } from './cluster-state.ts';

export interface RecordFeedOptions<T> {
  /** What is kept of an object, as plain data; without a record nothing is. Undefined: it cannot be read. */
  readonly read: (object: unknown) => { readonly key: string; readonly record: T | undefined } | undefined;
  readonly set: (key: string, record: T) => void;
  readonly delete: (key: string) => void;
}

export function recordFeed<T>(options: RecordFeedOptions<T>): Feed {
  const contents = new Map<string, string>();
  const remove = (key: string) => {
    if (contents.delete(key)) options.delete(key);
  };
  const set = (object: unknown): string | undefined => {
    const read = options.read(object);
    if (!read) return undefined;
    const { key, record } = read;
    if (record === undefined) {
      remove(key);
      return key;
    }
    // Heartbeats and other people's fields change nothing that is kept.
    const content = JSON.stringify(record);
    if (contents.get(key) !== content) {
      contents.set(key, content);
      options.set(key, record);
    }
    return key;
  };
  return {
    listing: () => {
      const present = new Set<string>();
      return {
        page: (objects) => {
          for (const object of objects) {
            const key = set(object);
            if (key !== undefined) present.add(key);
          }
        },
        done: () => {
          for (const key of [...contents.keys()]) if (!present.has(key)) remove(key);
        },
      };
    },
    changed: (object) => void set(object),
    deleted: (object) => {
      const read = options.read(object);
      if (read) remove(read.key);
    },
  };
}
