/** The harness itself: it starts fast, side by side, and leaves nothing behind, however it ends. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import tap from 'tap';
import { z } from 'zod';
import { clusterFor } from './for-test.ts';
import { findPrograms, ProgramsMissingError } from './programs.ts';
import { startCluster } from './start.ts';
import { waitFor } from './wait.ts';

const here = import.meta.dirname;

/** Ids of the processes that run in a folder, found by their command lines. */
function processesOf(dir: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(dir);
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function startInOwnProcess(file: string): Promise<{ child: ChildProcess; dir: string }> {
  const child = spawn(process.execPath, [join(here, file)], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const kubeconfig = /^export KUBECONFIG=(.*)\/kubeconfig$/.exec(line);
    return { child, dir: kubeconfig?.[1] ?? z.object({ dir: z.string() }).parse(JSON.parse(line)).dir };
  }
  throw new Error(`${file} has printed nothing`);
}

tap.test('two clusters side by side do not know of each other', async (t) => {
  const [a, b] = await Promise.all([clusterFor(t), clusterFor(t)]);
  if (!a || !b) return;
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'only-in-a' } };
  await a.client.json('POST', '/api/v1/namespaces/default/configmaps', { body });
  await t.rejects(b.client.json('GET', '/api/v1/namespaces/default/configmaps/only-in-a'), {
    name: 'KubeError',
    message: /not found/,
  });
});

tap.test('stop() leaves neither processes nor files', async (t) => {
  const cluster = await clusterFor(t);
  if (!cluster) return;
  t.ok(processesOf(cluster.dir).length >= 3, 'etcd, kube-apiserver and kwok run');
  await cluster.stop();
  t.same(processesOf(cluster.dir), []);
  t.notOk(existsSync(cluster.dir));
  await cluster.stop();
  t.pass('and a second stop() is as good as one');
});

const endings: readonly [file: string, signal: NodeJS.Signals][] = [
  ['probe.ts', 'SIGKILL'],
  ['probe.ts', 'SIGINT'],
  ['cli.ts', 'SIGINT'],
  ['cli.ts', 'SIGKILL'],
];
for (const [file, signal] of endings) {
  tap.test(`${file} ended by ${signal} leaves neither processes nor files`, async (t) => {
    if (!programs(t)) return;
    const { child, dir } = await startInOwnProcess(file);
    t.ok(processesOf(dir).length >= 4);
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
    await waitFor('nothing is left', () => processesOf(dir).length === 0 && !existsSync(dir), { timeoutMs: 10_000 });
  });
}

tap.test('a program that does not come up is named, with what it said and where its logs are', async (t) => {
  const real = programs(t);
  if (!real) return;
  const bin = t.testdir({});
  for (const [name, file] of Object.entries(real)) if (name !== 'kube-apiserver') symlinkSync(file, join(bin, name));
  const broken = '#!/bin/sh\necho "the disk is on fire" >&2\nexit 7\n';
  writeFileSync(join(bin, 'kube-apiserver'), broken, { mode: 0o755 });
  const error = await startCluster({ env: { CLUSTER_BIN_DIR: bin } }).then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  t.match(error?.message, /kube-apiserver ended \(exit code 7\)[\s\S]*the disk is on fire/);
  const logs = /^logs: (.*)$/m.exec(error?.message ?? '')?.[1] ?? '';
  t.teardown(() => rmSync(resolve(logs, '..'), { recursive: true }));
  t.ok(existsSync(join(logs, '2-kube-apiserver.log')), 'the logs are kept');
  t.same(processesOf(resolve(logs, '..')), []);
});

tap.test('where the programs are looked for', async (t) => {
  await t.test('a folder that lacks some is an error that names them', async (t) => {
    const bin = t.testdir({ etcd: '', 'kube-apiserver': '' });
    t.throws(() => findPrograms({ env: { CLUSTER_BIN_DIR: bin }, log: () => {} }), {
      name: 'ProgramsMissingError',
      message: /lacks kube-scheduler, kube-controller-manager, kwok, helm/,
    });
  });
  await t.test('no archive and no Go: a sentence says what to do', async (t) => {
    const path = process.env.PATH;
    t.teardown(() => {
      process.env.PATH = path;
    });
    process.env.PATH = t.testdir({});
    const options = { env: { XDG_CACHE_HOME: t.testdir({}) }, log: () => {}, archiveDirs: [] };
    t.throws(() => findPrograms(options), { message: /Set CLUSTER_BIN_DIR .* or install Go 1\.26 or newer/ });
  });
});

function programs(t: Parameters<typeof clusterFor>[0]) {
  try {
    return findPrograms({ env: process.env, log: (line) => t.comment(line) });
  } catch (error) {
    if (!(error instanceof ProgramsMissingError) || process.env.CLUSTER_REQUIRED) throw error;
    t.pass('not run', { skip: error.message });
    return undefined;
  }
}
