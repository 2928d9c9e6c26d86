/**
 * Says what each npm script does.
 *
 * usage: npm run help
 */

/** One line for each script of package.json, in the order in which a newcomer wants them. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  help: 'this list',
  demo: 'packs the examples on a real control plane, and counts the GPUs',
  cluster: 'a control plane for kubectl, until Ctrl-C (-- --help tells more)',
  start: 'the program from its sources (-- --help tells more)',
  check: 'format, lint, types, unused code, layers',
  format: 'mends what can be mended of format and lint',
  test: 'all tests; -- FILE or FOLDER for some',
  'test:coverage': 'unit tests, and how much of src/core and src/state they run',
  'test:as-before': '1,000 clusters and pods, with us and without; writes bench/results/as-before.md',
  'test:chaos': '100,000 binds among faults and kills; writes bench/results/chaos.md',
  'test:chaos:partitions': '1,000 changes of partitions among faults; writes bench/results/partition-chaos.md',
  'test:compat': 'tests that need a control plane, on another Kubernetes (-- --help tells more)',
  bench: 'all benches; writes bench/results',
  generate: 'writes what follows from the source: CRDs, schema of values, resources, flags',
  build: 'compiles src into build, as the image does',
  hooks: 'has git check what is committed (.githooks)',
};

if (import.meta.main) {
  const width = Math.max(...Object.keys(SCRIPTS).map((name) => name.length));
  for (const [name, what] of Object.entries(SCRIPTS)) console.log(`npm run ${name.padEnd(width)}  ${what}`);
}
