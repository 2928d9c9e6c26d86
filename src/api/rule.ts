/**
 * Rules that a schema alone cannot say, each written twice side by side: in CEL for the API server,
 * and as a predicate for ourselves, since a CRD may be older than the program that reads its objects.
 */

import type { z } from 'zod';

export interface Rule<T> {
  /** True if the value (`self`) is in order. Source of the language: Kubernetes, "Common Expression Language". */
  readonly cel: string;
  /** The same; absent from a rule on a change, of which only the API server sees both sides. */
  readonly holds?: (value: T) => boolean;
  /** A sentence for the object's author: what is wrong, and what mends it. */
  readonly message: string;
  /** The field of the value that is at fault. */
  readonly field?: keyof T & string;
  readonly reason?: 'FieldValueForbidden' | 'FieldValueRequired';
}

/** The schema with the rules, for our own parser and for the CRD that is made from it. */
export function withRules<S extends z.ZodType>(schema: S, rules: readonly Rule<z.output<S>>[]): S {
  const checked = rules.reduce(
    (ruled, { holds, message, field }) =>
      holds ? ruled.refine(holds, { error: message, path: field ? [field] : [] }) : ruled,
    schema,
  );
  return checked.meta({ 'x-kubernetes-validations': rules.map(validation) });
}

function validation({ cel, message, field, reason }: Omit<Rule<never>, 'holds'> & { field?: string }): object {
  return { rule: cel, message, ...(field && { fieldPath: `.${field}` }), ...(reason && { reason }) };
}

/** A text that matches the pattern; it must mean the same in JavaScript and in RE2. */
export function matching(pattern: RegExp, message: string): Rule<string> {
  return { cel: `self.matches(${celPattern(pattern)})`, holds: (text) => pattern.test(text), message };
}

/** A pattern as CEL writes it. */
export function celPattern({ source }: RegExp): string {
  // A regular expression's source escapes `/`, which RE2 takes for an error.
  return `r'${source.replaceAll('\\/', '/')}'`;
}
