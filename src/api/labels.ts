/** Labels and selectors of our custom resources: Kubernetes's own form, with bounds, as schemas. */

import { z } from 'zod';
import { equalTo, type LabelSelector } from '../core/label-selector.ts';
import { celPattern, matching, withRules } from './rule.ts';

/** More than any sensible selector has: it is evaluated for each pod. */
const MAX_CONDITIONS = 16;
const MAX_VALUES = 32;

/** A DNS subdomain: what may stand before a key's name, and what a node is called. */
export const SUBDOMAIN = '[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*';

/** `example.com/name`. Source: Kubernetes, "Labels and Selectors", syntax. */
const KEY = new RegExp(`^(${SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`);
const KEY_LENGTHS = /^([^/]{1,253}\/)?[^/]{1,63}$/;
const MAX_KEY = 253 + 1 + 63;
const KEY_FAULT =
  'not a label key: a name of at most 63 letters, digits, "-", "_" and ".", and perhaps a domain and "/" before it';
const isKey = (text: string) => KEY_LENGTHS.test(text) && KEY.test(text);
const celIsKey = (text: string) => `${text}.matches(${celPattern(KEY_LENGTHS)}) && ${text}.matches(${celPattern(KEY)})`;

const key = withRules(z.string().max(MAX_KEY), [{ cel: celIsKey('self'), holds: isKey, message: KEY_FAULT }]);

const value = withRules(z.string().max(63), [
  matching(
    /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/,
    'not a label value: letters, digits, "-", "_" and ".", with a letter or digit at both ends',
  ),
]);

/** A map of labels, all of which must be there. */
export const labelMap = withRules(
  z
    .record(z.string(), value)
    .refine((labels) => Object.keys(labels).length <= MAX_CONDITIONS, `at most ${MAX_CONDITIONS} labels`)
    .meta({ maxProperties: MAX_CONDITIONS }),
  [
    {
      cel: `self.all(key, ${celIsKey('key')})`,
      holds: (labels) => Object.keys(labels).every(isKey),
      message: `a key is ${KEY_FAULT}`,
    },
  ],
).meta({ 'x-kubernetes-map-type': 'atomic' });

const requirement = withRules(
  z.object({
    key: key.describe('Key of the label.'),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']).describe('How the label and the values relate.'),
    values: z
      .array(value)
      .max(MAX_VALUES)
      .optional()
      .describe('Values of In and NotIn: at least one. Exists and DoesNotExist take none.')
      .meta({ 'x-kubernetes-list-type': 'atomic' }),
  }),
  [
    {
      cel: "!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)",
      holds: ({ operator, values = [] }) => !comparesValues(operator) || values.length > 0,
      field: 'values',
      reason: 'FieldValueRequired',
      message: 'In and NotIn need at least one value: add it, or use Exists or DoesNotExist',
    },
    {
      cel: "self.operator in ['In', 'NotIn'] || !has(self.values) || self.values.size() == 0",
      holds: ({ operator, values = [] }) => comparesValues(operator) || values.length === 0,
      field: 'values',
      reason: 'FieldValueForbidden',
      message: 'Exists and DoesNotExist take no values: remove them, or use In or NotIn',
    },
  ],
);

function comparesValues(operator: string): boolean {
  return operator === 'In' || operator === 'NotIn';
}

/** A LabelSelector, as `metav1.LabelSelector` writes it. */
export const labelSelector = z
  .object({
    matchLabels: labelMap.optional().describe('Labels that must have these values.'),
    matchExpressions: z
      .array(requirement)
      .max(MAX_CONDITIONS)
      .optional()
      .describe('Conditions on labels; all must hold.')
      .meta({ 'x-kubernetes-list-type': 'atomic' }),
  })
  .meta({ 'x-kubernetes-map-type': 'atomic' });

/** All of its conditions in one list; a selector left out selects everything. */
export function conditionsOf(selector: z.infer<typeof labelSelector> | undefined): LabelSelector {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  return [
    ...equalTo(matchLabels),
    ...matchExpressions.map(({ key, operator, values = [] }) => ({ key, operator, values })),
  ];
}
