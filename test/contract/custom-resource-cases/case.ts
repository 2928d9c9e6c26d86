/** One object, and what the API server makes of it. */

export interface AcceptedCase {
  readonly sentence: string;
  readonly spec: object;
  /** What the API server makes of parts of the spec. */
  readonly stored?: object;
}

export interface RefusedCase {
  readonly sentence: string;
  readonly spec: unknown;
  /** Exact part of the message, from the field on; the value that it quotes is the API server's own matter. */
  readonly says: string;
  /** Why our own parser takes it all the same. */
  readonly parsedBecause?: string;
}
