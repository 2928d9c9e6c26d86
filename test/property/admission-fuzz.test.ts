/** Reviews of the real API server, changed at random: the pod is always admitted, and what we do to it is always sound. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { applyPatch } from 'rfc6902';
import tap from 'tap';
import { z } from 'zod';
import { admissionReviewSchema } from '#src/api/admission-review.ts';
import { READ, WRITTEN } from '#src/api/keys.ts';
import { isGpuResource } from '#src/core/resources.ts';
import { type ReviewContext, review } from '#src/webhook/review.ts';
import { sensibleMutation, wildMutation } from '../fixtures/pod-mutations.ts';
import { anySurroundings, contextIn } from '../fixtures/surroundings.ts';
import { makeWebhook } from '../unit/webhook/make.ts';

const RUNS = 100_000;
/** Configurations, policies, histories and nodes; each is set up once. */
const SURROUNDINGS = 100;
const FILE = resolve(import.meta.dirname, '../fixtures/admission-reviews.json');

/** Half of each is `managedFields`, which nobody reads. */
const reviewSchema = z.looseObject({
  request: z.looseObject({ uid: z.string(), object: z.record(z.string(), z.unknown()) }),
});
const REVIEWS = z
  .array(reviewSchema)
  .parse(JSON.parse(readFileSync(FILE, 'utf8'), (key, value) => (key === 'managedFields' ? undefined : value)));
const replySchema = z.strictObject({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  response: z.strictObject({
    uid: z.string(),
    allowed: z.literal(true),
    patchType: z.literal('JSONPatch').optional(),
    patch: z.string().optional(),
    warnings: z.array(z.string().max(250)).optional(),
  }),
});

const anyReview = fc.record({
  which: fc.nat({ max: REVIEWS.length - 1 }),
  where: fc.nat({ max: SURROUNDINGS - 1 }),
  /** The way through the server takes most of the time, and is the same for all. */
  byHttp: fc.nat({ max: 9 }).map((number) => number === 0),
  mutations: fc.oneof(
    { weight: 3, arbitrary: fc.array(sensibleMutation, { maxLength: 5 }) },
    { weight: 1, arbitrary: fc.array(fc.oneof(sensibleMutation, wildMutation), { minLength: 1, maxLength: 4 }) },
  ),
  envelope: fc.oneof(
    { weight: 9, arbitrary: fc.constant({}) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        { namespace: null },
        { namespace: 'kube-system' },
        { operation: 'UPDATE' },
        { subResource: 'status' },
        { kind: null },
      ),
    },
  ),
});

type Json = Record<string, unknown>;

/** Ten times as fast as structuredClone. */
function clone(value: unknown) {
  return JSON.parse(JSON.stringify(value));
}

/** The pod without what we may touch; of resources, environment and annotations without ours alone. */
function rest(pod: unknown): unknown {
  const copy = clone(pod) as { metadata?: Json; spec?: Json };
  const { metadata, spec } = copy;
  delete spec?.schedulerName;
  delete spec?.nodeSelector;
  drop(metadata, 'annotations', (key) =>
    [...Object.values(WRITTEN), READ.gpuMemory, READ.sharingMode].some((ours) => ours === key),
  );
  for (const list of [spec?.initContainers, spec?.containers]) {
    for (const container of Array.isArray(list) ? list : []) {
      for (const kind of ['requests', 'limits']) drop(container?.resources, kind, isGpuResource);
      if (Array.isArray(container?.env))
        container.env = container.env.filter(({ name }: Json) => !String(name).startsWith('CUDA_MPS_'));
      if (container?.env?.length === 0) delete container.env;
    }
  }
  return copy;
}

/** Takes keys away, and what is empty then. */
function drop(holder: Json | null | undefined, key: string, isOurs: (name: string) => boolean): void {
  if (typeof holder?.[key] !== 'object') return;
  const kept = Object.entries(holder[key] ?? {}).filter(([name]) => !isOurs(name));
  if (kept.length > 0) holder[key] = Object.fromEntries(kept);
  else delete holder[key];
}

const ENVELOPE = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' };

/** Answers a review, by HTTP or by what the server calls. */
function answerer(context: () => ReviewContext) {
  const webhook = makeWebhook(undefined, context);
  return async (body: object, byHttp: boolean): Promise<unknown> => {
    if (!byHttp) return review(admissionReviewSchema.parse(body).request, context()).reply;
    const headers = { 'content-type': 'application/json' };
    const reply = await webhook.inject({
      method: 'POST',
      url: '/mutate-v1-pod',
      payload: JSON.stringify(body),
      headers,
    });
    if (reply.statusCode !== 200) throw new Error(`HTTP ${reply.statusCode}: ${reply.body}`);
    return reply.json();
  };
}

tap.test(`${RUNS} reviews, changed at random`, async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.comment(`seed ${seed}`);
  const answers = fc.sample(anySurroundings, { seed, numRuns: SURROUNDINGS }).map((each) => answerer(contextIn(each)));
  const counts = { patched: 0, left: 0, warned: 0 };
  const started = performance.now();
  await fc.assert(
    fc.asyncProperty(anyReview, async ({ which, where, mutations, envelope, byHttp }) => {
      const { request } = reviewSchema.parse(clone(REVIEWS[which]));
      for (const mutate of mutations) mutate(request.object);
      const ask = async (object: unknown) => {
        const body = { ...ENVELOPE, request: { ...request, ...envelope, object } };
        const { response } = replySchema.parse(await answers[where]?.(body, byHttp));
        if (response.uid !== request.uid) throw new Error(`another uid: ${response.uid}`);
        return response;
      };
      // As it arrives: JSON knows no undefined.
      const pod = clone(request.object);
      const { patch, warnings } = await ask(pod);
      if (warnings) counts.warned += 1;
      if (patch === undefined) {
        counts.left += 1;
        return;
      }
      counts.patched += 1;
      const changed = clone(pod);
      const faults = applyPatch(changed, JSON.parse(Buffer.from(patch, 'base64').toString())).filter(Boolean);
      if (faults.length > 0) throw new Error(`the patch does not apply: ${faults.map(String).join()}`);
      if (!isDeepStrictEqual(rest(pod), rest(changed)))
        throw new Error(`more was changed: ${Buffer.from(patch, 'base64')}`);
      const { patch: again } = await ask(changed);
      if (again !== undefined) throw new Error(`not stable: ${Buffer.from(again, 'base64')}`);
    }),
    { seed, numRuns: RUNS },
  );
  t.comment(`${JSON.stringify(counts)}, ${((performance.now() - started) / 1000).toFixed(1)} s`);
  t.ok(counts.patched > RUNS / 4, 'many are changed');
  t.ok(counts.left > RUNS / 10, 'many are left');
  t.ok(counts.warned > RUNS / 50, 'some cannot be read');
});
