/** `gpu-autoscaler decide`: what the webhook would do with a pod, and why; by the same code. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { admissionConfigurationOf } from '../../api/admission-settings.ts';
import type { Configuration } from '../../api/configuration.ts';
import { SYSTEM_NAMESPACE } from '../../api/keys.ts';
import { systemClock } from '../../kube/clock.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { AdmissionState } from '../../state/admission-state.ts';
import { ClusterState } from '../../state/cluster-state.ts';
import { type AdmissionView, evaluateAdmission } from '../../state/evaluate-admission.ts';
import { HistoryProvider } from '../../telemetry/history/history-provider.ts';
import { historyMetrics } from '../../telemetry/history/metrics.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { createRegistry } from '../../telemetry/registry.ts';
import { applyDecision } from '../../webhook/mutate.ts';
import { clientOf, configurationOf, type ReadKubeConfig } from '../cluster-access.ts';
import { say, sayUnsized, sourcesOf } from '../input.ts';
import { InputError } from '../input-error.ts';
import { installedConfiguration, listCluster, takeManifests, takePods } from './cluster.ts';
import { type Manifest, readManifests } from './manifests.ts';
import { asJson, asText, type PassedOver, type Report } from './report.ts';
import { podsOf, type TemplatePod } from './templates.ts';

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
  readonly kubeConfig: ReadKubeConfig;
  readonly now: () => Date;
}

const collect = (value: string, before: readonly string[] = []) => [...before, value];

/** Adds the command to the program. */
export function addDecide(program: Command, dependencies: DecideDependencies): void {
  program
    .command('decide')
    .description('Shows what the webhook would do with a pod, and why.')
    .requiredOption(
      '-f, --filename <file>',
      'a Pod, or whatever has the template of one (Deployment, RayCluster, …): a file, a folder, a URL, or - for standard input; policies beside them count as if they were applied; may be repeated',
      collect,
    )
    .option(
      '-s, --snapshot <file>',
      'no live cluster: kubectl get nodes,pods,namespaces,gpusharingpolicies -A -o json, or manifests; may be repeated',
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
  const inputs = [...flags.filename, ...(flags.snapshot ?? [])];
  if (inputs.filter((file) => file === '-').length > 1)
    throw new InputError('standard input (-) can be read only once');
  const read = async (files: readonly string[]) =>
    (await Promise.all(files.map(sourcesOf))).flat().flatMap(({ name, text }) => readManifests(name, text));
  const given = await read(flags.filename);
  const snapshots = flags.snapshot && (await read(flags.snapshot));
  const client = snapshots ? undefined : await clientOf(flags.kubeconfig, kubeConfig);
  try {
    const configuration = await readConfiguration(flags, client);
    const { oversubscribe } = configuration.sharing.timeSlicing;
    const warn = (why: string, details: object) => say(`${why}: ${JSON.stringify(details)}`);
    const state = new ClusterState(warn, { oversubscribe });
    let knowsPods = false;
    const admission = new AdmissionState(state, admissionConfigurationOf(configuration, flags.systemNamespace), {
      knowsPods: () => knowsPods,
    });
    if (client) knowsPods = await listCluster(state, client);
    if (takePods(state, takeManifests(state, snapshots ?? []))) knowsPods = true;
    // Policies before pods: the order of files does not matter.
    const rest = takeManifests(state, given);
    sayUnsized([...state.nodes.values()].map(({ inventory }) => inventory));
    const history = await historyOf(configuration);
    const view = admission.view((workload) => history?.of(workload));
    const found = rest.map((manifest) => ({ manifest, pods: podsOf(manifest) }));
    const reports = found.flatMap(({ manifest, pods }) => report(manifest, pods, flags, view, now));
    const passedOver = found.filter(({ pods }) => pods.length === 0).map(({ manifest }) => passedOverOf(manifest));
    for (const { file, object } of passedOver) say(`${file}: ${object} was passed over: ${NO_TEMPLATE}`);
    if (reports.length === 0)
      throw new InputError('there is no pod, and nothing that makes pods, in what was given by -f');
    process.stdout.write(
      flags.output === 'json' ? asJson(reports, passedOver) : `${reports.map(asText).join('\n\n')}\n`,
    );
  } finally {
    client?.close();
  }
}

const NO_TEMPLATE =
  'there is no pod template in it. For what makes pods by itself, ask for the pods: kubectl get pods -l … -o json';

function passedOverOf(manifest: Manifest): PassedOver {
  return { file: manifest.file, object: nameOfObject(manifest) };
}

function report(
  manifest: Manifest,
  pods: readonly TemplatePod[],
  flags: Flags,
  view: AdmissionView,
  now: () => Date,
): Report[] {
  const { file, object: given } = manifest;
  const { schedulerName } = view.settings;
  return pods.map(({ pod, place }) => {
    const judged = evaluateAdmission(pod, given.metadata?.namespace ?? flags.namespace, view);
    const object = place ? `${nameOfObject(manifest)}: ${place}` : nameOfObject(manifest);
    return { file, object, judged, pod: applyDecision(pod, judged, view, now()), schedulerName };
  });
}

/** `Deployment web` */
function nameOfObject({ object: { kind, metadata } }: Manifest): string {
  return `${kind} ${metadata?.name ?? metadata?.generateName ?? ''}`.trim();
}

async function readConfiguration({ config, systemNamespace }: Flags, client: KubeClient | undefined) {
  const installed = config === undefined && client ? await installedConfiguration(client, systemNamespace) : undefined;
  return configurationOf({ file: config, systemNamespace, installed, expected: client !== undefined });
}

/** Longest time that a user at a terminal waits for Prometheus. */
const HISTORY_MS = 15_000;

async function historyOf(configuration: Configuration) {
  const current = new HistoryProvider({
    log: createLogger('decide', 'silent'),
    metrics: historyMetrics(createRegistry()),
    fetch,
    clock: systemClock,
  });
  current.take(configuration);
  const history = current.current;
  if (!history) return undefined;
  const failure = await Promise.race([
    history.firstTry,
    sleep(HISTORY_MS, `no answer within ${HISTORY_MS / 1000} s`, { ref: false }),
  ]);
  if (failure !== undefined) say(`no history from Prometheus: ${failure}`);
  await current.stop();
  return history;
}
