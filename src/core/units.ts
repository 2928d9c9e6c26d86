/**
 * Units of the domain: Kubernetes quantities, MiB, milli-GPU.
 *
 * Quantities follow `k8s.io/apimachinery/pkg/api/resource`: a decimal number with at most one
 * suffix (`m`, `k`, `Ki`, …) or exponent. Arithmetic is exact, in bigint.
 */

/** A quantity's exact value in billionths (nano), the finest step that Kubernetes keeps. */
export type Nano = bigint;

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

const NANO = 9;
const DECIMAL_EXPONENT: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const BINARY_SHIFT: Readonly<Record<string, bigint>> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };
const GRAMMAR = /^([+-]?)(\d+\.?\d*|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/;
/** Kubernetes caps quantities at 2^63-1; anything longer than this is over the cap or below a nano. */
const MAX_LENGTH = 64;
const MAX_VALUE = (1n << 63n) - 1n;

/** Parses a Kubernetes quantity exactly. Fractions below a nano round away from zero, as Kubernetes does. */
export function parseQuantity(text: string): Parsed<Nano> {
  const match = text.length <= MAX_LENGTH ? GRAMMAR.exec(text) : null;
  if (!match) return { ok: false, reason: `${quote(text)} is not a Kubernetes quantity` };
  const [, sign, number = '', suffix = ''] = match;
  const [whole = '', fraction = ''] = number.split('.');
  const digits = BigInt(whole + fraction);
  const shift = BINARY_SHIFT[suffix] ?? 0n;
  const exponent = (DECIMAL_EXPONENT[suffix] ?? (shift > 0n ? 0 : Number(suffix.slice(1)))) - fraction.length + NANO;
  // 1e400 would be a number of 400 digits: refuse by the exponent, before making it.
  if (exponent > NANO + 19 && digits !== 0n) return { ok: false, reason: `${quote(text)} is too large` };
  const scaled = digits << shift;
  const nano = exponent >= 0 ? scaled * 10n ** BigInt(Math.min(exponent, MAX_LENGTH)) : divideUp(scaled, -exponent);
  if (nano > MAX_VALUE * 10n ** 9n) return { ok: false, reason: `${quote(text)} is too large` };
  return { ok: true, value: sign === '-' ? -nano : nano };
}

function divideUp(value: bigint, digits: number): bigint {
  if (digits > 2 * MAX_LENGTH) return value === 0n ? 0n : 1n;
  const divisor = 10n ** BigInt(digits);
  return (value + divisor - 1n) / divisor;
}

/** 1024 GPUs, each shared 1024 ways: far above any machine. Below it, sums of counts stay exact and loops over slots end. */
const MAX_COUNT = 2 ** 20;

/** A count of an extended resource: a whole number of at least 0, and at most 2^20. */
export function parseCount(text: string): Parsed<number> {
  // What nearly all of them look like.
  if (/^\d{1,6}$/.test(text)) return { ok: true, value: Number(text) };
  const quantity = parseQuantity(text);
  if (!quantity.ok) return quantity;
  if (quantity.value < 0n) return { ok: false, reason: `${quote(text)} is negative` };
  if (quantity.value % 10n ** 9n !== 0n) return { ok: false, reason: `${quote(text)} is not a whole number` };
  const count = Number(quantity.value / 10n ** 9n);
  if (count > MAX_COUNT) return { ok: false, reason: `${quote(text)} is too large` };
  return { ok: true, value: count };
}

/** An amount of memory in MiB, rounded up (a demand must not shrink). */
export function parseMiB(text: string): Parsed<number> {
  const [, digits, suffix = ''] = PLAIN.exec(text) ?? [];
  const factor = PLAIN_FACTORS.MiB[suffix];
  if (digits !== undefined && factor !== undefined && Number(digits) > 0)
    return { ok: true, value: Number(digits) * factor };
  const quantity = parseQuantity(text);
  if (!quantity.ok) return quantity;
  if (quantity.value <= 0n) return { ok: false, reason: `${quote(text)} is not more than 0` };
  return {
    ok: true,
    value: Number(divideUp(quantity.value / (1n << 20n) + (quantity.value % (1n << 20n) ? 1n : 0n), 9)),
  };
}

/** Units in which amounts are counted, in nano. */
const UNITS = { one: 10n ** 9n, milli: 10n ** 6n, MiB: (1n << 20n) * 10n ** 9n } as const;

/** What most quantities look like: whole numbers below 10^9 of these need no arithmetic of their own. */
const PLAIN = /^(\d{1,9})(m|Mi|Gi|)$/;
const PLAIN_FACTORS: Readonly<Record<keyof typeof UNITS, Readonly<Record<string, number>>>> = {
  one: { '': 1 },
  milli: { m: 1, '': 1000 },
  MiB: { Mi: 1, Gi: 1024 },
};

/**
 * An amount in whole units; 0 for what is absent or no quantity.
 * @param rounding `up` for what is asked for, `down` for what there is: in doubt there is too little room, never too much
 */
export function parseAmount(text: string | undefined, unit: keyof typeof UNITS, rounding: 'up' | 'down'): number {
  if (text === undefined) return 0;
  const [, digits, suffix = ''] = PLAIN.exec(text) ?? [];
  const factor = PLAIN_FACTORS[unit][suffix];
  if (digits !== undefined && factor !== undefined) return Number(digits) * factor;
  const quantity = parseQuantity(text);
  if (!quantity.ok || quantity.value <= 0n) return 0;
  const step = UNITS[unit];
  return Number((quantity.value + (rounding === 'up' ? step - 1n : 0n)) / step);
}

/** `8Gi`, `4864Mi`: as people write it. */
export function formatMiB(mib: number): string {
  return mib % 1024 === 0 ? `${mib / 1024}Gi` : `${mib}Mi`;
}

/** A share of one GPU, `0.25` or `250m`, in milli-GPU: more than 0, at most 1000. */
export function parseGpuFraction(text: string): Parsed<number> {
  const quantity = parseQuantity(text);
  if (!quantity.ok) return quantity;
  const milli = Number(divideUp(quantity.value < 0n ? 0n : quantity.value, 6));
  if (milli < 1 || milli > 1000) return { ok: false, reason: `${quote(text)} is not more than 0 and at most 1` };
  return { ok: true, value: milli };
}

/** The text in quotes, cut so that a hostile value cannot fill a log or a warning. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}
