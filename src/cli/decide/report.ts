/** A decision for people, and for programs. */

import { admissionPodSchema } from '../../api/admission-pod.ts';
import { WHOLE_GPU } from '../../core/resources.ts';
import type { AdmissionResult } from '../../state/evaluate-admission.ts';
import { strategyOf } from '../../webhook/review.ts';
import { printable, printableLines } from '../printable.ts';

type Judged = Extract<AdmissionResult, { ok: true }>;

export interface Report {
  readonly file: string;
  /** `Deployment web`; what the manifest holds. */
  readonly object: string;
  readonly judged: AdmissionResult;
  /** What the pod becomes; undefined if it stays as it is. */
  readonly pod: unknown;
  readonly schedulerName: string;
}

/** An object that makes no pods, as far as one can see. */
export interface PassedOver {
  readonly file: string;
  readonly object: string;
}

export function asText({ file, object, judged, pod, schedulerName }: Report): string {
  const lines = [`${object} (${file})`];
  if (!judged.ok) {
    lines.push(...judged.faults.map((fault) => `  ! ${fault}`), '  → admitted as it is, with a warning');
    return lines.map(printable).join('\n');
  }
  const { decision } = judged;
  lines.push(...decision.reasons.map((reason, i) => `  ${i + 1}. ${reason}`));
  lines.push(...decision.warnings.map((warning) => `  ! warning to its author: ${warning}`));
  lines.push(...outcome(judged, schedulerName, pod));
  return lines.map(printable).join('\n');
}

function outcome({ decision, requested }: Judged, schedulerName: string, pod: unknown): string[] {
  if (decision.action === 'leave') return ['  → left as it is'];
  const selector = Object.entries(decision.nodeSelector).map(([key, value]) => `    nodeSelector ${key}: ${value}`);
  const scheduler = `    placed by ${schedulerName}`;
  if (decision.action === 'schedule') {
    const count = requested.get(WHOLE_GPU) ?? 0;
    const hasWhole = decision.wholeGpu !== 'unavailable';
    const whole = !hasWhole
      ? `${WHOLE_GPU}: ${count}, as it came`
      : count === 1
        ? 'a whole GPU'
        : `${count} whole GPUs`;
    return [`  → ${decision.decided ? whole : 'keeps what it asks for by name'}`, scheduler, ...selector];
  }
  return [
    `  → shares a GPU by ${decision.mode}: ${decision.resource}: 1 instead of ${WHOLE_GPU}: 1`,
    scheduler,
    ...selector,
    ...environmentOf(pod, decision.mpsLimits),
  ];
}

/** The limits that the pod has got: what its author has set, or may have set, stays. */
function environmentOf(pod: unknown, limits: Readonly<Record<string, string>>): string[] {
  const { containers } = admissionPodSchema.parse(pod).spec;
  const env = containers.flatMap((container) => container.env ?? []);
  return Object.entries(limits).flatMap(([name, value]) =>
    env.some((variable) => variable.name === name && variable.value === value) ? `    env ${name}=${value}` : [],
  );
}

/** Stable: fields are added, never changed; every item has all of them. */
export function asJson(reports: readonly Report[], passedOver: readonly PassedOver[]): string {
  const items = reports.map(({ file, object, judged, pod }) => {
    const decision = judged.ok ? judged.decision : undefined;
    return {
      file,
      object,
      action: decision?.action ?? 'error',
      strategy: decision ? strategyOf(decision) : 'none',
      resource: decision?.action === 'share' ? decision.resource : null,
      policy: decision?.policy ?? null,
      reasons: decision?.reasons ?? [],
      warnings: decision?.warnings ?? [],
      faults: judged.ok ? [] : judged.faults,
      pod: pod ?? null,
    };
  });
  const list = { apiVersion: 'gpu-autoscaler.io/v1', kind: 'DecisionList', items, passedOver };
  return `${printableLines(JSON.stringify(list, null, 2))}\n`;
}
