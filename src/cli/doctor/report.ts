/** A diagnosis for people, and for programs. */

import { printable, printableLines } from '../printable.ts';
import { type Diagnosis, findingsOf } from './diagnose.ts';

/** One line for each finding with its fix below, what was not looked at, and a summary. */
export function asText(diagnosis: Diagnosis): string {
  const findings = findingsOf(diagnosis);
  const lines = findings.flatMap(({ severity, check, message, fix }) => [
    `${severity.padEnd('warning'.length)}  ${check}: ${message}`,
    `         fix: ${fix}`,
  ]);
  const missed = diagnosis.notLookedAt.map(
    ({ kinds, why, checks }) => `not looked at: ${kinds.join(', ')} (${why}); concerns ${checks.join(', ')}`,
  );
  return `${[...lines, ...missed, summary(diagnosis)].map(printable).join('\n')}\n`;
}

function summary(diagnosis: Diagnosis): string {
  const { results, nodes } = diagnosis;
  const made = results.filter(({ findings }) => findings !== undefined).length;
  const checks = made === results.length ? count(made, 'check') : `${made} of ${count(results.length, 'check')}`;
  const looked = nodes === undefined ? checks : `${count(nodes, 'GPU node')}, ${checks}`;
  const found = findingsOf(diagnosis);
  const errors = found.filter(({ severity }) => severity === 'error').length;
  const verdict =
    found.length === 0 ? 'nothing found' : `${count(errors, 'error')}, ${count(found.length - errors, 'warning')}`;
  return `checked ${looked}: ${verdict}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** Stable: fields are added, never changed; every item has all of them. */
export function asJson(diagnosis: Diagnosis): string {
  const { results, notLookedAt, nodes } = diagnosis;
  const checks = results.map(({ check: { name, about }, findings }) => ({
    name,
    about,
    result: findings === undefined ? 'unknown' : findings.length > 0 ? 'found' : 'fine',
  }));
  const items = findingsOf(diagnosis).map(({ check, severity, message, fix, objects }) => ({
    check,
    severity,
    message,
    fix,
    objects,
  }));
  const list = {
    apiVersion: 'gpu-autoscaler.io/v1',
    kind: 'FindingList',
    items,
    checks,
    notLookedAt,
    gpuNodes: nodes ?? null,
  };
  return `${printableLines(JSON.stringify(list, null, 2))}\n`;
}
