/** A table of results as a document that says how it came about. No figure in the project is typed by hand. */

import { availableParallelism, cpus, totalmem } from 'node:os';
import type { Scenario, Table } from './scenario.ts';

/** @param command what writes the document */
export function report(
  { name, question, method }: Omit<Scenario, 'run'>,
  { head, rows }: Table,
  seconds: number,
  command: string,
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    `# ${name}`,
    '',
    question,
    '',
    line(head),
    line(head.map((_, column) => (column === 0 ? '---' : '---:'))),
    ...rows.map(line),
    '',
    `Method: ${method}`,
    '',
    `Written by \`${command}\` on ${new Date().toISOString().slice(0, 10)}, ${machine()}, Node.js ${process.version}, in ${seconds} s.`,
    '',
  ].join('\n');
}

/** What this machine is: `2 cores (AMD EPYC), 24 GiB`. */
export function machine(): string {
  return `${availableParallelism()} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB`;
}
