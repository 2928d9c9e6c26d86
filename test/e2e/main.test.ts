/** The program's own face: flags, exit codes, signals. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import tap from 'tap';
import { installDefinitions } from '../cluster/custom-resources.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { freePorts } from '../cluster/processes.ts';
import { waitFor } from '../cluster/wait.ts';
import { gpuPod } from '../objects/pods.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');

async function run(args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { ...process.env, KUBECONFIG: '/nowhere/kubeconfig' };
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
  const [[code], out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { code, out, err };
}

const CASES: readonly [args: string[], code: number, says: RegExp][] = [
  [['--help'], 0, /extender .*\n.*webhook .*\n.*controller .*\n.*all /],
  [['extender', '--help'], 0, /--strategy <name> +bestfit, firstfit, worstfit/],
  [['webhook', '--help'], 0, /--register-url <url>/],
  [[], 2, /Usage: gpu-autoscaler/],
  [['conquer'], 2, /unknown command 'conquer'/],
  [['extender', '--strategy', 'tetris'], 2, /--strategy: "tetris" is not one of bestfit, firstfit, worstfit/],
  [['extender', '--extender-port', 'http'], 2, /--extender-port: "http" is not a port, 0 to 65535/],
  [['extender', '--extender-port', '70000'], 2, /--extender-port: /],
  [['extender', '--compare-interval', 'often'], 2, /--compare-interval: "often" is no number of seconds/],
  [['extender', '--lease-namespace', 'No Such'], 2, /--lease-namespace: "No Such" is not the name of a namespace/],
  [['extender', '--narrowing', 'maybe'], 2, /--narrowing: "maybe" is not on or off/],
  [['extender', '--log-level', 'loud'], 2, /--log-level: /],
  [['--version'], 0, /^\d+\.\d+\.\d+$/m],
  [['webhook', '--certificates', 'magic'], 2, /--certificates: "magic" is not self or files/],
  [['webhook', '--namespace', 'No Such'], 2, /--namespace: "No Such" is not the name of a namespace/],
  [['webhook', '--service-name', 'no.such'], 2, /--service-name: "no\.such" is not the name of a Service/],
  [['webhook', '--register-url', 'http://127.0.0.1:8443'], 2, /--register-url: .* is not an https:\/\/ URL/],
  [['controller', '--controller-port', 'http'], 2, /--controller-port: "http" is not a port, 0 to 65535/],
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

/** Of an API server that nobody asks. */
const HTTPS = HTTP_ONLY.replace('http:', 'https:');

const CERTIFICATES: readonly [args: string[], says: RegExp][] = [
  [['--tls-cert-file', '/nowhere/tls.crt'], /cannot read \/nowhere\/tls\.crt/],
  [['--certificates', 'files'], /cannot read \/etc\/gpu-autoscaler\/tls\/tls\.crt/],
  [['--certificates', 'self', '--tls-key-file', 'k'], /--tls-key-file: not with --certificates self/],
  [['--certificates', 'files', '--register-url', 'https://a:1'], /--register-url: only with --certificates self/],
];
for (const [args, says] of CERTIFICATES) {
  tap.test(`gpu-autoscaler webhook ${args.join(' ')}: exit code 2`, async (t) => {
    const dir = t.testdir({ kubeconfig: HTTPS });
    const { code, err } = await run(['webhook', '--kubeconfig', `${dir}/kubeconfig`, ...args]);
    t.equal(code, 2);
    t.match(err, says);
  });
}

tap.test('an API server without TLS is refused: exit code 2', async (t) => {
  const dir = t.testdir({ kubeconfig: HTTP_ONLY });
  const { code, err } = await run(['extender', '--kubeconfig', `${dir}/kubeconfig`]);
  t.equal(code, 2);
  t.match(err, /asked by https only, not at http:\/\/127\.0\.0\.1:8080/);
});

tap.test('files that are no certificate and key: exit code 2, and they are named', async (t) => {
  const dir = t.testdir({ kubeconfig: HTTPS, 'tls.crt': 'nothing', 'tls.key': 'nothing' });
  const files = ['--tls-cert-file', `${dir}/tls.crt`, '--tls-key-file', `${dir}/tls.key`];
  const { code, err } = await run(['webhook', '--kubeconfig', `${dir}/kubeconfig`, ...files]);
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

for (const role of ['extender', 'webhook', 'controller']) {
  tap.test(`gpu-autoscaler ${role} --config with faults: exit code 2, and each is told with its place`, async (t) => {
    const config = 'binPacking:\n  stratgy: bestfit\nsharing:\n  mps: { maxClients: many }\n';
    const dir = t.testdir({ kubeconfig: HTTPS, 'config.yaml': config });
    const { code, err } = await run([role, '--kubeconfig', `${dir}/kubeconfig`, '--config', `${dir}/config.yaml`]);
    t.equal(code, 2);
    t.match(err, /config\.yaml:2:3: binPacking\.stratgy: there is no such key; did you mean strategy\?/);
    t.match(err, /config\.yaml:4:22: sharing\.mps\.maxClients: /);
    t.notMatch(err, /\n\s+at /, 'no stack trace');
  });
}

tap.test('all roles in one process, until SIGTERM', async (t) => {
  const cluster = await clusterFor(t);
  if (!cluster) return;
  const { client } = cluster;
  await installDefinitions(client);
  const [port = 0] = await freePorts(1);
  const flags = [
    '--extender-port',
    '0',
    '--controller-port',
    '0',
    '--webhook-port',
    String(port),
    '--webhook-host',
    '127.0.0.1',
  ];
  const register = ['--register-url', `https://127.0.0.1:${port}`, '--namespace', 'kube-system'];
  const args = [MAIN, 'all', '--kubeconfig', cluster.kubeconfigFile, ...flags, ...register];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  const waiting = new Set(['extender ready', 'webhook ready', 'controller ready']);
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, role, level, time } = JSON.parse(line);
    t.match({ role, level, time }, { role: /^(extender|webhook|controller)$/, level: 'info', time: /^\d{4}-/ });
    if (!waiting.delete(msg) || waiting.size > 0) continue;
    // With its own certificate, registered by itself.
    await waitFor('a pod is mutated', async () => {
      const body = gpuPod({ name: 'probe', gpus: 1, schedulerName: 'default-scheduler' });
      const pod = await client.json('POST', '/api/v1/namespaces/default/pods?dryRun=All', { body });
      return JSON.stringify(pod).includes('gpu-autoscaler.io/optimized');
    });
    child.kill('SIGTERM');
  }
  t.same(await exit, [0, null]);
});
