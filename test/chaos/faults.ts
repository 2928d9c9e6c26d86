/** What can happen to a request on its way to the API server, and the dice that decide. Knows nothing of sockets. */

/** A request, as far as it matters for what it may meet. */
export interface Asked {
  readonly write: boolean;
  /** POST of a Binding. */
  readonly binding: boolean;
  readonly watch: boolean;
  /** The first page of a list of pods that has to be of now. */
  readonly freshList: boolean;
}

/** Each with the requests that can meet it. */
const CANDIDATES = {
  /** 429 with Retry-After, without effect. */
  'too many requests': () => true,
  /** 500, without effect. */
  'server error': () => true,
  /** A conflict that is none: 409, without effect. */
  'invented conflict': ({ binding }: Asked) => binding,
  /** Forwarded some 100 ms late. */
  slow: () => true,
  /** Forwarded seconds late, but before the client gives up. */
  'very slow': () => true,
  /** The reply breaks off in the middle of its body. */
  'cut reply': ({ watch }: Asked) => !watch,
  /** What was asked is done, and the connection breaks instead of a reply. */
  'lost reply': ({ write }: Asked) => write,
  /** The connection breaks before anything is done. */
  reset: () => true,
  /** Forwarded only after the client has given up: what it asked for happens all the same. */
  freeze: ({ watch }: Asked) => !watch,
  /** Answered by an earlier list: the past, in place of now. */
  'stale list': ({ freshList }: Asked) => freshList,
} satisfies Record<string, (asked: Asked) => boolean>;

type RequestFault = keyof typeof CANDIDATES;
/** The end of a watch that went on well: its connection breaks, or it says 410 and ends. */
type WatchFault = 'watch dropped' | 'watch expired';
export type FaultKind = RequestFault | WatchFault;

/** Of requests: the share that meets it; of watches: how often a second. */
export type FaultRates = Readonly<Record<FaultKind, number>>;

export const NO_FAULTS: FaultRates = {
  'too many requests': 0,
  'server error': 0,
  'invented conflict': 0,
  slow: 0,
  'very slow': 0,
  'cut reply': 0,
  'lost reply': 0,
  reset: 0,
  freeze: 0,
  'stale list': 0,
  'watch dropped': 0,
  'watch expired': 0,
};

export class FaultDice {
  readonly #rates: FaultRates;
  readonly #random: () => number;

  constructor(rates: FaultRates, random: () => number) {
    this.#rates = rates;
    this.#random = random;
  }

  /** What the request meets; undefined if nothing. */
  draw(asked: Asked): RequestFault | undefined {
    let left = this.#random();
    for (const kind of Object.keys(CANDIDATES) as RequestFault[]) {
      if (!CANDIDATES[kind](asked)) continue;
      left -= this.#rates[kind];
      if (left < 0) return kind;
    }
    return undefined;
  }

  /** How long a watch lives, in ms, and how it ends; undefined if it lives as long as it likes. */
  drawEnd(): { readonly afterMs: number; readonly kind: WatchFault } | undefined {
    const { 'watch dropped': dropped, 'watch expired': expired } = this.#rates;
    const rate = dropped + expired;
    if (rate === 0) return undefined;
    const kind = this.#random() * rate < dropped ? 'watch dropped' : 'watch expired';
    return { afterMs: (-Math.log(1 - this.#random()) / rate) * 1000, kind };
  }

  /** Anything from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.#random() * (most - least);
  }
}
