/** GPUSharingPolicies as they are stored, faulty ones and their status included: for whoever writes the status. */

import { z } from 'zod';
import { parseSharingPolicy, sharingPolicyStatusSchema } from '../api/sharing-policy.ts';
import type { StoredPolicy } from '../audit/policy-status.ts';
import type { Feed } from './cluster-state.ts';
import { recordFeed } from './record-feed.ts';

const storedSchema = z.object({
  metadata: z.object({ name: z.string(), generation: z.number().default(0) }),
  status: z.unknown().optional(),
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
        const { name, generation } = stored.data.metadata;
        // A status that cannot be read is written anew.
        const status = sharingPolicyStatusSchema.safeParse(stored.data.status).data;
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
