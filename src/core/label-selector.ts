/** Label selectors, as Kubernetes matches them. */

export type Labels = Readonly<Record<string, string>>;

/** One condition; all of a selector must hold. Source: Kubernetes, `LabelSelectorRequirement`, `NodeSelectorRequirement`. */
export interface Requirement {
  readonly key: string;
  /** `Gt` and `Lt` are of node affinity alone. */
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  /** Of `In` and `NotIn`; of `Gt` and `Lt` one integer. */
  readonly values: readonly string[];
}

/** Empty: everything matches. */
export type LabelSelector = readonly Requirement[];

export function matches(selector: LabelSelector, labels: Labels): boolean {
  return selector.every((requirement) => holds(requirement, labels));
}

/** `NotIn` holds where the label is missing, as in Kubernetes. */
function holds({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return integer(value) > integer(values[0]);
    case 'Lt':
      return integer(value) < integer(values[0]);
  }
}

/** NaN, which is neither more nor less than anything, if it is none. */
function integer(text: string | undefined): number {
  return /^-?\d{1,15}$/.test(text ?? '') ? Number(text) : Number.NaN;
}

/** `{environment: staging}` as a selector. */
export function equalTo(labels: Labels): LabelSelector {
  return Object.entries(labels).map(([key, value]) => ({ key, operator: 'In', values: [value] }));
}
