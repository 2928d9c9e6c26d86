/** The program: its commands and its signals. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { Command } from 'commander';
import { z } from 'zod';
import { addRoleCommands, SettingsError } from './app/commands.ts';
import { ConfigurationError } from './app/configuration-watch.ts';
import { addDecide } from './cli/decide/command.ts';
import { addDoctor } from './cli/doctor/command.ts';
import { addGenerate } from './cli/generate/command.ts';
import { InputError } from './cli/input-error.ts';
import { printableLines } from './cli/printable.ts';
import { addSimulate } from './cli/simulate/command.ts';
import { KubeError } from './kube/kube-client.ts';
import { CertificateSettingsError } from './webhook/certificates/certificate-manager.ts';

const program = new Command('gpu-autoscaler')
  .description('Packs many Kubernetes workloads on few NVIDIA GPUs.')
  .version(version(), '--version')
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('(see --help)')
  .exitOverride((exit) => process.exit(exit.exitCode === 0 ? 0 : 2));

addRoleCommands(program, kubeConfig, run);
addSimulate(program, process.env);
addDecide(program, { kubeConfig, now: () => new Date() });
addDoctor(program, { kubeConfig, now: () => new Date() });
addGenerate(program, { kubeConfig });

/** Of the package: one folder up from here, compiled or not. */
function version(): string {
  const manifest = JSON.parse(readText(join(import.meta.dirname, '../package.json')));
  return z.object({ version: z.string() }).parse(manifest).version;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new InputError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

async function kubeConfig(file: string | undefined): Promise<KubeConfig> {
  // Its import takes 0.4 s: not for --help.
  const client = await import('@kubernetes/client-node');
  const config = new client.KubeConfig();
  try {
    if (file) config.loadFromFile(file);
    else config.loadFromDefault();
  } catch (error) {
    throw new InputError(`cannot read the kubeconfig: ${(error as Error).message}`, { cause: error });
  }
  return config;
}

const ONE_ASKING_MS = 500;

async function run(command: Command, start: () => Promise<{ close(): Promise<void> }>): Promise<void> {
  let running: { close(): Promise<void> } | undefined;
  const stop = async (code: number) => {
    await running?.close();
    process.exit(code);
  };
  // Twice means now: a second signal does not wait for requests under way. What comes at the same
  // moment is one signal: a terminal signals us, and npm passes its own on.
  let askedAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const now = performance.now();
      if (askedAt !== undefined && now - askedAt > ONE_ASKING_MS) process.exit(1);
      if (askedAt === undefined) void stop(0);
      askedAt ??= now;
    });
  }
  try {
    running = await start();
  } catch (error) {
    const { message } = error as Error;
    process.stderr.write(`gpu-autoscaler ${command.name()}: ${message}\n`);
    // A KubeError this early is about the configuration.
    const kinds = [InputError, SettingsError, KubeError, CertificateSettingsError, ConfigurationError];
    process.exit(kinds.some((kind) => error instanceof kind) ? 2 : 1);
  }
}

// `… | head` has read enough: nothing is wrong.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  // What a command asks of the cluster may fail; anything else is a fault of ours.
  if (!(error instanceof InputError || error instanceof KubeError)) throw error;
  process.stderr.write(`gpu-autoscaler: ${printableLines(error.message)}\n`);
  process.exitCode = error instanceof InputError ? 2 : 1;
}
