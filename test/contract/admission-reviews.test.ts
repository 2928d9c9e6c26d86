/**
 * The reviews in test/fixtures are what the API server sends. With RECORD=1 they are written anew, which a new version
 * of Kubernetes may call for.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import tap from 'tap';
import { z } from 'zod';
import { clusterFor } from '../cluster/for-test.ts';
import { recordReviews } from '../cluster/review-recorder.ts';
import { waitFor } from '../cluster/wait.ts';
import { REVIEWED_OBJECTS } from '../fixtures/reviewed-objects.ts';

const FILE = resolve(import.meta.dirname, '../fixtures/admission-reviews.json');
/** Whether that is the pod, or one generated from a name that begins so. */
const isOf = (name: string, wanted: string) =>
  wanted.endsWith('-') ? name.startsWith(wanted) && name.endsWith('-') : name === wanted;

/**
 * `request.object.spec.containers.*.name`: every place there is, whatever stands there. Null is nothing: old versions
 * write it for a time that is not known yet, where newer ones leave the field out.
 */
function shape(value: unknown, path = ''): string[] {
  if (value === null) return [];
  if (Array.isArray(value)) return [...new Set(value.flatMap((item) => shape(item, `${path}.*`)))];
  if (typeof value !== 'object') return [path];
  return Object.entries(value).flatMap(([key, item]) => shape(item, `${path}.${key}`));
}

tap.test('reviews of the real API server', async (t) => {
  const cluster = await clusterFor(t, { controllers: true, kubelets: false });
  if (!cluster) return;
  const { client } = cluster;
  const reviews = await recordReviews(t, cluster);
  const found = (wanted: string) => [...reviews].find(([name]) => isOf(name, wanted))?.[1] ?? undefined;
  const probe = REVIEWED_OBJECTS[0];
  await waitFor('the API server asks', async () => {
    if (probe) await client.json('POST', `${probe.path}?dryRun=All`, { body: probe.body });
    return reviews.size > 0;
  });
  const recorded: unknown[] = [];
  for (const { path, body, pod } of REVIEWED_OBJECTS) {
    await client.json('POST', path, { body });
    recorded.push(await waitFor(`a review of ${pod}`, () => found(pod)));
  }
  if (process.env.RECORD) writeFileSync(FILE, `${JSON.stringify(recorded, null, 1)}\n`);
  const stored = z.array(z.unknown()).parse(JSON.parse(readFileSync(FILE, 'utf8')));
  t.equal(stored.length, recorded.length);
  for (const [i, review] of recorded.entries()) {
    t.strictSame(shape(stored[i]).sort(), shape(review).sort(), `of ${REVIEWED_OBJECTS[i]?.pod}`);
  }
});
