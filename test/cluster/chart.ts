/** The chart: rendered by helm, installed, and seen with the eyes of its service accounts. */

import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { KubeClient } from '#src/kube/kube-client.ts';
import { findPrograms } from './programs.ts';
import type { Cluster } from './start.ts';

export const NAMESPACE = 'gpu-autoscaler-system';

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
export type KubeObject = z.infer<typeof objectSchema>;

export function helm(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { helm: program } = findPrograms({ env: process.env, log: () => {} });
  return spawnSync(program, args, { cwd: resolve(import.meta.dirname, '../..'), encoding: 'utf8' });
}

export function render(...args: string[]): KubeObject[] {
  const { status, stdout, stderr } = helm('template', 'gpu', 'charts/gpu-autoscaler', '-n', NAMESPACE, ...args);
  if (status !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout).flatMap((document) => {
    const object: unknown = document.toJS();
    return object === null ? [] : [objectSchema.parse(object)];
  });
}

export function find(objects: readonly KubeObject[], kind: string, name: string): KubeObject {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (!found) throw new Error(`no ${kind} ${name}`);
  return found;
}

/** The cluster as a service account sees it. */
export async function actAs(
  { client, kubeConfig }: Cluster,
  name: string,
): Promise<{ client: KubeClient; kubeConfig: KubeConfig }> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3_600 } };
  const reply = await client.json('POST', `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${name}/token`, { body });
  const { token } = z.object({ status: z.object({ token: z.string() }) }).parse(reply).status;
  const server = kubeConfig.getCurrentCluster();
  if (!server) throw new Error('no current cluster');
  const acting = new KubeConfig();
  acting.loadFromClusterAndUser(server, { name, token });
  return { client: new KubeClient(acting), kubeConfig: acting };
}
