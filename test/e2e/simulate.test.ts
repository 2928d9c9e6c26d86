/** `gpu-autoscaler simulate`, as a user runs it. */

import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import tap from 'tap';

const root = resolve(import.meta.dirname, '../..');
const BIN = join(root, 'bin/gpu-autoscaler.js');
const NODES = 'sn,cpu_milli,memory_mib,gpu,model\na,64000,262144,4,T4\nb,64000,262144,2,T4\n';
const PODS = 'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time\n';
const podLines = Array.from(
  { length: 12 },
  (_, i) => `p${i},1000,1024,1,${i % 3 === 0 ? 1000 : 500},,LS,Running,${i},${i + 5}`,
).join('\n');

function simulate(args: readonly string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}) {
  const env = { ...process.env, OPENB_DIR: undefined, ...options.env };
  return spawnSync(process.execPath, [BIN, 'simulate', ...args], { cwd: root, encoding: 'utf8', ...options, env });
}

tap.test('without any input: our own fleet, all strategies, a table', async (t) => {
  const { status, stdout, stderr } = simulate(['--synthetic-nodes', '20', '--seeds', '1,2']);
  t.equal(status, 0, stderr);
  t.equal(stderr, '');
  t.match(
    stdout,
    /^a synthetic workload: 20 nodes with \d+ GPUs, \d+ pods\n\nSTRATEGY +ALLOCATED AT 100% +AT THE END +OF NO USE +NOT PLACED +TIME\n/,
  );
  for (const strategy of ['bestfit', 'firstfit', 'worstfit', 'fragmentation']) {
    t.match(stdout, new RegExp(`^${strategy} +\\d+\\.\\d\\d% ±\\d+\\.\\d\\d +\\d+\\.\\d\\d%`, 'm'));
  }
});

tap.test('results do not depend on the number of workers', async (t) => {
  const out = ['1', '2', '5'].map((workers) => {
    return simulate(['--synthetic-nodes', '20', '--seeds', '1-4', '--workers', workers, '-o', 'json']).stdout;
  });
  t.match(JSON.parse(out[0] ?? ''), {
    apiVersion: 'simulate.gpuautoscaler.io/v1',
    strategies: [{ strategy: 'bestfit', seeds: 4 }, {}, {}, {}],
    runs: Array.from({ length: 16 }, () => ({ seed: Number })),
  });
  t.equal(out[0], out[1]);
  t.equal(out[0], out[2]);
});

tap.test('CSV in, reports out, and nothing half-written beside them', async (t) => {
  const dir = t.testdir({ 'nodes.csv': NODES, 'pods.csv': PODS + podLines, out: {} });
  const files = ['--nodes', join(dir, 'nodes.csv'), '--pods', join(dir, 'pods.csv')];
  const outputs = ['--curve', join(dir, 'out/curve.csv'), '--report', join(dir, 'out/report.html')];
  const { status, stdout, stderr } = simulate([
    ...files,
    ...outputs,
    '--strategies',
    'bestfit,fragmentation',
    '--seeds',
    '7',
  ]);
  t.equal(status, 0, stderr);
  t.match(stdout, /^pods\.csv: 2 nodes with 6 GPUs, 12 pods$/m);
  t.strictSame(readdirSync(join(dir, 'out')).sort(), ['curve.csv', 'report.html']);
  const curve = readFileSync(join(dir, 'out/curve.csv'), 'utf8').split('\n');
  t.equal(curve[0], 'strategy,seed,arrived_percent,allocated_percent,fragmented_percent,failures');
  t.match(curve[1], /^bestfit,7,0,0,/);
  const html = readFileSync(join(dir, 'out/report.html'), 'utf8');
  t.equal([...html.matchAll(/<svg/g)].length, 5, 'three charts of lines, a picture for each strategy');
  t.match(html, /<h2>GPUs at the end, fragmentation<\/h2>/);
  t.notMatch(html, /<script|https?:\/\/(?!www\.w3\.org)/, 'it needs nothing else');
  simulate([...files, '--report', join(dir, 'out/curve.svg'), '--seeds', '7']);
  t.match(readFileSync(join(dir, 'out/curve.svg'), 'utf8'), /^<svg/);
});

tap.test('departures: pods come and go as the file says', async (t) => {
  const dir = t.testdir({ 'nodes.csv': NODES, 'pods.csv': PODS + podLines });
  const files = ['--nodes', join(dir, 'nodes.csv'), '--pods', join(dir, 'pods.csv')];
  const { status, stdout } = simulate([...files, '--departures', '--strategies', 'bestfit']);
  t.equal(status, 0);
  t.match(stdout, /^STRATEGY +AT THE PEAK +NOT PLACED +TIME$/m);
  // Five at a time, of which one or two ask for a whole GPU, and the others for half of one.
  t.match(stdout, /^bestfit +58\.33% +0 of 12/m, 'all found room');
});

