/** What `generate` prints, on the real API server with the published definitions of Karpenter and Kueue. */

import { join, resolve } from 'node:path';
import tap, { type Test } from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { waitFor } from '../cluster/wait.ts';
import { generate } from '../e2e/run-generate.ts';
import { filesOf } from './go-module-files.ts';

const KARPENTER = 'sigs.k8s.io/karpenter@v1.13.0';
const KUEUE = 'sigs.k8s.io/kueue@v0.17.0';
const CLUSTER = resolve(import.meta.dirname, '../../examples/autoscalers/cluster.yaml');

const manifestSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.record(z.string(), z.unknown()).optional(),
});
type Manifest = z.infer<typeof manifestSchema>;

/** The Kubernetes objects among what is printed. */
function generated(what: string): Manifest[] {
  const { status, stdout, stderr } = generate([what, '-s', CLUSTER]);
  if (status !== 0) throw new Error(stderr);
  const documents = parseAllDocuments(stdout).map((document) => document.toJS());
  return documents.flatMap((value) => manifestSchema.safeParse(value).data ?? []);
}

function create(client: KubeClient, body: Manifest): Promise<unknown> {
  const plural = `${body.kind.toLowerCase()}s`;
  return client.json('POST', `/apis/${body.apiVersion}/${plural}?fieldValidation=Strict`, { body });
}

async function define(client: KubeClient, text: string): Promise<void> {
  const body = manifestSchema.parse(parse(text));
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  await client.json('POST', path, { body });
  const { name } = body.metadata;
  const schema = z.object({
    status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })) }),
  });
  await waitFor(`${name} is established`, async () => {
    const read = schema.safeParse(await client.json('GET', `${path}/${name}`)).data;
    return read?.status.conditions.some(({ type, status }) => type === 'Established' && status === 'True') ?? false;
  });
}

/** Once the definition is served, which may be a moment after it is established. */
async function accepted(t: Test, client: KubeClient, manifest: Manifest): Promise<void> {
  let said = '';
  await waitFor(`${manifest.kind} ${manifest.metadata.name} is accepted`, async () => {
    try {
      await create(client, manifest);
      return true;
    } catch (error) {
      said = (error as Error).message;
      if (/could not find|404/.test(said)) return false;
      throw error;
    }
  });
  t.pass(`${manifest.kind} ${manifest.metadata.name} ${said}`);
}

tap.test('the published definitions accept what is generated', async (t) => {
  const cluster = await clusterFor(t);
  if (!cluster) return;
  const { client } = cluster;

  await t.test('NodeOverlays', async (t) => {
    const texts = await filesOf(t, KARPENTER, ['pkg/apis/crds/karpenter.sh_nodeoverlays.yaml']);
    if (!texts) return;
    for (const text of texts) await define(client, text);
    const [overlay] = generated('karpenter');
    if (!overlay) throw new Error('nothing was generated');
    await accepted(t, client, overlay);
    const other = { ...overlay, metadata: { name: 'other' } };
    const of = (change: object) => create(client, { ...other, spec: { ...overlay.spec, ...change } });
    await t.rejects(of({ capacity: { cpu: '1' } }), /invalid resource restricted/, 'the rules are in force');
    await t.rejects(of({ weight: 0 }), /spec\.weight/);
  });

  await t.test('ResourceFlavor and ClusterQueue', async (t) => {
    const names = ['resourceflavors', 'clusterqueues'];
    const files = names.map((name) => join('config/components/crd/bases', `kueue.x-k8s.io_${name}.yaml`));
    const texts = await filesOf(t, KUEUE, files);
    if (!texts) return;
    for (const text of texts) await define(client, text);
    const manifests = generated('kueue');
    t.strictSame(
      manifests.map(({ kind }) => kind),
      ['ResourceFlavor', 'ClusterQueue'],
    );
    for (const manifest of manifests) await accepted(t, client, manifest);
    const [, queue] = manifests;
    const group = {
      coveredResources: ['cpu', 'memory'],
      flavors: [{ name: 'x', resources: [{ name: 'cpu', nominalQuota: 1 }] }],
    };
    const wrong = { apiVersion: queue?.apiVersion ?? '', kind: 'ClusterQueue', metadata: { name: 'wrong' } };
    await t.rejects(create(client, { ...wrong, spec: { resourceGroups: [group] } }), /same number of resources/);
  });
});
