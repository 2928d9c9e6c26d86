/** Each file of the core, the state, the planner, the reconciler and the audit has a test where one looks for it, or its suite here. */

import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import tap from 'tap';

const root = resolve(import.meta.dirname, '../..');

/** Files whose test is a suite of several, under `test/unit`; '' for data alone, which has nothing to run. */
const SUITES: Readonly<Record<string, string>> = {
  'audit/metrics.ts': 'audit/policy-status-writer.test.ts',
  'core/admission/decision-context.ts': '',
  'core/admission/decision-input.ts': '',
  'core/admission/gates.ts': 'core/admission/decide.test.ts',
  'core/admission/policy.ts': '',
  'core/taints.ts': 'api/pod-preferences.test.ts',
  'core/mig/layouts.ts': 'core/mig/geometry.test.ts',
  'core/partitioning/baseline-placement.ts': 'core/partitioning/plan.test.ts',
  'core/partitioning/candidate-changes.ts': 'core/partitioning/plan.test.ts',
  'core/partitioning/plan-input.ts': '',
  'core/partitioning/candidate-partitions.ts': 'core/partitioning/plan.test.ts',
  'core/simulation/arrivals.ts': 'core/simulation/simulation.test.ts',
  'core/simulation/curve.ts': 'core/simulation/simulation.test.ts',
  'core/simulation/replay.ts': 'core/simulation/simulation.test.ts',
  'core/simulation/run.ts': 'core/simulation/simulation.test.ts',
  'core/simulation/synthetic.ts': 'core/simulation/simulation.test.ts',
  'planner/metrics.ts': 'planner/planner.test.ts',
  'reconciler/next-step/steps.ts': 'reconciler/next-step/at-rest.test.ts',
  'reconciler/step.ts': '',
  'state/dialects/dialect.ts': 'state/dialects/gpu-feature-discovery.test.ts',
  'state/dialects/registry.ts': 'state/dialects/gpu-feature-discovery.test.ts',
  'state/ledger-view.ts': 'state/cluster-state.test.ts',
};

tap.test('each file has its test, or a suite that is its test', async (t) => {
  const files = globSync(
    ['core', 'state', 'planner', 'reconciler', 'audit'].map((folder) => `${folder}/**/*.ts`),
    {
      cwd: join(root, 'src'),
    },
  );
  t.ok(files.length > 80, `${files.length} files`);
  for (const file of files) {
    const mirror = existsSync(join(root, 'test/unit', file.replace(/\.ts$/, '.test.ts')));
    const suite = SUITES[file];
    t.ok(mirror || suite !== undefined, `${file} has a test, or an entry here`);
    t.notOk(mirror && suite !== undefined, `${file} has a test of its own: its entry here is left over`);
    if (suite) t.ok(existsSync(join(root, 'test/unit', suite)), suite);
  }
  t.same(
    Object.keys(SUITES).filter((file) => !files.includes(file)),
    [],
    'no entry for a file that is gone',
  );
});

tap.test('what is said to be data alone has nothing to run', async (t) => {
  for (const [file, suite] of Object.entries(SUITES)) {
    if (suite !== '') continue;
    const text = readFileSync(join(root, 'src', file), 'utf8');
    t.notMatch(text, /^export (async )?(function|class)\b/m, file);
  }
});
