/** One thing that `doctor` looks for: pure on what was seen of the cluster. */

import type { Configuration } from '../../api/configuration.ts';
import type { Kind, Observations } from './observations.ts';

/** `error`: something does not work, or pods wait. `warning`: it bites in some case. */
export type Severity = 'error' | 'warning';

export interface Finding {
  readonly severity: Severity;
  /** What is wrong, and where, in one sentence without a full stop. */
  readonly message: string;
  /** What mends it, in one sentence without a full stop. */
  readonly fix: string;
  /** Names of all objects that are concerned; the message may name only some of them. */
  readonly objects: readonly string[];
}

/** What a check knows besides objects. */
export interface CheckContext {
  readonly configuration: Configuration;
  /** Where gpu-autoscaler is installed. */
  readonly systemNamespace: string;
  /** The API server's time, ms since the epoch; undefined where no cluster is live. */
  readonly now: number | undefined;
}

export type Seen = { readonly [K in Kind]?: Observations[K] };

export interface Check {
  /** Stable, for programs. */
  readonly name: string;
  /** What is looked for, in a few words. */
  readonly about: string;
  /** Kinds of objects without which the check says nothing. */
  readonly needs: readonly Kind[];
  /** Kinds of objects that it looks at where they can be seen. */
  readonly uses: readonly Kind[];
  /** Undefined: what was seen does not tell. */
  run(seen: Seen, context: CheckContext): Finding[] | undefined;
}

interface Definition<N extends Kind, U extends Kind> {
  readonly name: string;
  readonly about: string;
  readonly needs: readonly N[];
  readonly uses?: readonly U[];
  readonly run: (
    seen: Pick<Observations, N> & { readonly [K in U]: Observations[K] | undefined },
    context: CheckContext,
  ) => Finding[] | undefined;
}

/** A check whose `run` is called only where all that it needs was seen. */
export function defineCheck<const N extends Kind = never, const U extends Kind = never>({
  name,
  about,
  needs,
  uses = [],
  run,
}: Definition<N, U>): Check {
  return {
    name,
    about,
    needs,
    uses,
    run: (seen, context) => {
      if (needs.some((kind) => seen[kind] === undefined)) return undefined;
      return run(seen as Parameters<typeof run>[0], context);
    },
  };
}