tap.test('a snapshot from standard input', async (t) => {
  const node = {
    kind: 'Node',
    metadata: { name: 'a', labels: { 'nvidia.com/gpu.count': '2' } },
    status: { allocatable: { cpu: '8', memory: '8Gi', 'nvidia.com/gpu': '2' } },
  };
  const pod = {
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', resources: { limits: { 'nvidia.com/gpu': '1' } } }] },
  };
  const { status, stdout, stderr } = simulate(['--snapshot', '-'], {
    input: JSON.stringify({ kind: 'List', items: [node, pod] }),
  });
  t.equal(status, 0, stderr);
  t.match(stdout, /^standard input: 1 node with 2 GPUs, 1 pod$/m);
  t.match(
    stdout,
    /^slots held at the end, worstfit, seed 42:\nNODE +GPU MODEL +SHARED BY +GPU 0 +GPU 1\na .*whole GPUs +█+ 1\/1 +█+ 1\/1$/m,
  );
});

const WRONG: readonly [args: string[], says: RegExp][] = [
  [['--strategies', 'tetris'], /"tetris" is not one of bestfit, firstfit, worstfit, fragmentation/],
  [['--seeds', '9-1'], /Such as 42-51 or 1,2,3/],
  [['--ratio', '0'], /A number above 0/],
  [['--workers', 'many'], /A whole number from 1 to 1024/],
  [['-o', 'xml'], /One of table, json/],
  [['--report', 'report.pdf'], /--report: a file ending in \.html or \.svg/],
  [['--nodes', 'nodes.csv'], /--nodes and --pods go together/],
  [['--nodes', '/nowhere/n.csv', '--pods', '/nowhere/p.csv'], /cannot read \/nowhere\/p\.csv/],
  [['--data', '/nowhere'], /there is no \/nowhere\/openb_pod_list_default\.csv/],
  [['--snapshot', 'x.json', '--nodes', 'n.csv'], /--snapshot stands alone/],
  [['--trace', 'cpu050'], /--trace: it needs --data DIR, or OPENB_DIR/],
  [['--curve', 'x.html', '--report', 'x.html'], /--report and --curve: two files/],
  [['--departures'], /our own workload does not say when pods go/],
];
for (const [args, says] of WRONG) {
  tap.test(`simulate ${args.join(' ')}: exit code 2`, async (t) => {
    const { status, stdout, stderr } = simulate(args);
    t.equal(status, 2, stderr);
    t.equal(stdout, '');
    t.match(stderr, says);
    t.notMatch(stderr, /\n\s+at /, 'no stack trace');
  });
}

tap.test('a bad file: line and column, exit code 2, and no report', async (t) => {
  const dir = t.testdir({ 'nodes.csv': NODES, 'pods.csv': `${PODS}p,1000,1024,1,much,,,,,\n` });
  const report = join(dir, 'report.html');
  const { status, stderr } = simulate([
    '--nodes',
    join(dir, 'nodes.csv'),
    '--pods',
    join(dir, 'pods.csv'),
    '--report',
    report,
  ]);
  t.equal(status, 2);
  t.match(stderr, /pods\.csv:2:5: gpu_milli "much" is not a whole number from 0 on/);
  t.notOk(existsSync(report));
});

tap.test('a report that cannot be written is an error, exit code 2', async (t) => {
  const { status, stderr } = simulate(['--synthetic-nodes', '5', '--seeds', '1', '--report', '/nowhere/report.html']);
  t.equal(status, 2);
  t.match(stderr, /cannot write \/nowhere\/report\.html/);
});

tap.test('a fleet without GPUs, and pods that ask for none, are errors at once', async (t) => {
  const dir = t.testdir({
    'cpu.csv': 'sn,cpu_milli,memory_mib,gpu,model\na,64000,262144,0,\n',
    'nodes.csv': NODES,
    'pods.csv': PODS + podLines,
    'cpu-pods.csv': `${PODS}p,1000,1024,0,0,,,,,\n`,
    'twice.csv': `${NODES}a,64000,262144,4,T4\n`,
  });
  const at = (nodes: string, pods: string) => simulate(['--nodes', join(dir, nodes), '--pods', join(dir, pods)]);
  t.match(at('cpu.csv', 'pods.csv'), { status: 2, stderr: /there is no node with GPUs/ });
  t.match(at('nodes.csv', 'cpu-pods.csv'), { status: 2, stderr: /there is no pod that asks for GPUs/ });
  t.match(at('twice.csv', 'pods.csv'), { status: 2, stderr: /node "a" is listed twice/ });
});

tap.test('a link keeps pointing where it did, and a pipe is written to', async (t) => {
  const dir = t.testdir({ 'curve.csv': 'old', 'link.csv': t.fixture('symlink', 'curve.csv') });
  const args = ['--synthetic-nodes', '5', '--seeds', '1', '--strategies', 'bestfit', '--curve'];
  t.equal(simulate([...args, join(dir, 'link.csv')]).status, 0);
  t.ok(lstatSync(join(dir, 'link.csv')).isSymbolicLink());
  t.match(readFileSync(join(dir, 'curve.csv'), 'utf8'), /^strategy,seed,/);
  const piped = `"${process.execPath}" "${BIN}" simulate ${args.join(' ')} /dev/stdout | cat`;
  t.match(spawnSync('sh', ['-c', piped], { cwd: root, encoding: 'utf8' }).stdout, /^strategy,seed,/);
});

tap.test('whoever reads only the beginning is not told of a fault', async (t) => {
  const piped = `"${process.execPath}" "${BIN}" simulate --synthetic-nodes 20 -o json | head -c 10`;
  const { stdout, stderr } = spawnSync('sh', ['-c', piped], { cwd: root, encoding: 'utf8' });
  t.equal(stdout.length, 10);
  t.equal(stderr, '');
});
