/** What people are told about an object: its events. */

import { z } from 'zod';
import type { KubeClient } from '#src/kube/kube-client.ts';

const eventSchema = z.object({
  reason: z.string(),
  message: z.string(),
});
type ObjectEvent = z.infer<typeof eventSchema>;

/** The pod's FailedScheduling events, as `kubectl describe pod` shows them. */
export function failedScheduling(client: KubeClient, pod: string): Promise<ObjectEvent[]> {
  return list(client, `involvedObject.name=${pod},reason=FailedScheduling`);
}

/** Of an object of that name, in the order in which they were made. */
export function eventsOf(client: KubeClient, name: string): Promise<ObjectEvent[]> {
  return list(client, `involvedObject.name=${name}`);
}

async function list(client: KubeClient, selector: string): Promise<ObjectEvent[]> {
  const reply = await client.json(
    'GET',
    `/api/v1/namespaces/default/events?fieldSelector=${encodeURIComponent(selector)}`,
  );
  return z.object({ items: z.array(eventSchema) }).parse(reply).items;
}
