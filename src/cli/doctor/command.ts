/** `gpu-autoscaler doctor`: what on this cluster will bite, and what mends it. */

import type { Command } from 'commander';
import { SYSTEM_NAMESPACE } from '../../api/keys.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { clientOf, type ReadKubeConfig } from '../cluster-access.ts';
import { InputError } from '../input-error.ts';
import { type ConfigurationFlags, liveConfiguration, lookAt, manifestsOf, savedConfiguration } from '../inspection.ts';
import { CHECKS } from './checks/registry.ts';
import { type Diagnosis, diagnose, findingsOf } from './diagnose.ts';
import { gather, LiveSource, SnapshotSource } from './gather.ts';
import { asJson, asText } from './report.ts';

interface Flags extends ConfigurationFlags {
  readonly snapshot?: readonly string[];
  readonly output: string;
  readonly kubeconfig?: string;
}

export interface DoctorDependencies {
  readonly kubeConfig: ReadKubeConfig;
  readonly now: () => Date;
}

const collect = (value: string, before: readonly string[] = []) => [...before, value];

/** Adds the command to the program. */
export function addDoctor(program: Command, dependencies: DoctorDependencies): void {
  program
    .command('doctor')
    .description('Shows what on this cluster will bite, and what mends it; reads only.')
    .option(
      '-s, --snapshot <file>',
      'no live cluster: objects as kubectl get … -A -o json saves them, or manifests; a file, a folder, a URL, or - for standard input; may be repeated',
      collect,
    )
    .option('--system-namespace <name>', 'where gpu-autoscaler is installed', SYSTEM_NAMESPACE)
    .option('-o, --output <format>', 'text or json', 'text')
    .addHelpText(
      'after',
      `
Looks for:
${CHECKS.map(({ name, about }) => `  ${name.padEnd(18)} ${about}`).join('\n')}

Exit codes: 0 nothing found; 1 errors or warnings found; 2 input that cannot be used, a cluster that cannot be asked, or
nothing found where some check of a live cluster could not be made. What was not looked at is named.

A snapshot with all that counts:
  kubectl get nodes,daemonsets,deployments,mutatingwebhookconfigurations,customresourcedefinitions,services,\\
endpointslices -A -o json > cluster.json`,
    )
    .action((_options, command: Command) => doctor(command.optsWithGlobals<Flags>(), dependencies));
}

async function doctor(flags: Flags, { kubeConfig, now }: DoctorDependencies): Promise<void> {
  const { output, snapshot } = flags;
  if (!['text', 'json'].includes(output))
    throw new InputError(`--output: ${JSON.stringify(output)} is not text or json`);
  const { gathered, configuration } = snapshot
    ? await lookIntoSnapshot(snapshot, flags)
    : await lookAtCluster(await clientOf(flags.kubeconfig, kubeConfig), flags, now);
  const { clock } = gathered.seen;
  const { systemNamespace } = flags;
  const diagnosis = diagnose(CHECKS, gathered, {
    configuration,
    systemNamespace,
    now: clock && now().getTime() - clock.aheadMs,
  });
  process.stdout.write(output === 'json' ? asJson(diagnosis) : asText(diagnosis));
  process.exitCode = exitCodeOf(diagnosis, snapshot !== undefined);
}

/** A snapshot has what its author saved; of a live cluster, a check that could not be made is no good news. */
function exitCodeOf(diagnosis: Diagnosis, isSnapshot: boolean): number {
  if (findingsOf(diagnosis).length > 0) return 1;
  return !isSnapshot && diagnosis.results.some(({ findings }) => findings === undefined) ? 2 : 0;
}

function lookAtCluster(client: KubeClient, flags: Flags, now: () => Date) {
  return lookAt(client, async () => ({
    gathered: await gather(new LiveSource(client, () => now().getTime()), flags.systemNamespace),
    configuration: await liveConfiguration(client, flags),
  }));
}

async function lookIntoSnapshot(files: readonly string[], flags: Flags) {
  const manifests = await manifestsOf(files);
  const gathered = await gather(new SnapshotSource(manifests), flags.systemNamespace);
  if (Object.keys(gathered.seen).length === 0)
    throw new InputError('there is nothing in the snapshot that doctor looks at (see --help)');
  return { gathered, configuration: savedConfiguration(manifests, flags) };
}
