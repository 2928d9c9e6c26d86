/**
 * Child processes in a folder of their own that never outlive us: a guardian (a few lines of
 * shell, in a session of its own) holds the other end of a pipe, and when that closes, however we
 * ended, it kills them and removes the folder.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const GUARDIAN = `
while read -r line; do
  if [ "$line" = done ]; then exit 0; fi
  pids="$pids $line"
done
if [ -n "$pids" ]; then kill -9 $pids 2>/dev/null; fi
sleep 0.2
rm -rf "$1"`;

/** ms that a program gets to end by itself. */
const GRACE_MS = 5_000;

export interface Running {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Undefined while it runs; then how it ended. */
  readonly ended: () => string | undefined;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export class Processes {
  /** Folder for data and logs. */
  readonly dir: string;
  readonly #guardian: ChildProcess;
  /** Started and not stopped by us. */
  readonly #running: Running[] = [];

  #started = 0;
  #stopping: Promise<void> | undefined;

  constructor(label: string) {
    this.dir = mkdtempSync(join(tmpdir(), `gpu-autoscaler-${label}-`));
    mkdirSync(join(this.dir, 'logs'));
    this.#guardian = spawn('/bin/sh', ['-c', GUARDIAN, 'guardian', this.dir], {
      // Out of our process group: Ctrl-C must reach us, not the one who cleans up after us.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // Neither the guardian nor its pipe is a reason for us to go on running.
    this.#guardian.unref();
    if (this.#guardian.stdin instanceof Socket) this.#guardian.stdin.unref();
  }

  start(file: string, args: readonly string[]): Running {
    const name = basename(file);
    this.#started += 1;
    const logFile = join(this.dir, 'logs', `${this.#started}-${name}.log`);
    const log = openSync(logFile, 'a');
    const child = spawn(file, args, { detached: true, stdio: ['ignore', log, log], cwd: this.dir });
    const { pid } = child;
    if (pid === undefined) throw new Error(`cannot start ${file}`);
    this.#guardian.stdin?.write(`${pid}\n`);
    child.unref();
    const ended = () => {
      if (child.exitCode !== null) return `exit code ${child.exitCode}`;
      return child.signalCode === null ? undefined : child.signalCode;
    };
    const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
      const at = this.#running.indexOf(running);
      if (at >= 0) this.#running.splice(at, 1);
      if (ended() !== undefined) return;
      child.ref();
      const exit = once(child, 'exit');
      child.kill(signal);
      const graceful = await Promise.race([exit.then(() => true), sleep(GRACE_MS, false, { ref: false })]);
      if (!graceful && child.kill('SIGKILL')) await exit;
    };
    const running: Running = { name, pid, logFile, ended, stop };
    this.#running.push(running);
    return running;
  }

  /** Programs that have ended by themselves, each with how, and the end of what it said. */
  casualties(): string[] {
    return this.#running
      .filter(({ ended }) => ended() !== undefined)
      .map(({ name, ended, logFile }) => `${name} ended (${ended()}):\n${lastLines(logFile, 10)}`);
  }

  /** Ends everything, last started first; once, however often it is called. */
  stop(options: { readonly keepLogs: boolean }): Promise<void> {
    this.#stopping ??= this.#stop(options);
    return this.#stopping;
  }

  async #stop({ keepLogs }: { readonly keepLogs: boolean }): Promise<void> {
    for (const running of this.#running.toReversed()) await running.stop();
    this.#guardian.stdin?.end('done\n');
    const leftovers = keepLogs ? ['etcd', 'apiserver'] : ['.'];
    for (const data of leftovers) rmSync(resolve(this.dir, data), { recursive: true, force: true });
  }
}

function lastLines(file: string, count: number): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
}

/** Ports of 127.0.0.1 that nobody listens on now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(async (server) => {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      return typeof address === 'object' && address ? address.port : 0;
    }),
  );
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}
