/** Runs Go: with the machine's own proxy and flags, and with errors in the words of who wants a version of Kubernetes. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

/** A version cannot be built here; the message says what to do. */
export class BuildError extends Error {
  override readonly name = 'BuildError';
}

export interface GoOptions {
  /** Folder to run in; the default has no module. */
  readonly cwd?: string;
  readonly signal?: AbortSignal | undefined;
}

const MODULE = 'k8s.io/kubernetes';
/** What Go says when nothing answers at the module proxy. */
const NO_NETWORK = /dial tcp|no such host|i\/o timeout|connection refused|network is unreachable|TLS handshake/;
const NEWER_GO = /requires go >= ([\d.]+)(?: \(running go ([\d.]+))?/;
const NOT_SERVED = /(?:not found|unknown revision|invalid version|no matching versions|40[34] |410 Gone)/;

/**
 * What Go prints.
 * @throws BuildError
 */
export async function go(args: readonly string[], { cwd = tmpdir(), signal }: GoOptions = {}): Promise<string> {
  const child = spawn('go', args, {
    cwd,
    env: { ...process.env, CGO_ENABLED: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal && { signal }),
  });
  try {
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    if (code !== 0) throw new BuildError(explain(`${stderr}\n${stdout}`));
    return stdout;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new BuildError('go is not on this machine: install Go (https://go.dev/dl), as new as the version asks for');
    }
    throw error;
  }
}

/** Every version of Kubernetes that the Go proxy lists: `v1.34.4`. */
export async function listedVersions(signal?: AbortSignal): Promise<string[]> {
  const printed = await go(['list', '-m', '-json', '-versions', MODULE], { signal });
  return z.object({ Versions: z.array(z.string()).default([]) }).parse(JSON.parse(printed)).Versions;
}

/** Fetches Kubernetes's own module; the path of its go.mod. */
export async function fetchGoMod(version: string, signal?: AbortSignal): Promise<string> {
  const printed = await go(['mod', 'download', '-json', `${MODULE}@${version}`], { signal });
  return z.object({ GoMod: z.string() }).parse(JSON.parse(printed)).GoMod;
}

/** Go's words, and before them what to do, where that is known. */
export function explain(said: string): string {
  // With `-json`, Go puts its error into what it prints.
  const quoted = /^\s*"Error": (".*")$/m.exec(said)?.[1];
  const words = (quoted === undefined ? said : z.string().parse(JSON.parse(quoted)))
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^go: (downloading|finding|extracting) /.test(line))
    .slice(-5)
    .join('\n');
  const newer = NEWER_GO.exec(said);
  if (newer) {
    const running = newer[2] ? `, and this machine has ${newer[2]}` : '';
    return `this version needs Go ${newer[1]}${running}: install it, or name it in GOTOOLCHAIN\n${words}`;
  }
  if (NO_NETWORK.test(said)) return `the Go module proxy (go env GOPROXY) does not answer\n${words}`;
  if (NOT_SERVED.test(said)) return `the Go module proxy (go env GOPROXY) lacks a module\n${words}`;
  return `go failed\n${words}`;
}
