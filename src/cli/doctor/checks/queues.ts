/** Queues of Kueue that count whole GPUs, and not what pods get instead. */

import { parse } from 'yaml';
import { z } from 'zod';
import { migProfileOf, SHARED_GPU, WHOLE_GPU } from '../../../core/resources.ts';
import type { NodeRecord } from '../../../state/node-record.ts';
import { defineCheck } from '../check.ts';
import type { ConfigMap } from '../observations.ts';
import { countOf, listOf, namesBy } from '../phrases.ts';

export const queues = defineCheck({
  name: 'queues',
  about: `Kueue's ClusterQueues that cover ${WHOLE_GPU}, and not ${SHARED_GPU} or nvidia.com/mig-…`,
  needs: ['clusterQueues'],
  uses: ['nodes', 'kueueConfiguration'],
  run: ({ clusterQueues, nodes = [], kueueConfiguration = [] }) => {
    const isCounted = countedBy(kueueConfiguration);
    const wanted = offeredSlots(nodes).filter((resource) => !isCounted(resource));
    const missing = namesBy(
      clusterQueues.filter(({ covers }) => covers.includes(WHOLE_GPU)),
      ({ covers }) => listOf(wanted.filter((resource) => !covers.includes(resource))) || undefined,
    );
    return missing.map(([resources, names]) => ({
      severity: 'warning',
      message: `${countOf('ClusterQueue', names)} cover${names.length === 1 ? 's' : ''} ${WHOLE_GPU} and not ${resources}: pods of such queues keep whole GPUs, and one that asks for a slot by name is not admitted`,
      fix: 'add the resources to coveredResources, with a quota in each flavor, or let Kueue count them as another one (resources.transformations in its configuration: gpu-autoscaler generate kueue); pods then ask for slots by name',
      objects: names,
    }));
  },
});

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
      transformations: z.array(z.object({ input: z.string(), strategy: z.string().nullish() })).nullish(),
    })
    .nullish(),
});

type KueueResources = NonNullable<z.infer<typeof kueueSchema>['resources']>;

/** Whether Kueue counts a resource as another one, or not at all. */
function countedBy(configMaps: readonly ConfigMap[]): (resource: string) => boolean {
  const settings = configMaps.flatMap(({ data }) => Object.values(data)).flatMap(resourcesIn);
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
