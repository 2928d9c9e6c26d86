/**
 * What the real API server takes of our custom resources, what it refuses and what it says then; and that our own
 * parsers agree with it.
 */

import tap, { type Test } from 'tap';
import { z } from 'zod';
import { NODE_CONFIGS, SHARING_POLICIES } from '#src/api/custom-resources.ts';
import { formatIssues } from '#src/api/kubernetes.ts';
import { nodeConfigSpec } from '#src/api/node-config.ts';
import { parseSharingPolicy } from '#src/api/sharing-policy.ts';
import type { Parsed } from '#src/core/units.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { createCustom, installDefinitions, manifest, pathOf, type Resource } from '../cluster/custom-resources.ts';
import { clusterFor } from '../cluster/for-test.ts';
import type { AcceptedCase, RefusedCase } from './custom-resource-cases/case.ts';
import { acceptedNodeConfigs, refusedNodeConfigs } from './custom-resource-cases/node-configs.ts';
import { acceptedPolicies, refusedPolicies } from './custom-resource-cases/sharing-policies.ts';

interface Subject {
  readonly client: KubeClient;
  readonly resource: Resource;
  readonly parse: (object: unknown) => Parsed<unknown>;
}

tap.test('custom resources', async (t) => {
  const cluster = await clusterFor(t, { kubelets: false });
  if (!cluster) return;
  const { client } = cluster;
  await installDefinitions(client);
  const policies = { client, resource: SHARING_POLICIES, parse: parseSharingPolicy };
  const nodeConfigs = { client, resource: NODE_CONFIGS, parse: parseNodeConfig };
  for (const [i, each] of refusedPolicies.entries()) await refuses(t, policies, `refused-${i}`, each);
  for (const [i, each] of acceptedPolicies.entries()) await takes(t, policies, `taken-${i}`, each);
  for (const [i, each] of refusedNodeConfigs.entries()) await refuses(t, nodeConfigs, `refused-${i}`, each);
  for (const [i, each] of acceptedNodeConfigs.entries()) await takes(t, nodeConfigs, `taken-${i}`, each);
  await t.test('a GPUNodeConfig stays with its node', (t) => keepsNode(t, client));
});

function parseNodeConfig(object: unknown): Parsed<unknown> {
  const parsed = z.object({ spec: nodeConfigSpec }).safeParse(object);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, reason: formatIssues(parsed.error) };
}

async function takes(
  t: Test,
  { client, resource, parse }: Subject,
  name: string,
  { sentence, spec, stored = {} }: AcceptedCase,
): Promise<void> {
  await t.test(`${resource.kind}, taken: ${sentence}`, async (t) => {
    const object = await createCustom(client, resource, name, spec);
    t.match(object.spec, stored);
    t.match(parse(object), { ok: true });
  });
}

async function refuses(
  t: Test,
  { client, resource, parse }: Subject,
  name: string,
  { sentence, spec, says, parsedBecause }: RefusedCase,
): Promise<void> {
  await t.test(`${resource.kind}, refused: ${sentence}`, async (t) => {
    const message = await createCustom(client, resource, name, spec).then(
      () => 'taken',
      (error: Error) => error.message,
    );
    t.ok(inAllVersions(message).includes(inAllVersions(says)), `its author is told: ${says}`, { message });
    const ours = parse(manifest(resource, name, spec));
    if (parsedBecause) {
      t.match(ours, { ok: true }, parsedBecause);
      return;
    }
    // `spec.values[0]: …` is `spec.values.0: …` in our words.
    const field = /(spec[^:]*): /.exec(message)?.[1]?.replaceAll(/\[(.*?)\]/g, '.$1');
    const reason = ours.ok ? 'taken' : ours.reason;
    t.ok(reason.startsWith(`${field}: `), `our parser blames ${field} too`, { reason });
  });
}

/**
 * What a message says in every version: which field, and what is wrong. Of a rule that is broken, the API server shows the
 * value only since 1.35, and of objects and lists nothing; before, it shows the name of the type. It has had two sentences
 * for what is too long.
 */
function inAllVersions(message: string): string {
  return message
    .replaceAll(/Invalid value: "(?:[^"\\]|\\.)*": /g, 'Invalid value: ')
    .replaceAll(/Too long: \D+(\d+)(?: bytes)?/g, 'Too long: $1');
}

async function keepsNode(t: Test, client: KubeClient): Promise<void> {
  const before = await createCustom(client, NODE_CONFIGS, 'stays', { nodeName: 'a', mpsEnabled: true });
  const path = `${pathOf(NODE_CONFIGS)}/stays`;
  const moved = { ...before, spec: { ...before.spec, nodeName: 'b' } };
  await t.rejects(client.json('PUT', path, { body: moved }), {
    message:
      /spec\.nodeName: Forbidden: nodeName cannot change: delete this GPUNodeConfig, and create one for the other node/,
  });
  const changed = { ...before, spec: { ...before.spec, mpsMaxClients: 8 } };
  await t.resolves(client.json('PUT', path, { body: changed }), 'the rest may change');
}
