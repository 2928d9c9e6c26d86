/** Taints and tolerations, as Kubernetes matches them. Source: "Taints and Tolerations". */

export interface Taint {
  readonly key: string;
  readonly value?: string | null | undefined;
  readonly effect: string;
}

export interface Toleration {
  readonly key?: string | null | undefined;
  readonly operator?: string | null | undefined;
  readonly value?: string | null | undefined;
  readonly effect?: string | null | undefined;
}

const SOFT = 'PreferNoSchedule';

export function tolerates(tolerations: readonly Toleration[], taints: readonly Taint[]): boolean {
  return taints.every((taint) => tolerations.some((toleration) => toleratesTaint(toleration, taint)));
}

/** The taints that only make a node less welcome. */
export function softTaintsOf(taints: readonly Taint[] | null | undefined): Taint[] {
  return (taints ?? []).filter(({ effect }) => effect === SOFT);
}

/** The taints that keep pods off. */
export function hardTaintsOf(taints: readonly Taint[] | null | undefined): Taint[] {
  return (taints ?? []).filter(({ effect }) => effect !== SOFT);
}

/** Operators that we do not know tolerate nothing. */
function toleratesTaint({ key, operator, value, effect }: Toleration, taint: Taint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (key ? key !== taint.key : operator !== 'Exists') return false;
  if (operator === 'Exists') return true;
  return (!operator || operator === 'Equal') && (value ?? '') === (taint.value ?? '');
}
