/** What the status of a GPUSharingPolicy should say. Pure. */

import { isDeepStrictEqual } from 'node:util';
import type { SharingPolicyStatus } from '../api/sharing-policy.ts';
import { conditionOf, type Finding, timeOf } from '../api/status.ts';
import { unenforceable } from '../core/admission/enforcement.ts';
import type { SharingPolicy } from '../core/admission/policy.ts';
import type { Parsed } from '../core/units.ts';
import { type AdmissionView, confine } from '../state/evaluate-admission.ts';
import type { PolicyRecord } from '../state/policy-record.ts';

/** The status to be written; undefined if what stands there is right. */
export function policyStatus(
  { generation, parsed, status }: PolicyRecord,
  appliedPods: number,
  view: AdmissionView,
  now: Date,
): SharingPolicyStatus | undefined {
  const conditions = findings(parsed, view).map((finding) => conditionOf(finding, generation, status?.conditions, now));
  const same = status?.appliedPods === appliedPods && isDeepStrictEqual(status.conditions, conditions);
  return same ? undefined : { appliedPods, lastUpdateTime: timeOf(now), conditions };
}

function findings(parsed: Parsed<SharingPolicy>, { settings, offers }: AdmissionView): Finding[] {
  if (!parsed.ok) {
    const accepted = { type: 'Accepted', status: 'False', reason: 'Invalid', message: parsed.reason } as const;
    return [accepted, { type: 'Enforced', status: 'False', reason: 'NotAccepted', message: 'the policy is left out' }];
  }
  const accepted = { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'the policy is in force' } as const;
  const short = unenforceable(parsed.value, settings, (nodeSelector) => offers(confine([], nodeSelector)));
  const [first] = short;
  if (!first) return [accepted, { type: 'Enforced', status: 'True', reason: 'Enforced', message: 'all of it is kept' }];
  const message = short.map((each) => each.message).join('; ');
  return [accepted, { type: 'Enforced', status: 'False', reason: first.reason, message }];
}
