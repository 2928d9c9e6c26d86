/** A component's configuration as it reads it: YAML, and of one form. */

import { parse } from 'yaml';
import type { z } from 'zod';
import { formatIssues } from '../../api/kubernetes.ts';
import type { Parsed } from '../../core/units.ts';

export function readYaml<T>(text: string, schema: z.ZodType<T>): Parsed<T> {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    return { ok: false, reason: (error as Error).message };
  }
  const parsed = schema.safeParse(document);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, reason: formatIssues(parsed.error) };
}
