/** Our CustomResourceDefinitions: Helm installs them once and never renews them. */

import { z } from 'zod';
import { definitionOf, NODE_CONFIGS, SHARING_POLICIES } from '../../../api/custom-resources.ts';
import { API_VERSION } from '../../../api/keys.ts';
import { defineCheck, type Finding } from '../check.ts';
import { type Definition, definitionSchema } from '../observations.ts';

const FIX = 'kubectl apply --server-side --force-conflicts -f charts/gpu-autoscaler/crds';

export const definitions = defineCheck({
  name: 'crds',
  about: 'CustomResourceDefinitions absent, or of another version of gpu-autoscaler',
  needs: ['definitions'],
  run: ({ definitions: found }) =>
    [SHARING_POLICIES, NODE_CONFIGS].flatMap((resource) => {
      const ours = definitionSchema.parse(definitionOf(resource));
      const fault = faultOf(
        ours,
        found.find(({ name }) => name === ours.name),
      );
      return fault ? [{ ...fault, fix: FIX, objects: [ours.name] }] : [];
    }),
});

function faultOf(ours: Definition, theirs: Definition | undefined): Pick<Finding, 'severity' | 'message'> | undefined {
  const { name } = ours;
  if (!theirs)
    return { severity: 'error', message: `the CustomResourceDefinition ${name} is absent: there are no such objects` };
  if (!theirs.established)
    return { severity: 'error', message: `the API server does not serve ${name}: it is not established` };
  const served = theirs.versions.find((version) => version.name === API_VERSION);
  if (!served?.served)
    return {
      severity: 'error',
      message: `${name} does not serve ${API_VERSION}, the version that is read and written`,
    };
  const place = firstDifference(ours.versions[0]?.schema, served.schema, []);
  if (place === undefined) return undefined;
  return {
    severity: 'warning',
    message: `the CustomResourceDefinition ${name} is not of this version of gpu-autoscaler (the first difference is at ${place.join('.') || 'its schema'}): fields are dropped or refused`,
  };
}

const objectSchema = z.record(z.string(), z.unknown());

/** Where two schemas differ first; undefined if they do not. */
export function firstDifference(
  ours: unknown,
  theirs: unknown,
  path: readonly string[],
): readonly string[] | undefined {
  if (ours === theirs) return undefined;
  if (Array.isArray(ours) && Array.isArray(theirs)) return between({ ...ours }, { ...theirs }, path);
  const [a, b] = [objectSchema.safeParse(ours), objectSchema.safeParse(theirs)];
  if (!a.success || !b.success || Array.isArray(ours) !== Array.isArray(theirs)) return path;
  return between(a.data, b.data, path);
}

function between(ours: Record<string, unknown>, theirs: Record<string, unknown>, path: readonly string[]) {
  for (const key of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    const place = firstDifference(ours[key], theirs[key], [...path, key]);
    if (place) return place;
  }
  return undefined;
}
