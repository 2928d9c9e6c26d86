/** Kubernetes manifests as people keep them: YAML or JSON, one or many, lists of kubectl included. */

import { LineCounter, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { faults } from '../../api/kubernetes.ts';
import { InputError } from '../input-error.ts';

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string().min(1),
  metadata: z.looseObject({ name: z.string().optional(), namespace: z.string().optional() }).nullish(),
});
const listSchema = z.looseObject({ kind: z.string().endsWith('List'), items: z.array(z.unknown()) });
export type Manifest = z.infer<typeof objectSchema>;

/**
 * @param name of the file, for messages
 * @throws InputError with the place of the fault
 */
export function readManifests(name: string, text: string): Manifest[] {
  return documentsOf(name, text).flatMap((document, i) => {
    const list = listSchema.safeParse(document);
    const items = list.success ? list.data.items : [document];
    return items.map((item, j) => {
      const parsed = objectSchema.safeParse(item);
      if (parsed.success) return parsed.data;
      const place = list.success ? `item ${j + 1}` : `document ${i + 1}`;
      throw new InputError(`${name}: ${place}: no Kubernetes object: ${faults(parsed.error)}`);
    });
  });
}

function documentsOf(name: string, text: string): unknown[] {
  // A cluster's snapshot may be large, and the YAML parser is slow on that.
  if (/^\s*[{[]/.test(text)) {
    try {
      return [JSON.parse(text)];
    } catch {
      // Let the YAML parser, which reads JSON as well, say where.
    }
  }
  const lines = new LineCounter();
  return parseAllDocuments(text, { lineCounter: lines, prettyErrors: false }).flatMap((document) => {
    const [error] = document.errors;
    if (error) {
      const { line, col } = lines.linePos(error.pos[0]);
      throw new InputError(`${name}:${line}:${col}: ${error.message}`);
    }
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return value === null ? [] : [value];
  });
}
