/** `gpu-autoscaler doctor`: what on this cluster will bite, and what mends it. */

import type { Command } from 'commander';
import { SYSTEM_NAMESPACE } from '../../api/keys.ts';
import { type KubeClient, KubeError } from '../../kube/kube-client.ts';
import { clientOf, configurationOf, type ReadKubeConfig } from '../cluster-access.ts';
import { configurationIn, installedConfiguration } from '../decide/cluster.ts';
import { readManifests } from '../decide/manifests.ts';
import { sourcesOf } from '../input.ts';
import { InputError } from '../input-error.ts';
import { CHECKS } from './checks/registry.ts';
import { type Diagnosis, diagnose, findingsOf } from './diagnose.ts';
import { gather, LiveSource, SnapshotSource } from './gather.ts';
import { asJson, asText } from './report.ts';

interface Flags {
  readonly snapshot?: readonly string[];
  readonly systemNamespace: string;
  readonly output: string;
  readonly config?: string;
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

async function lookAtCluster(client: KubeClient, { config, systemNamespace }: Flags, now: () => Date) {
  try {
    const gathered = await gather(new LiveSource(client, () => now().getTime()), systemNamespace);
    const installed = config === undefined ? await installedConfiguration(client, systemNamespace) : undefined;
    const configuration = configurationOf({ file: config, systemNamespace, installed, expected: true });
    return { gathered, configuration };
  } catch (error) {
    // Exit code 1 is for what was found: a cluster that cannot be asked is none of it.
    if (error instanceof KubeError) throw new InputError(error.message, { cause: error });
    throw error;
  } finally {
    client.close();
  }
}

async function lookIntoSnapshot(files: readonly string[], { config, systemNamespace }: Flags) {
  if (files.filter((file) => file === '-').length > 1) throw new InputError('standard input (-) can be read only once');
  const sources = (await Promise.all(files.map(sourcesOf))).flat();
  const manifests = sources.flatMap(({ name, text }) => readManifests(name, text));
  const gathered = await gather(new SnapshotSource(manifests), systemNamespace);
  if (Object.keys(gathered.seen).length === 0)
    throw new InputError('there is nothing in the snapshot that doctor looks at (see --help)');
  const installed = config === undefined ? configurationIn(manifests, systemNamespace) : undefined;
  return { gathered, configuration: configurationOf({ file: config, systemNamespace, installed, expected: true }) };
}
