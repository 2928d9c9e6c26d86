/** Label selectors, as Kubernetes matches them. */

export type Labels = Readonly<Record<string, string>>;

/** One condition; all of a selector must hold. Source: Kubernetes, `LabelSelectorRequirement`. */
export interface Requirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  /** Of `In` and `NotIn`. */
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
  }
}

/** `{environment: staging}` as a selector. */
export function equalTo(labels: Labels): LabelSelector {
  return Object.entries(labels).map(([key, value]) => ({ key, operator: 'In', values: [value] }));
}
