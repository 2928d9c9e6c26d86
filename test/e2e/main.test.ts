/** The program's own face: flags, exit codes, signals. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import tap from 'tap';
import { createCertificate } from '../cluster/certificates.ts';
import { clusterFor } from '../cluster/for-test.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');

async function run(args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { ...process.env, KUBECONFIG: '/nowhere/kubeconfig' };
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
  const [[code], out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { code, out, err };
}

const CASES: readonly [args: string[], code: number, says: RegExp][] = [
  [['--help'], 0, /extender .*\n.*webhook .*\n.*all /],
  [['extender', '--help'], 0, /--strategy <name> +bestfit, firstfit, worstfit/],
  [['webhook', '--help'], 0, /--exempt-namespaces <list>/],
  [[], 2, /Usage: gpu-autoscaler/],
  [['conquer'], 2, /unknown command 'conquer'/],
  [['extender', '--strategy', 'tetris'], 2, /--strategy: "tetris" is not one of bestfit, firstfit, worstfit/],
  [['extender', '--extender-port', 'http'], 2, /--extender-port: "http" is not a port, 0 to 65535/],
  [['extender', '--extender-port', '70000'], 2, /--extender-port: /],
  [['extender', '--compare-interval', 'often'], 2, /--compare-interval: "often" is no number of seconds/],
  [['extender', '--lease-namespace', 'No Such'], 2, /--lease-namespace: "No Such" is not the name of a namespace/],
  [['extender', '--narrowing', 'maybe'], 2, /--narrowing: "maybe" is not on or off/],
  [['extender', '--log-level', 'loud'], 2, /--log-level: /],
  [['webhook', '--disable', 'mig,magic'], 2, /--disable: "magic" is not one of mig, mps, timeslicing/],
  [['--version'], 0, /^\d+\.\d+\.\d+$/m],
  [['webhook', '--tls-cert-file', '/nowhere/tls.crt'], 2, /cannot read \/nowhere\/tls\.crt/],
  [['extender', '--kubeconfig', '/nowhere/kubeconfig'], 2, /cannot read the kubeconfig: .*\/nowhere\/kubeconfig/],
];
const HTTP_ONLY = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Config',
  'current-context': 'c',
  clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:8080' } }],
  users: [{ name: 'u', user: {} }],
  contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
});

tap.test('an API server without TLS is refused: exit code 2', async (t) => {
  const dir = t.testdir({ kubeconfig: HTTP_ONLY });
  const { code, err } = await run(['extender', '--kubeconfig', `${dir}/kubeconfig`]);
  t.equal(code, 2);
  t.match(err, /asked by https only, not at http:\/\/127\.0\.0\.1:8080/);
});

tap.test('files that are no certificate and key: exit code 2, and they are named', async (t) => {
  const dir = t.testdir({ 'tls.crt': 'nothing', 'tls.key': 'nothing' });
  const { code, err } = await run(['webhook', '--tls-cert-file', `${dir}/tls.crt`, '--tls-key-file', `${dir}/tls.key`]);
  t.equal(code, 2);
  t.match(err, /tls\.crt and .*tls\.key are no certificate and key: /);
});

for (const [args, code, says] of CASES) {
  tap.test(`gpu-autoscaler ${args.join(' ')}: exit code ${code}`, async (t) => {
    const { code: got, out, err } = await run(args);
    t.equal(got, code);
    t.match(code === 0 ? out : err, says);
    t.notMatch(err, /\n\s+at /, 'no stack trace');
  });
}

tap.test('all roles in one process, until SIGTERM', async (t) => {
  const cluster = await clusterFor(t);
  if (!cluster) return;
  const { cert, key } = await createCertificate();
  const files = t.testdir({ 'tls.crt': cert, 'tls.key': key });
  const flags = ['--extender-port', '0', '--webhook-port', '0', '--webhook-host', '127.0.0.1'];
  const tls = ['--tls-cert-file', `${files}/tls.crt`, '--tls-key-file', `${files}/tls.key`];
  const args = [MAIN, 'all', '--kubeconfig', cluster.kubeconfigFile, ...flags, ...tls];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  const waiting = new Set(['extender ready', 'webhook ready']);
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, role, level, time } = JSON.parse(line);
    t.match({ role, level, time }, { role: /^(extender|webhook)$/, level: 'info', time: /^\d{4}-/ });
    if (waiting.delete(msg) && waiting.size === 0) child.kill('SIGTERM');
  }
  t.same(await exit, [0, null]);
});
