/**
 * Builds kube-apiserver, kube-scheduler and kube-controller-manager of one version, once, into a folder of the project's
 * cache. Knows nothing of tests.
 */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheRoot, versionedFlags } from '../cluster/programs.ts';
import { BuildError, fetchGoMod, go, listedVersions } from './go.ts';
import { goModule } from './go-module.ts';
import { minorsOf, newestPatch, type VersionQuery } from './versions.ts';

/** Programs whose version is that of Kubernetes. */
export const KUBERNETES_PROGRAMS = ['kube-apiserver', 'kube-scheduler', 'kube-controller-manager'] as const;

const HEARTBEAT_MS = 30_000;

export interface BuildOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Receives a line about each slow step. */
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The full version that is meant: `v1.34.4`.
 * @throws BuildError if the Go module proxy lists none
 */
export async function resolveVersion({ minor, patch }: VersionQuery, signal?: AbortSignal): Promise<string> {
  if (patch !== undefined) return `v1.${minor}.${patch}`;
  const listed = await listedVersions(signal);
  const version = newestPatch(minor, listed);
  if (version === undefined) {
    throw new BuildError(`the Go module proxy lists no Kubernetes 1.${minor}; it has ${minorsOf(listed).join(', ')}`);
  }
  return version;
}

/**
 * The folder with the programs of a version; builds them (minutes) if it is not there.
 * @param version `v1.34.4`
 * @throws BuildError
 */
export async function kubernetesPrograms(version: string, { env, log, signal }: BuildOptions): Promise<string> {
  const root = cacheRoot(env);
  const cache = join(root, `kubernetes-${version}`);
  if (complete(cache)) return cache;
  const goMod = goModule(version, readFileSync(await fetchGoMod(version, signal), 'utf8'));
  log(`building Kubernetes ${version} with Go into ${cache} (once; about 6 minutes on 2 cores, 3 GB of disk)`);
  mkdirSync(root, { recursive: true });
  // Renamed when it is whole: a run that is ended leaves no half cache.
  const staging = mkdtempSync(`${cache}.`);
  try {
    writeFileSync(join(staging, 'go.mod'), goMod);
    for (const name of KUBERNETES_PROGRAMS) await build(name, version, staging, { env, log, signal });
    if (!complete(cache)) {
      rmSync(cache, { recursive: true, force: true });
      renameSync(staging, cache);
    }
    return cache;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

function complete(dir: string): boolean {
  return KUBERNETES_PROGRAMS.every((name) => existsSync(join(dir, name)));
}

async function build(name: string, version: string, dir: string, { log, signal }: BuildOptions): Promise<void> {
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 1000);
  log(`  ${name} …`);
  const heartbeat = setInterval(() => log(`  ${name} … ${seconds()} s`), HEARTBEAT_MS);
  try {
    const flags = ['-mod=mod', '-trimpath', '-ldflags', versionedFlags(version)];
    await go(['build', ...flags, '-o', join(dir, name), `k8s.io/kubernetes/cmd/${name}`], { cwd: dir, signal });
  } finally {
    clearInterval(heartbeat);
  }
  log(`  ${name} built in ${seconds()} s`);
}
