/** `npm run demo`, as a user runs it. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import tap, { type Test } from 'tap';
import { findPrograms, ProgramsMissingError } from '../cluster/programs.ts';
import { waitFor } from '../cluster/wait.ts';

const DEMO = resolve(import.meta.dirname, '../../examples/demo.ts');

function start(...args: string[]) {
  return spawn(process.execPath, [DEMO, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function demo(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = start(...args);
  const [[code], out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { code, out, err };
}

/** False, and the test is marked so, where the control plane cannot be had. */
function canRun(t: Test): boolean {
  try {
    findPrograms({ env: process.env, log: (line) => t.comment(line) });
    return true;
  } catch (error) {
    if (!(error instanceof ProgramsMissingError) || process.env.CLUSTER_REQUIRED) throw error;
    t.pass('not run', { skip: error.message });
    return false;
  }
}

tap.test(
  'on nodes that nobody has partitioned, the three savings of the specification come out of the bound pods, in under 60 s',
  async (t) => {
    if (!canRun(t)) return;
    const started = performance.now();
    const { code, out, err } = await demo();
    t.equal(code, 0, err);
    t.equal(err, '');
    t.match(out, /^inference servers, by MPS +10 +10 GPUs +2 GPUs +8 GPUs \(80%\)$/m);
    t.match(out, /^batch jobs, by MIG +20 +20 GPUs +3 GPUs +17 GPUs \(85%\)$/m);
    t.match(out, /^notebooks, by time-slicing +16 +16 GPUs +4 GPUs +12 GPUs \(75%\)$/m);
    t.match(out, /^inference-mps +mps +10 +10$/m, 'a policy governs them');
    t.match(out, /^small-workloads-mig +mig +10 +20$/m);
    t.match(out, /^development-timeslicing +timeslicing +5 +16$/m);
    t.match(out, /^ +\d+\.\d s {2}\S+ +Configuring to /m, 'transitions are shown');
    t.match(out, /^\S+ +\S+ +Ready +true +false +false$/m, 'GPUNodeConfigs');
    t.match(out, /\.status\.mpsStatus = \{"activeClients":10,"enabled":true,"maxClients":8\}/);
    t.match(out, /^\S+ +NVIDIA-A100-SXM4-40GB +MPS ×8 +████████ 8\/8 +██░░░░░░ 2\/8$/m, 'the picture');
    t.ok(performance.now() - started < 60_000);
  },
);

tap.test('--keep leaves it running for kubectl, until Ctrl-C', async (t) => {
  if (!canRun(t)) return;
  const child = start('--keep');
  const exit = once(child, 'exit');
  let kubeconfig: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    kubeconfig = /^export KUBECONFIG=(.*)$/.exec(line)?.[1] ?? kubeconfig;
    if (!line.startsWith('Ctrl-C')) continue;
    t.ok(existsSync(kubeconfig ?? ''), 'the kubeconfig is there');
    child.kill('SIGINT');
  }
  t.same(await exit, [0, null]);
  await waitFor('its files are gone', () => !existsSync(kubeconfig ?? ''));
});

tap.test('usage', async (t) => {
  const help = await demo('--help');
  t.equal(help.code, 0);
  t.match(help.out, /usage: npm run demo/);
  for (const args of [['--fast']]) {
    const wrong = await demo(...args);
    t.equal(wrong.code, 2);
    t.match(wrong.err, new RegExp(`${args[0]}[\\s\\S]*usage: npm run demo`));
  }
});
