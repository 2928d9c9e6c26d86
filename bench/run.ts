/**
 * Runs scenarios and writes `bench/results/NAME.md`. No figure in the project is typed by hand.
 *
 * usage: npm run bench [-- NAME…]
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { columns } from '#src/cli/gpu-grid.ts';
import { report } from './report.ts';
import type { Scenario } from './scenario.ts';
import { admissionLatency } from './scenarios/admission-latency.ts';
import { coldStart } from './scenarios/cold-start.ts';
import { controllerColdStart } from './scenarios/controller-cold-start.ts';
import { decisionCost } from './scenarios/decision-cost.ts';
import { eventCost } from './scenarios/event-cost.ts';
import { filterLatency } from './scenarios/filter-latency.ts';
import { historyRefresh } from './scenarios/history-refresh.ts';
import { jsonCost } from './scenarios/json-cost.ts';
import { ledgerClone } from './scenarios/ledger-clone.ts';
import { migLayout } from './scenarios/mig-layout.ts';
import { openb } from './scenarios/openb.ts';
import { partitionLatency } from './scenarios/partition-latency.ts';
import { planning } from './scenarios/planning.ts';
import { throughput } from './scenarios/throughput.ts';

const SCENARIOS: readonly Scenario[] = [
  filterLatency,
  admissionLatency,
  jsonCost,
  throughput,
  coldStart,
  controllerColdStart,
  migLayout,
  planning,
  partitionLatency,
  openb,
  decisionCost,
  ledgerClone,
  eventCost,
  historyRefresh,
];
const RESULTS = join(import.meta.dirname, 'results');

const wanted = process.argv.slice(2);
const names = SCENARIOS.map(({ name }) => name);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0 || wanted.includes('--help')) {
  process.stderr.write(`usage: npm run bench [-- NAME…]\nscenarios: ${names.join(', ')}\n`);
  process.exit(wanted.includes('--help') ? 0 : 2);
}

mkdirSync(RESULTS, { recursive: true });
for (const scenario of SCENARIOS) {
  if (wanted.length > 0 && !wanted.includes(scenario.name)) continue;
  console.log(`${scenario.name}: ${scenario.question}`);
  const started = performance.now();
  const table = await scenario.run((line) => console.log(`  ${line}`));
  const seconds = Math.round((performance.now() - started) / 1000);
  const file = join(RESULTS, `${scenario.name}.md`);
  writeFileSync(file, report(scenario, table, seconds, `npm run bench -- ${scenario.name}`));
  console.log(`${columns(table.head, table.rows)}\n→ bench/results/${scenario.name}.md (${seconds} s)\n`);
}
