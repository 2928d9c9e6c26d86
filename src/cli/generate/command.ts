/** `gpu-autoscaler generate`: tells autoscalers and queues what partitioned nodes offer. */

import type { Command } from 'commander';
import { SYSTEM_NAMESPACE } from '../../api/keys.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import { NodeConfigs } from '../../state/node-configs.ts';
import { clientOf, type ReadKubeConfig } from '../cluster-access.ts';
import { say } from '../input.ts';
import { InputError } from '../input-error.ts';
import { type ConfigurationFlags, liveConfiguration, lookAt, manifestsOf, savedConfiguration } from '../inspection.ts';
import { clusterAutoscaler } from './cluster-autoscaler.ts';
import { asYaml, type Generated } from './documents.ts';
import { type Gathered, gatherLive, gatherSnapshot } from './gather.ts';
import { karpenter } from './karpenter.ts';
import { kueue } from './kueue.ts';
import { groupNodes, type NodeGroup } from './node-groups.ts';
import { PROVIDERS, providerOf } from './provider.ts';

interface Flags extends ConfigurationFlags {
  readonly snapshot?: readonly string[];
  readonly provider?: string;
  readonly kubeconfig?: string;
}

export interface GenerateDependencies {
  readonly kubeConfig: ReadKubeConfig;
}

type Generator = (groups: readonly NodeGroup[], gathered: Gathered, flags: Flags) => Generated;

const GENERATORS: Readonly<Record<string, Generator>> = {
  'cluster-autoscaler': (groups, { traces }, { provider }) => clusterAutoscaler(groups, providerOf(provider, traces)),
  karpenter: (groups) => karpenter(groups),
  kueue: (groups, { state }) => kueue(groups, [...state.nodes.values()]),
};

const collect = (value: string, before: readonly string[] = []) => [...before, value];

/** Adds the command to the program. */
export function addGenerate(program: Command, dependencies: GenerateDependencies): void {
  program
    .command('generate')
    .description('Prints what tells an autoscaler or a queue what partitioned nodes offer; reads only.')
    .argument('<what>', `${Object.keys(GENERATORS).join(', ')}`)
    .option(
      '-s, --snapshot <file>',
      'no live cluster: kubectl get nodes,gpunodeconfigs -o json, or manifests; a file, a folder, a URL, or - for standard input; may be repeated',
      collect,
    )
    .option(
      '--provider <name>',
      `of cluster-autoscaler: ${PROVIDERS.join(', ')} (default: by spec.providerID of nodes)`,
    )
    .option('--system-namespace <name>', 'where gpu-autoscaler is installed', SYSTEM_NAMESPACE)
    .action((what: string, _options, command: Command) =>
      generate(what, command.optsWithGlobals<Flags>(), dependencies),
    );
}

async function generate(what: string, flags: Flags, { kubeConfig }: GenerateDependencies): Promise<void> {
  const generator = Object.hasOwn(GENERATORS, what) ? GENERATORS[what] : undefined;
  if (!generator)
    throw new InputError(`${JSON.stringify(what)} cannot be generated: say ${Object.keys(GENERATORS).join(', ')}`);
  const { gathered, configuration } = flags.snapshot
    ? await fromSnapshot(flags.snapshot, flags)
    : await fromCluster(await clientOf(flags.kubeconfig, kubeConfig), flags);
  const { state } = gathered;
  const byNode = new NodeConfigs(state.nodeConfigs, () => {});
  const configs = [...state.nodeConfigs.values()];
  if (configs.length === 0)
    throw new InputError(
      'there is no GPUNodeConfig: neither people nor the planner have partitioned a node (docs/guides/partitions.md)',
    );
  const { groups, notes } = groupNodes([...state.nodes.values()], configs, (node) => byNode.of(node)[0], configuration);
  const generated = generator(groups, gathered, flags);
  for (const note of [...notes, ...generated.notes]) say(note);
  if (groups.length === 0 || generated.documents.length === 0)
    throw new InputError(`there is nothing to generate for ${what}: no GPUNodeConfig counts`);
  process.stdout.write(asYaml(generated.documents));
}

function fromCluster(client: KubeClient, flags: Flags) {
  return lookAt(client, async () => ({
    gathered: await gatherLive(client),
    configuration: await liveConfiguration(client, flags),
  }));
}

async function fromSnapshot(files: readonly string[], flags: Flags) {
  const manifests = await manifestsOf(files);
  const configuration = savedConfiguration(manifests, flags);
  return { gathered: gatherSnapshot(manifests), configuration };
}
