/** The document of all versions that were run: one row each, and what failed. A new run takes the place of an old one. Pure. */

import { type Outcome, totalsOf } from './outcome.ts';
import { compareVersions } from './versions.ts';

export interface VersionRun {
  readonly outcome: Outcome;
  /** `1.34.4`. */
  readonly version: string;
  /** `2026-01-31`. */
  readonly date: string;
  readonly machine: string;
  readonly seconds: number;
}

const HEAD = ['Kubernetes', 'passed', 'failed', 'skipped', 'date', 'machine', 'took'];
const ALIGN = ['---', '---:', '---:', '---:', '---', '---', '---:'];

/** Of each version that a document has: its row, and its section where something failed. */
interface Entry {
  readonly row: string;
  readonly section?: string | undefined;
}

/** Versions in a document: `1.34.4`. */
export function versionsIn(document: string): string[] {
  return [...readEntries(document).keys()];
}

/** @param before the document so far; undefined for the first run */
export function addRun(before: string | undefined, run: VersionRun): string {
  const entries = readEntries(before ?? '');
  entries.set(run.version, { row: rowOf(run), section: sectionOf(run) });
  const sorted = [...entries].sort(([a], [b]) => compareVersions(a, b)).map(([, entry]) => entry);
  return [
    '# Versions of Kubernetes',
    '',
    'Do the contract and integration tests pass on the control plane of this version?',
    '',
    line(HEAD),
    line(ALIGN),
    ...sorted.map(({ row }) => row),
    '',
    ...sorted.flatMap(({ section }) => (section === undefined ? [] : [section, ''])),
    'Method: kube-apiserver, kube-scheduler and kube-controller-manager are built from the Go modules of the version; etcd, ' +
      'kwok and helm are those of all other tests; figures count assertions. A file that fails is run once more, alone, as ' +
      'a busy machine fails some: what that says counts.',
    '',
    'Written by `npm run test:compat -- VERSION`, each row by a run of its own.',
    '',
  ].join('\n');
}

function readEntries(document: string): Map<string, Entry> {
  const sections = new Map(
    [...document.matchAll(/^## Failed on (\S+)\n\n(?:- .*\n| {2}- .*\n)+/gm)].map(([text, version]) => [
      version,
      text.trimEnd(),
    ]),
  );
  const rows = document.matchAll(/^\| (1\.\d+\.\d+) \|.*$/gm);
  return new Map([...rows].map(([row, version = '']) => [version, { row, section: sections.get(version) }]));
}

function rowOf({ version, outcome, date, machine, seconds }: VersionRun): string {
  const { passed, failed, skipped } = totalsOf(outcome);
  return line([version, ...[passed, failed, skipped].map(String), date, machine, `${seconds} s`]);
}

/** Files that failed, the first time at least. */
function sectionOf({ version, outcome }: VersionRun): string | undefined {
  const files = outcome.filter(({ ok, again }) => !ok || again).sort((a, b) => a.file.localeCompare(b.file));
  if (files.length === 0) return undefined;
  const entries = files.flatMap(({ file, ok, failures }) => [
    `- \`${file}\`${ok ? ': passed when it was run again' : failures.length === 0 ? ': ended badly' : ''}`,
    ...failures.map((name) => `  - ${name}`),
  ]);
  return [`## Failed on ${version}`, '', ...entries].join('\n');
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
