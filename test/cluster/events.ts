/** What kube-scheduler tells people about a pod: its events. */

import { z } from 'zod';
import type { KubeClient } from '../../src/cluster/kube-client.ts';

const eventSchema = z.object({
  reason: z.string(),
  message: z.string(),
});
type PodEvent = z.infer<typeof eventSchema>;

/** The pod's FailedScheduling events, as `kubectl describe pod` shows them. */
export async function failedScheduling(client: KubeClient, pod: string): Promise<PodEvent[]> {
  const selector = encodeURIComponent(`involvedObject.name=${pod},reason=FailedScheduling`);
  const reply = await client.json('GET', `/api/v1/namespaces/default/events?fieldSelector=${selector}`);
  return z.object({ items: z.array(eventSchema) }).parse(reply).items;
}
