/** Contents of the Secret as they come about, step by step, at given times. */

import type { CertificateData } from '#src/webhook/certificates/contents.ts';
import { readBundle, readContents } from '#src/webhook/certificates/contents.ts';
import { DEFAULT_POLICY } from '#src/webhook/certificates/plan.ts';
import { type Renewal, renew } from '#src/webhook/certificates/renew.ts';

export const NAMES = ['gpu-autoscaler-webhook.gpu-autoscaler-system.svc'];
export const START = new Date('2026-01-02T03:04:05Z');
const DAY_MS = 24 * 3_600_000;

/** Days after the start. */
export function day(days: number): Date {
  return new Date(START.getTime() + days * DAY_MS);
}

export interface Circumstances {
  readonly now?: Date;
  readonly names?: readonly string[];
  /** PEM of whom API servers trust. */
  readonly trusted?: string | undefined;
}

/** What the Secret holds after a step. */
export async function after(
  step: Renewal['step'],
  data: CertificateData = {},
  { now = START, names = NAMES, trusted }: Circumstances = {},
): Promise<CertificateData> {
  return renew({
    step,
    data,
    contents: readContents(data, { names, now }),
    trusted: readBundle(trusted, now),
    names,
    now,
    policy: DEFAULT_POLICY,
  });
}
