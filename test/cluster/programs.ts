/**
 * Finds the programs of the control plane, or makes them. Knows where they come from; does not
 * know how they are started.
 *
 * Order: the folder in CLUSTER_BIN_DIR; our cache folder; a prebuilt archive, unpacked into the
 * cache; a build with Go, from the modules in `go/`, into the cache; else a sentence that says what
 * to install.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const here = import.meta.dirname;
const projectRoot = resolve(here, '../..');

/** The Kubernetes release whose programs we run; must agree with go/kubernetes/go.mod. */
const KUBERNETES_VERSION = 'v1.36.3';

/** Go import path of each program, and the module folder in `go/` that pins its version. */
const SOURCES = {
  etcd: { module: 'etcd', path: 'go.etcd.io/etcd/server/v3' },
  'kube-apiserver': { module: 'kubernetes', path: 'k8s.io/kubernetes/cmd/kube-apiserver' },
  'kube-scheduler': { module: 'kubernetes', path: 'k8s.io/kubernetes/cmd/kube-scheduler' },
  'kube-controller-manager': { module: 'kubernetes', path: 'k8s.io/kubernetes/cmd/kube-controller-manager' },
  kwok: { module: 'kwok', path: 'sigs.k8s.io/kwok/cmd/kwok' },
  helm: { module: 'helm', path: 'helm.sh/helm/v4/cmd/helm' },
} as const;

export type ProgramName = keyof typeof SOURCES;
export const PROGRAM_NAMES = Object.keys(SOURCES) as ProgramName[];

/** Absolute path of each program. */
export type Programs = Readonly<Record<ProgramName, string>>;

export interface FindOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Receives a line about each slow step. */
  readonly log: (line: string) => void;
  /** Folders to look in for `*.tar.xz`; the default is `shared/cluster` beside the project. */
  readonly archiveDirs?: readonly string[];
}

/** The programs cannot be had on this machine; the message says what to do. */
export class ProgramsMissingError extends Error {
  override readonly name = 'ProgramsMissingError';
}

/**
 * Paths of all programs; may unpack (seconds) or build (many minutes) on first use.
 * @throws ProgramsMissingError when no way is left
 */
export function findPrograms(options: FindOptions): Programs {
  const { env, log } = options;
  const given = env.CLUSTER_BIN_DIR;
  if (given) {
    const missing = missingIn(given);
    if (missing.length > 0) {
      throw new ProgramsMissingError(`CLUSTER_BIN_DIR=${given} lacks ${missing.join(', ')}`);
    }
    return programsIn(given);
  }
  const cache = cacheDir(env);
  if (missingIn(cache).length === 0) return programsIn(cache);
  mkdirSync(dirname(cache), { recursive: true });

  const archive = findArchive(options.archiveDirs ?? [resolve(projectRoot, '../shared/cluster')]);
  if (archive) {
    log(`unpacking the control plane from ${archive} into ${cache} (once; a few seconds)`);
    intoCache(cache, (staging) => run('tar', ['-xJf', archive, '-C', staging], {}));
  } else {
    requireGo();
    build(cache, log);
  }
  const missing = missingIn(cache);
  if (missing.length > 0) throw new ProgramsMissingError(`${cache} still lacks ${missing.join(', ')}`);
  return programsIn(cache);
}

/** One folder for each set of versions, so that a change of a go.mod never serves an old program. */
function cacheDir(env: FindOptions['env']): string {
  const hash = createHash('sha256').update(KUBERNETES_VERSION);
  for (const module of new Set(PROGRAM_NAMES.map((name) => SOURCES[name].module))) {
    hash.update(readFileSync(join(here, 'go', module, 'go.mod')));
  }
  return join(cacheRoot(env), `control-plane-${hash.digest('hex').slice(0, 12)}`);
}

/** The project's folder for what is slow to make and can be made again. */
export function cacheRoot(env: FindOptions['env']): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'gpu-autoscaler');
}

function missingIn(dir: string): ProgramName[] {
  return PROGRAM_NAMES.filter((name) => !existsSync(join(dir, name)));
}

function programsIn(dir: string): Programs {
  return Object.fromEntries(PROGRAM_NAMES.map((name) => [name, resolve(dir, name)])) as Record<ProgramName, string>;
}

function findArchive(dirs: readonly string[]): string | undefined {
  const suffix = `-${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}.tar.xz`;
  for (const dir of dirs) {
    const file = existsSync(dir) ? readdirSync(dir).find((name) => name.endsWith(suffix)) : undefined;
    if (file) return join(dir, file);
  }
  return undefined;
}

function requireGo(): void {
  if (spawnSync('go', ['version']).status !== 0) {
    throw new ProgramsMissingError(
      'The control plane is not on this machine. Set CLUSTER_BIN_DIR to a folder with ' +
        `${PROGRAM_NAMES.join(', ')}, or install Go 1.26 or newer (https://go.dev/dl) and run this again: it builds them once.`,
    );
  }
}

function build(cache: string, log: (line: string) => void): void {
  const started = performance.now();
  log(`building the control plane with Go into ${cache} (once; about 10 minutes on 2 cores, 3 GB of disk)`);
  intoCache(cache, (staging) => {
    for (const name of PROGRAM_NAMES) {
      const { module, path } = SOURCES[name];
      const since = performance.now();
      run(
        'go',
        [
          'build',
          '-trimpath',
          '-ldflags',
          module === 'kubernetes' ? versionedFlags(KUBERNETES_VERSION) : STRIP,
          '-o',
          join(staging, name),
          path,
        ],
        {
          cwd: join(here, 'go', module),
          env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local' },
        },
      );
      log(`  ${name} built in ${Math.round((performance.now() - since) / 1000)} s`);
    }
  });
  log(`the control plane was built in ${Math.round((performance.now() - started) / 1000)} s`);
}

const STRIP = '-s -w';

/**
 * Flags for Go's linker. Without a version the servers call themselves v0.0.0-master, which helm's and kubectl's checks
 * refuse.
 *
 * @param version `v1.36.3`
 */
export function versionedFlags(version: string): string {
  const [major, minor] = version.slice(1).split('.');
  const stamps = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((pkg) => [
    `-X ${pkg}.gitVersion=${version}`,
    `-X ${pkg}.gitMajor=${major}`,
    `-X ${pkg}.gitMinor=${minor}`,
    `-X ${pkg}.gitTreeState=clean`,
  ]);
  return [STRIP, ...stamps].join(' ');
}

/** Fills a staging folder and renames it, so that a killed run or two runs at once leave no half cache. */
function intoCache(cache: string, fill: (staging: string) => void): void {
  const staging = mkdtempSync(`${cache}.`);
  try {
    fill(staging);
    // Another run may have won in the meantime: then its folder is as good as ours.
    if (missingIn(cache).length > 0) {
      rmSync(cache, { recursive: true, force: true });
      renameSync(staging, cache);
    }
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

function run(command: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv }): void {
  const result = spawnSync(command, args, { ...options, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  if (result.status !== 0) {
    const why = result.error?.message ?? result.stderr.trim().split('\n').slice(-5).join('\n');
    throw new ProgramsMissingError(`${command} ${args.slice(0, 2).join(' ')} … failed: ${why}`);
  }
}
