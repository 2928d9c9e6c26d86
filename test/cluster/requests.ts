/** How often kube-scheduler has asked the extender, as its own metrics count it. */

import { z } from 'zod';

/** Requests answered since the extender's start: all, or those of one verb. */
export async function requests(extender: { readonly url: string }, verb?: string): Promise<number> {
  const text = await (await fetch(`${extender.url}/metrics`)).text();
  const counts = text.matchAll(/^gpu_autoscaler_extender_request_duration_seconds_count\{(.*)\} (\d+)$/gm);
  return [...counts]
    .filter(([, labels]) => verb === undefined || labels?.includes(`verb="${verb}"`))
    .reduce((sum, [, , count]) => sum + z.coerce.number().parse(count), 0);
}
