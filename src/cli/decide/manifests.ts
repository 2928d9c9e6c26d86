/** Kubernetes manifests as people keep them: YAML or JSON, one or many, lists of kubectl included. */

import { type Document, isNode, LineCounter, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { formatIssues } from '../../api/kubernetes.ts';
import { InputError } from '../input-error.ts';

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string().min(1),
  metadata: z.looseObject({ name: z.string().optional(), namespace: z.string().optional() }).nullish(),
});
const listSchema = z.looseObject({ kind: z.string().endsWith('List'), items: z.array(z.unknown()) });
type KubernetesObject = z.infer<typeof objectSchema>;

export interface Manifest {
  /** Of the file, for messages. */
  readonly file: string;
  readonly object: KubernetesObject;
  /** `FILE:LINE:COLUMN` of the object, or of what is in it there. */
  readonly at: (path?: readonly PropertyKey[]) => string;
}

/**
 * @param file its name, for messages
 * @throws InputError with the place of the fault
 */
export function readManifests(file: string, text: string): Manifest[] {
  return quickly(file, text) ?? documentsOf(file, text).flatMap(({ value, at }) => manifestsOf(file, value, at));
}

/** A fast path for JSON: the YAML parser, slow on large snapshots, is used only where a fault is to be reported. */
function quickly(file: string, text: string): Manifest[] | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined;
  try {
    const slowly = (path: readonly PropertyKey[]) => documentsOf(file, text)[0]?.at(path) ?? file;
    return manifestsOf(file, JSON.parse(text), slowly);
  } catch {
    return undefined;
  }
}

function manifestsOf(file: string, value: unknown, at: (path: readonly PropertyKey[]) => string): Manifest[] {
  const list = listSchema.safeParse(value);
  const items = list.success ? list.data.items : [value];
  return items.map((item, i) => {
    const base = list.success ? ['items', i] : [];
    const parsed = objectSchema.safeParse(item);
    const place = (path: readonly PropertyKey[] = []) => at([...base, ...path]);
    if (parsed.success) return { file, object: parsed.data, at: place };
    throw new InputError(`${place(parsed.error.issues[0]?.path)}: no Kubernetes object: ${formatIssues(parsed.error)}`);
  });
}

interface Placed {
  readonly value: unknown;
  readonly at: (path: readonly PropertyKey[]) => string;
}

function documentsOf(file: string, text: string): Placed[] {
  const lines = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line || 1}:${col || 1}`;
  };
  return parseAllDocuments(text, { lineCounter: lines, prettyErrors: false }).flatMap((document) => {
    const [error] = document.errors;
    if (error && text.includes('{{'))
      throw new InputError(`${at(error.pos[0])}: this is a template: helm template … | gpu-autoscaler decide -f -`);
    if (error) throw new InputError(`${at(error.pos[0])}: ${error.message}`);
    const value = toValue(document, at(offsetOf(document, [])));
    return value === null ? [] : [{ value, at: (path) => at(offsetOf(document, path)) }];
  });
}

function toValue(document: Document, place: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    // Aliases to nothing, or so many that they would fill the memory.
    throw new InputError(`${place}: ${(error as Error).message}`, { cause: error });
  }
}

/** Where something stands; where there is none, where what should hold it stands. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  const node = path.length === 0 ? document.contents : document.getIn(path, true);
  if (isNode(node) && node.range) return node.range[0];
  return path.length === 0 ? 0 : offsetOf(document, path.slice(0, -1));
}
