/** Policies as a large company might have them: one a team, told apart by labels of pods and namespaces. */

const STRATEGIES = ['mps', 'timeslicing', 'mig', 'exclusive', 'auto'] as const;

/** GPUSharingPolicies; only the last ones select pods of team `bench`. */
export function policies(count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({
    apiVersion: 'gpuautoscaler.io/v1alpha1',
    kind: 'GPUSharingPolicy',
    metadata: { name: `team-${String(i).padStart(4, '0')}` },
    spec: {
      strategy: STRATEGIES[i % STRATEGIES.length],
      // The lowest priority is asked last: all others are in vain.
      priority: count - i,
      podSelector: {
        matchLabels: { team: i >= count - STRATEGIES.length ? 'bench' : `team-${i}` },
        matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['system'] }],
      },
    },
  }));
}
