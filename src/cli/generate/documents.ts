/** YAML documents with comments before each. */

import { stringify } from 'yaml';
import { printable } from '../printable.ts';

export interface CommentedDocument {
  /** Lines, without `#`. */
  readonly comments: readonly string[];
  readonly value: unknown;
}

/** What was generated: as text, and what is to be said beside it. */
export interface Generated {
  readonly documents: readonly CommentedDocument[];
  readonly notes: readonly string[];
}

/** kubectl reads YAML 1.1, in which a NodePool called `on` is `true` unless it is quoted. */
const AS_KUBECTL = { version: '1.1' } as const;

export function asYaml(documents: readonly CommentedDocument[]): string {
  return documents
    .map(({ comments, value }) => {
      const lines = comments.map((line) => `# ${printable(line)}\n`).join('');
      return `${lines}${stringify(value, { lineWidth: 0, ...AS_KUBECTL })}`;
    })
    .join('---\n');
}
