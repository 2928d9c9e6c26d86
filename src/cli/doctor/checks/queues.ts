/** Queues of Kueue that count whole GPUs, and not what pods get instead. */

import { parse } from 'yaml';
import { z } from 'zod';
import { QUOTA } from '../../../api/keys.ts';
import type { ClusterQueue } from '../../../api/queues.ts';
import { migProfileOf, SHARED_GPU, WHOLE_GPU } from '../../../core/resources.ts';
import type { NodeRecord } from '../../../state/node-record.ts';
import { defineCheck, type Finding } from '../check.ts';
import { countOf, listOf, namesBy } from '../phrases.ts';

export const queues = defineCheck({
  name: 'queues',
  about: `Kueue's ClusterQueues that cover ${WHOLE_GPU}, and not ${SHARED_GPU} or nvidia.com/mig-…`,
  needs: ['clusterQueues'],
  uses: ['nodes', 'kueueConfiguration'],
  run: ({ clusterQueues, nodes = [], kueueConfiguration = [] }) => {
    const settings = kueueConfiguration.flatMap(({ data }) => Object.values(data)).flatMap(resourcesIn);
    return [
      ...replaced(clusterQueues, settings),
      ...(kueueConfiguration.length > 0 ? uncounted(clusterQueues, settings) : []),
      ...missing(clusterQueues, nodes, settings),
    ];
  },
});

/** Queues that cover what Kueue counts under another name, which they do not cover. */
function replaced(clusterQueues: readonly ClusterQueue[], settings: readonly KueueResources[]): Finding[] {
  const transformations = settings.flatMap((each) => each.transformations ?? []);
  const found = namesBy(clusterQueues, ({ covers }) => {
    const lost = transformations.filter(
      ({ input, strategy, outputs }) =>
        strategy === 'Replace' &&
        input.startsWith('nvidia.com/') &&
        covers.includes(input) &&
        !Object.keys(outputs ?? {}).every((name) => covers.includes(name)),
    );
    return listOf(lost.map(({ input }) => input)) || undefined;
  });
  return found.map(([resources, names]) => ({
    severity: 'error',
    message: `${countOf('ClusterQueue', names)} cover${names.length === 1 ? 's' : ''} ${resources}, which Kueue counts as something else (resources.transformations) that is not covered: no pod of such queues that asks for it is admitted`,
    fix: `cover what it is counted as: gpu-autoscaler generate kueue prints such a ClusterQueue, with ${QUOTA.milliGpu}`,
    objects: names,
  }));
}

/** Queues of milli-GPUs, where Kueue counts nothing as such. */
function uncounted(clusterQueues: readonly ClusterQueue[], settings: readonly KueueResources[]): Finding[] {
  const outputs = settings.flatMap((each) => each.transformations ?? []).map((each) => Object.keys(each.outputs ?? {}));
  const names = clusterQueues.filter(({ covers }) => covers.includes(QUOTA.milliGpu)).map(({ name }) => name);
  if (names.length === 0 || outputs.flat().includes(QUOTA.milliGpu)) return [];
  return [
    {
      severity: 'error',
      message: `${countOf('ClusterQueue', names)} cover${names.length === 1 ? 's' : ''} ${QUOTA.milliGpu}, and Kueue's configuration counts nothing as that: pods that share are not admitted`,
      fix: "add the transformations that gpu-autoscaler generate kueue prints to Kueue's configuration, and restart its controller",
      objects: names,
    },
  ];
}

function missing(
  clusterQueues: readonly ClusterQueue[],
  nodes: readonly NodeRecord[],
  settings: readonly KueueResources[],
): Finding[] {
  const isCounted = countedBy(settings);
  const wanted = offeredSlots(nodes).filter((resource) => !isCounted(resource));
  const found = namesBy(
    clusterQueues.filter(({ covers }) => covers.includes(WHOLE_GPU)),
    ({ covers }) => listOf(wanted.filter((resource) => !covers.includes(resource))) || undefined,
  );
  return found.map(([resources, names]) => ({
    severity: 'warning',
    message: `${countOf('ClusterQueue', names)} cover${names.length === 1 ? 's' : ''} ${WHOLE_GPU} and not ${resources}: pods of such queues keep whole GPUs, and one that asks for a slot by name is not admitted`,
    fix: 'add the resources to coveredResources, with a quota in each flavor, or let Kueue count them as another one (resources.transformations in its configuration: gpu-autoscaler generate kueue)',
    objects: names,
  }));
}

/** What nodes offer besides whole GPUs; where none does, what they would offer first. */
function offeredSlots(nodes: readonly NodeRecord[]): string[] {
  const offered = new Set(
    nodes
      .flatMap(({ inventory }) => inventory?.pools ?? [])
      .map(({ resource }) => resource)
      .filter((resource) => resource === SHARED_GPU || migProfileOf(resource) !== undefined),
  );
  return offered.size > 0 ? [...offered].sort() : [SHARED_GPU];
}

/** Source: Kueue, `Configuration`, `resources`. */
const kueueSchema = z.object({
  resources: z
    .looseObject({
      excludeResourcePrefixes: z.array(z.string()).nullish(),
      transformations: z
        .array(
          z.object({
            input: z.string(),
            strategy: z.string().nullish(),
            outputs: z.record(z.string(), z.unknown()).nullish(),
          }),
        )
        .nullish(),
    })
    .nullish(),
});

type KueueResources = NonNullable<z.infer<typeof kueueSchema>['resources']>;

/** Whether Kueue counts a resource as another one, or not at all. */
function countedBy(settings: readonly KueueResources[]): (resource: string) => boolean {
  const prefixes = settings.flatMap(({ excludeResourcePrefixes }) => excludeResourcePrefixes ?? []);
  const inputs = settings
    .flatMap(({ transformations }) => transformations ?? [])
    .filter(({ strategy }) => strategy === 'Replace')
    .map(({ input }) => input);
  return (resource) => inputs.includes(resource) || prefixes.some((prefix) => resource.startsWith(prefix));
}

/** What cannot be read says nothing. */
function resourcesIn(text: string): KueueResources[] {
  try {
    return [kueueSchema.safeParse(parse(text)).data?.resources ?? {}];
  } catch {
    return [];
  }
}
