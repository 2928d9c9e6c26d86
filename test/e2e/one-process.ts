/**
 * Runs commands one after the other in one process, for tests of many: it is loaded once. Lists of arguments come in as JSON,
 * what each has printed goes out. How a command ends and what it prints by itself: `main.test.ts` and those beside it.
 *
 * usage: node test/e2e/one-process.ts < ARGUMENTS
 */

import { json } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';
import { Command } from 'commander';
import { z } from 'zod';
import { addDecide } from '#src/cli/decide/command.ts';
import { addSimulate } from '#src/cli/simulate/command.ts';

interface Printed {
  readonly stdout: string;
  readonly stderr: string;
}

async function run(args: readonly string[]): Promise<Printed> {
  const program = new Command('gpu-autoscaler').exitOverride();
  addSimulate(program, {});
  addDecide(program, { kubeConfig: async () => new KubeConfig(), now: () => new Date(0) });
  const printed = { stdout: '', stderr: '' };
  const write = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const stream of ['stdout', 'stderr'] as const) {
    process[stream].write = (chunk: string | Uint8Array) => {
      printed[stream] += chunk;
      return true;
    };
  }
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    printed.stderr += `${(error as Error).message}\n`;
  } finally {
    for (const stream of ['stdout', 'stderr'] as const) process[stream].write = write[stream];
  }
  return printed;
}

const all = z.array(z.array(z.string())).parse(await json(process.stdin));
const results: Printed[] = [];
for (const args of all) results.push(await run(args));
process.stdout.write(JSON.stringify(results));
