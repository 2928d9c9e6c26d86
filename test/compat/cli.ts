/** `npm run test:compat`: the tests that need a control plane, on the programs of another version of Kubernetes. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { machine } from '../../bench/report.ts';
import { findPrograms, PROGRAM_NAMES, ProgramsMissingError } from '../cluster/programs.ts';
import { KUBERNETES_PROGRAMS, kubernetesPrograms, resolveVersion } from './build.ts';
import { addRun } from './document.ts';
import { BuildError } from './go.ts';
import { type Outcome, readOutcome, totalsOf, withSecondRun } from './outcome.ts';
import { parseVersion, type VersionQuery } from './versions.ts';

const SUITES = ['test/contract', 'test/integration'];
const DOCUMENT = 'bench/results/kubernetes-versions.md';
const USAGE = `usage: npm run test:compat -- VERSION [FILE… | FOLDER…]

Builds kube-apiserver, kube-scheduler and kube-controller-manager of a version of Kubernetes from its Go modules (once;
about 6 minutes on 2 cores), runs ${SUITES.join(' and ')} on them, files that fail once more, alone, and writes
${DOCUMENT}.

  VERSION       1.34 for the newest patch that the Go module proxy lists, or 1.34.4
  FILE, FOLDER  only these tests; writes nothing
  --build       builds the programs, runs nothing, and prints their folder

It needs Go (https://go.dev/dl), as new as the version asks for, and the Go module proxy. CLUSTER_BIN_DIR is ignored.
`;

const root = resolve(import.meta.dirname, '../..');
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

function readFlags(): { query: VersionQuery; tests: string[]; buildOnly: boolean } {
  try {
    const { values, positionals } = parseArgs({
      options: { build: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
    if (values.help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    const [version, ...tests] = positionals;
    if (version === undefined) throw new Error('which version?');
    const query = parseVersion(version);
    if (!query) throw new Error(`${version} is no version of Kubernetes: write 1.34, or 1.34.4`);
    const missing = tests.find((path) => !existsSync(resolve(root, path)));
    if (missing !== undefined) throw new Error(`there is no ${missing}`);
    return { query, tests, buildOnly: values.build };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

/**
 * Runs all of them, and then those again, one at a time, that failed or of which nothing was said: on a busy machine some
 * time out, and may take others with them.
 */
async function runSuites(programs: string): Promise<Outcome | undefined> {
  const files = SUITES.flatMap((suite) => globSync(`${suite}/**/*.test.ts`, { cwd: root })).sort();
  const first = await runTests(programs, SUITES);
  let outcome = first?.filter(({ file }) => files.includes(file));
  for (const file of files) {
    if (!outcome || outcome.some((each) => each.file === file && each.ok)) continue;
    console.error(`running ${file} again`);
    const second = await runTests(programs, [file]);
    outcome = second && [...withSecondRun(outcome, second)];
  }
  return outcome;
}

/** Runs tests on the programs in a folder, and shows what they print. */
async function runTests(programs: string, tests: readonly string[]): Promise<Outcome | undefined> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'test/run.ts', ...tests], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, CLUSTER_BIN_DIR: programs, CLUSTER_REQUIRED: '1' },
  });
  stopping.signal.addEventListener('abort', () => child.kill());
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    process.stdout.write(text);
    printed += text;
  });
  await once(child, 'close');
  return stopping.signal.aborted ? undefined : readOutcome(printed);
}

/** The folder for CLUSTER_BIN_DIR: the programs of this version, and of all else those that any test runs. */
function gather(kubernetes: string): string {
  const { CLUSTER_BIN_DIR: _, ...env } = process.env;
  const usual = findPrograms({ env, log: console.error });
  const dir = mkdtempSync(join(tmpdir(), 'compat-'));
  for (const name of PROGRAM_NAMES) {
    const ofVersion = KUBERNETES_PROGRAMS.some((each) => each === name);
    symlinkSync(ofVersion ? join(kubernetes, name) : usual[name], join(dir, name));
  }
  return dir;
}

function write(outcome: Outcome, version: string, seconds: number): void {
  const { passed, failed } = totalsOf(outcome);
  console.log(`Kubernetes ${version}: ${passed} passed, ${failed} failed`);
  const file = join(root, DOCUMENT);
  const before = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(file, addRun(before, { outcome, version: version.slice(1), date, machine: machine(), seconds }));
  console.log(`→ ${DOCUMENT}`);
}

const { query, tests, buildOnly } = readFlags();
try {
  const { signal } = stopping;
  const version = await resolveVersion(query, signal);
  const kubernetes = await kubernetesPrograms(version, { env: process.env, log: console.error, signal });
  if (buildOnly) {
    console.log(kubernetes);
  } else {
    const programs = gather(kubernetes);
    try {
      console.error(`running ${(tests.length > 0 ? tests : SUITES).join(', ')} on Kubernetes ${version}`);
      const started = performance.now();
      const outcome = tests.length > 0 ? await runTests(programs, tests) : await runSuites(programs);
      if (!outcome) throw new BuildError('the tests were ended before they said how they went');
      if (tests.length === 0) write(outcome, version, Math.round((performance.now() - started) / 1000));
      if (outcome.some(({ ok }) => !ok)) process.exitCode = 1;
    } finally {
      rmSync(programs, { recursive: true });
    }
  }
} catch (error) {
  if (!(error instanceof BuildError || error instanceof ProgramsMissingError || stopping.signal.aborted)) throw error;
  process.stderr.write(stopping.signal.aborted ? 'stopped\n' : `${(error as Error).message}\n`);
  process.exitCode = stopping.signal.aborted ? 130 : 3;
}
