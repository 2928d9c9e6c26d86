/** What the API server refuses of one object, and would not of another: no reason to leave the others unwritten. */

import { KubeError } from './kube-client.ts';

/** A server that is busy, or does not know us, refuses whatever comes. */
const WHATEVER_COMES: ReadonlySet<number | undefined> = new Set([401, 429]);

export function isRefusal(error: unknown): error is KubeError {
  return error instanceof KubeError && error.refused && !WHATEVER_COMES.has(error.status);
}
