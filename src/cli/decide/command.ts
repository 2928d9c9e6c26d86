/** `gpu-autoscaler decide`: what the webhook would do with a pod, and why; by the same code. */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Command } from 'commander';
import { admissionConfigurationOf } from '../../api/admission-settings.ts';
import { type Configuration, configurationSchema } from '../../api/configuration.ts';
import { parseConfiguration } from '../../api/configuration-file.ts';
import { CONFIG_MAP, SYSTEM_NAMESPACE } from '../../api/keys.ts';
import { AdmissionState } from '../../cluster/admission-state.ts';
import { type AdmissionView, judge } from '../../cluster/judge.ts';
import { KubeClient } from '../../cluster/kube-client.ts';
import { WHOLE_GPU } from '../../core/resources.ts';
import { CurrentHistory } from '../../telemetry/history/current.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { createRegistry, historyMetrics } from '../../telemetry/metrics.ts';
import { mutate } from '../../webhook/mutate.ts';
import { InputError } from '../input-error.ts';
import { installedConfiguration, listCluster, takeManifests } from './cluster.ts';
import { type Manifest, readManifests } from './manifests.ts';
import { asJson, asText, type Report } from './report.ts';
import { podOf } from './templates.ts';

interface Flags {
  readonly filename: readonly string[];
  readonly snapshot?: readonly string[];
  readonly namespace: string;
  readonly systemNamespace: string;
  readonly output: string;
  readonly config?: string;
  readonly kubeconfig?: string;
}

export interface DecideDependencies {
  readonly kubeConfig: (file: string | undefined) => Promise<KubeConfig>;
  readonly now: () => Date;
}

const collect = (value: string, before: readonly string[] = []) => [...before, value];

/** Adds the command to the program. */
export function addDecide(program: Command, dependencies: DecideDependencies): void {
  program
    .command('decide')
    .description('Tells what the webhook would do with a pod, and why.')
    .requiredOption(
      '-f, --filename <file>',
      'a Pod, or a Deployment, StatefulSet, Job, … that makes pods; policies beside them count as if they were applied; - for standard input; may be repeated',
      collect,
    )
    .option(
      '-s, --snapshot <file>',
      'no live cluster: kubectl get nodes,namespaces,gpusharingpolicies -o json, or manifests; may be repeated',
      collect,
    )
    .option('-n, --namespace <name>', 'of pods that name none', 'default')
    .option('--system-namespace <name>', 'where gpu-autoscaler is installed', SYSTEM_NAMESPACE)
    .option('-o, --output <format>', 'text or json', 'text')
    .action((_options, command: Command) => decide(command.optsWithGlobals<Flags>(), dependencies));
}

async function decide(flags: Flags, { kubeConfig, now }: DecideDependencies): Promise<void> {
  if (!['text', 'json'].includes(flags.output))
    throw new InputError(`--output: ${JSON.stringify(flags.output)} is not text or json`);
  const files = flags.filename.map((file) => ({ file, manifests: readManifests(nameOf(file), readText(file)) }));
  const snapshots = flags.snapshot?.flatMap((file) => readManifests(nameOf(file), readText(file)));
  const client = snapshots ? undefined : new KubeClient(await kubeConfig(flags.kubeconfig));
  try {
    const configuration = await configurationOf(flags, client);
    const state = new AdmissionState(admissionConfigurationOf(configuration, flags.systemNamespace), (why, details) =>
      say(`${why}: ${JSON.stringify(details)}`),
    );
    if (client) await listCluster(state, client);
    takeManifests(state, snapshots ?? []);
    // Policies before pods: the order of files does not matter.
    const rest = files.map(({ file, manifests }) => ({
      file: nameOf(file),
      manifests: takeManifests(state, manifests),
    }));
    const history = await historyOf(configuration);
    const view = state.view((workload) => history?.of(workload));
    const reports = rest.flatMap(({ file, manifests }) =>
      manifests.flatMap((each) => report(each, file, flags, view, now)),
    );
    if (reports.length === 0)
      throw new InputError('there is no pod, and nothing that makes pods, in what was given by -f');
    process.stdout.write(flags.output === 'json' ? asJson(reports) : `${reports.map(asText).join('\n\n')}\n`);
  } finally {
    client?.close();
  }
}

function report(manifest: Manifest, file: string, flags: Flags, view: AdmissionView, now: () => Date): Report[] {
  const pod = podOf(manifest, file);
  if (!pod) return [];
  const judged = judge(pod, manifest.metadata?.namespace ?? flags.namespace, view);
  const object = `${manifest.kind} ${manifest.metadata?.name ?? ''}`.trim();
  const { schedulerName } = view.settings;
  const changed =
    judged.ok && judged.decision.action !== 'leave'
      ? mutate({
          pod,
          decision: judged.decision,
          schedulerName,
          originalRequest: judged.requested.get(WHOLE_GPU) ?? 0,
          now: now(),
        })
      : undefined;
  return [{ file, object, judged, pod: changed, schedulerName }];
}

async function configurationOf(
  { config, systemNamespace }: Flags,
  client: KubeClient | undefined,
): Promise<Configuration> {
  const installed = config === undefined && client ? await installedConfiguration(client, systemNamespace) : undefined;
  const name = config ?? `ConfigMap ${systemNamespace}/${CONFIG_MAP.name}`;
  const text = config === undefined ? installed : readText(config);
  if (text === undefined) {
    if (client) say(`there is no ${name} to be seen: the defaults hold (--config FILE for others)`);
    return configurationSchema.parse({});
  }
  const parsed = parseConfiguration(text, name);
  if (!parsed.ok) throw new InputError(parsed.faults.join('\n'));
  return parsed.configuration;
}

/** Longest time that somebody at a terminal waits for Prometheus. */
const HISTORY_MS = 15_000;

async function historyOf(configuration: Configuration) {
  const current = new CurrentHistory({
    log: createLogger('decide', 'silent'),
    metrics: historyMetrics(createRegistry()),
    fetch,
    now: () => performance.now(),
  });
  current.take(configuration);
  const history = current.current;
  if (!history) return undefined;
  const failure = await Promise.race([
    history.firstTry,
    sleep(HISTORY_MS, `no answer within ${HISTORY_MS / 1000} s`, { ref: false }),
  ]);
  if (failure !== undefined) say(`Prometheus does not tell the history: ${failure}`);
  await current.stop();
  return history;
}

function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file;
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8').replace(/^\ufeff/, '');
  } catch (error) {
    throw new InputError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

function say(text: string): void {
  process.stderr.write(`gpu-autoscaler decide: ${text}\n`);
}
