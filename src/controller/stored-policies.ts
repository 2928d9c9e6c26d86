/** GPUSharingPolicies as they are stored, faulty ones and their status included: for whoever writes the status. */

import { z } from 'zod';
import { parseSharingPolicy, type SharingPolicyStatus, sharingPolicyStatus } from '../api/sharing-policy.ts';
import type { Feed } from '../cluster/cluster-state.ts';
import { recordFeed } from '../cluster/record-feed.ts';
import type { StoredPolicy } from './policy-status.ts';

const storedSchema = z.object({
  metadata: z.object({ name: z.string(), generation: z.number().default(0) }),
  status: z
    .unknown()
    .transform((status): SharingPolicyStatus | undefined => sharingPolicyStatus.safeParse(status).data),
});

export class StoredPolicies {
  readonly feed: Feed;
  readonly #policies = new Map<string, StoredPolicy>();

  /** @param changed told after each change */
  constructor(changed: () => void) {
    this.feed = recordFeed<StoredPolicy>({
      read: (object) => {
        const stored = storedSchema.safeParse(object);
        if (!stored.success) return undefined;
        const { metadata, status } = stored.data;
        const { name, generation } = metadata;
        return { key: name, record: { name, generation, parsed: parseSharingPolicy(object), status } };
      },
      set: (name, policy) => {
        this.#policies.set(name, policy);
        changed();
      },
      delete: (name) => {
        this.#policies.delete(name);
        changed();
      },
    });
  }

  all(): Iterable<StoredPolicy> {
    return this.#policies.values();
  }
}
