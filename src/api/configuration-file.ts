/** Parser of the configuration file; reports each fault with its place. */

import { distance } from 'fastest-levenshtein';
import { type Document, isMap, isNode, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { type Configuration, configurationSchema } from './configuration.ts';

export type ParsedConfiguration =
  | { readonly ok: true; readonly configuration: Configuration }
  /** `config.yaml:3:5: sharing.mps.maxClients: …`, one for each fault. */
  | { readonly ok: false; readonly faults: readonly string[] };

/** @param name of the file, for messages */
export function parseConfiguration(text: string, name: string): ParsedConfiguration {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number | undefined) => {
    const { line, col } = lines.linePos(offset ?? 0);
    return `${name}:${line || 1}:${col || 1}`;
  };
  if (document.errors.length > 0) {
    return refused(
      document.errors.map(({ code, message, pos }) => `${at(pos[0])}: ${code === 'MULTIPLE_DOCS' ? SEVERAL : message}`),
    );
  }
  let values: unknown;
  try {
    values = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    // An alias of nothing, or so many that they would fill the memory.
    return { ok: false, faults: [`${at(0)}: the file: ${(error as Error).message}`] };
  }
  // An empty file is all defaults.
  const parsed = configurationSchema.safeParse(values ?? {});
  if (parsed.success) return { ok: true, configuration: parsed.data };
  return refused(
    parsed.error.issues.flatMap((issue) => {
      const { path, message } = issue;
      if (issue.code !== 'unrecognized_keys') return `${at(offsetOf(document, path))}: ${dotted(path)}: ${message}`;
      return issue.keys.map((key) => {
        const guess = closest(key, keysAt(path));
        const place = at(offsetOf(document, path, key));
        return `${place}: ${dotted([...path, key])}: there is no such key${guess === undefined ? '' : `; did you mean ${guess}?`}`;
      });
    }),
  );
}

const SEVERAL = 'the file holds several documents (---): leave one';
/** Most faults that are reported at a time. */
const MAX_FAULTS = 20;

function refused(faults: readonly string[]): ParsedConfiguration {
  const more = faults.length - MAX_FAULTS;
  const shown = faults.slice(0, MAX_FAULTS).map((fault) => fault.slice(0, 1_000));
  return { ok: false, faults: more > 0 ? [...shown, `and ${more} more`] : shown };
}

function dotted(path: readonly PropertyKey[]): string {
  return path.length === 0 ? 'the file' : path.map(String).join('.');
}

/** Where a key, or else a value, stands; where there is none, where what should hold it stands. */
function offsetOf(document: Document, path: readonly PropertyKey[], key?: string): number | undefined {
  const holder = document.getIn(path, true);
  const pair = isMap(holder) ? holder.items.find((item) => String(item.key) === key) : undefined;
  if (isNode(pair?.key)) return pair.key.range?.[0];
  if (isNode(holder) || path.length === 0) return isNode(holder) ? holder.range?.[0] : undefined;
  return offsetOf(document, path.slice(0, -1));
}

/** The keys that the schema has at a place. */
function keysAt(path: readonly PropertyKey[]): string[] {
  let schema: unknown = configurationSchema;
  for (const step of path) schema = shapeOf(schema)?.[String(step)];
  return Object.keys(shapeOf(schema) ?? {});
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  const { shape, def } = (schema ?? {}) as { shape?: Record<string, unknown>; def?: { innerType?: z.ZodType } };
  return shape ?? (def?.innerType && shapeOf(def.innerType));
}

/** The most alike, where it is alike at all. */
function closest(key: string, candidates: readonly string[]): string | undefined {
  const lower = key.toLowerCase();
  const [best] = candidates
    .map((candidate) => ({ candidate, far: distance(lower, candidate.toLowerCase()) }))
    .sort((a, b) => a.far - b.far);
  return best && best.far <= Math.max(2, Math.floor(key.length / 3)) ? best.candidate : undefined;
}
