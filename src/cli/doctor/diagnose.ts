/** What all checks say of what was seen. */

import type { Check, CheckContext, Finding } from './check.ts';
import type { Gathered } from './gather.ts';
import { titleOf } from './kinds.ts';
import type { Kind } from './observations.ts';

export interface CheckResult {
  readonly check: Check;
  /** Undefined: it could not be made. */
  readonly findings: readonly Finding[] | undefined;
}

/** Kinds of objects that were not looked at, for one reason. */
export interface NotLookedAt {
  readonly kinds: readonly string[];
  readonly why: string;
  /** Names of the checks that say less, or nothing, without them. */
  readonly checks: readonly string[];
}

export interface Diagnosis {
  readonly results: readonly CheckResult[];
  readonly notLookedAt: readonly NotLookedAt[];
  /** Nodes with GPUs; undefined if nodes were not looked at. */
  readonly nodes: number | undefined;
}

/** Makes all checks; pure. */
export function diagnose(checks: readonly Check[], { seen, unseen }: Gathered, context: CheckContext): Diagnosis {
  const results = checks.map((check) => ({ check, findings: check.run(seen, context) }));
  return { results, notLookedAt: reasons(checks, unseen), nodes: seen.nodes?.length };
}

function reasons(checks: readonly Check[], unseen: ReadonlyMap<Kind, string>): NotLookedAt[] {
  const byWhy = Map.groupBy(unseen, ([, why]) => why);
  return [...byWhy].map(([why, entries]) => {
    const kinds = entries.map(([kind]) => kind);
    const touched = checks.filter(({ needs, uses }) => [...needs, ...uses].some((kind) => kinds.includes(kind)));
    return { why, kinds: kinds.map(titleOf), checks: touched.map(({ name }) => name) };
  });
}

/** All findings, errors first, in the order of the checks. */
export function findingsOf({ results }: Diagnosis): (Finding & { readonly check: string })[] {
  const all = results.flatMap(({ check, findings = [] }) =>
    findings.map((finding) => ({ check: check.name, ...finding })),
  );
  return [
    ...all.filter(({ severity }) => severity === 'error'),
    ...all.filter(({ severity }) => severity === 'warning'),
  ];
}
