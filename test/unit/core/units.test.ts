/** Kubernetes quantities: the grammar of `k8s.io/apimachinery/pkg/api/resource`, and the domain's units made of them. */

import fc from 'fast-check';
import tap from 'tap';
import { type Parsed, parseCount, parseGpuFraction, parseMiB, parseQuantity, quote } from '#src/core/units.ts';

const NANO = 10n ** 9n;
const MAX = 2n ** 63n - 1n;

const read = <T>(parsed: Parsed<T>): T | undefined => (parsed.ok ? parsed.value : undefined);
const refusal = <T>(parsed: Parsed<T>): string | undefined => (parsed.ok ? undefined : parsed.reason);

tap.test('a quantity is a decimal number with at most one suffix or exponent', async (t) => {
  const cases: readonly [text: string, nano: bigint][] = [
    ['0', 0n],
    ['-0', 0n],
    ['1', NANO],
    ['+1', NANO],
    ['-1', -NANO],
    ['007', 7n * NANO],
    ['.5', NANO / 2n],
    ['5.', 5n * NANO],
    ['-.5', -NANO / 2n],
    ['1.50', (3n * NANO) / 2n],
    ['1n', 1n],
    ['1u', 1_000n],
    ['100m', NANO / 10n],
    ['1k', 1_000n * NANO],
    ['1M', 10n ** 6n * NANO],
    ['1G', 10n ** 9n * NANO],
    ['1T', 10n ** 12n * NANO],
    ['1P', 10n ** 15n * NANO],
    ['1E', 10n ** 18n * NANO],
    ['1Ki', 2n ** 10n * NANO],
    ['1Mi', 2n ** 20n * NANO],
    ['1Gi', 2n ** 30n * NANO],
    ['1Ti', 2n ** 40n * NANO],
    ['1Pi', 2n ** 50n * NANO],
    ['1Ei', 2n ** 60n * NANO],
    ['0.5Gi', 2n ** 29n * NANO],
    ['-1.5Ki', -1536n * NANO],
    ['1e3', 1_000n * NANO],
    ['1E3', 1_000n * NANO],
    ['1e+3', 1_000n * NANO],
    ['12e-1', (12n * NANO) / 10n],
    ['1E-9', 1n],
    ['0.000000000000000000000000000001e30', NANO],
    ['0e400', 0n],
  ];
  for (const [text, nano] of cases) t.equal(read(parseQuantity(text)), nano, text);
});

tap.test('what is finer than a nano rounds away from zero, as in Kubernetes', async (t) => {
  const cases: readonly [text: string, nano: bigint][] = [
    ['0.1n', 1n],
    ['-0.1n', -1n],
    ['1e-400', 1n],
    ['1.0000000001', NANO + 1n],
    ['0e-400', 0n],
  ];
  for (const [text, nano] of cases) t.equal(read(parseQuantity(text)), nano, text);
});

tap.test('2^63-1 is the largest quantity, in either direction', async (t) => {
  for (const text of ['9223372036854775807', '9.223372036854775807E', '-9223372036854775807', '7Ei']) {
    t.ok(parseQuantity(text).ok, text);
  }
  for (const text of ['9223372036854775808', '-9223372036854775808', '8Ei', '10E', '1e19', '1e400', '-1e400']) {
    t.match(refusal(parseQuantity(text)), /is too large$/, text);
  }
  t.match(refusal(parseQuantity('1e99999999999999999999')), /is too large$/, 'an exponent that no number holds');
});

tap.test('everything else is not a quantity', async (t) => {
  const texts = ['', ' ', ' 1', '1 ', '1\n', '\t1', '1 Gi', '.', '+', '-', '+-1', '--1', '1-', '1.2.3', '1,5', '1_000'];
  const words = ['NaN', 'Infinity', '-Infinity', 'null', 'one', 'Ki', 'e3', '0x10', '0b1', '1n1', '１', '٣'];
  const suffixes = [
    '1KiB',
    '1K',
    '1ki',
    '1mi',
    '1mm',
    '1Kim',
    '1kk',
    '1e',
    '1e+',
    '1ee3',
    '1e3k',
    '1ke3',
    '1e1.5',
    '1g',
    '1B',
  ];
  for (const text of [...texts, ...words, ...suffixes]) {
    t.match(refusal(parseQuantity(text)), /is not a Kubernetes quantity$/, JSON.stringify(text));
  }
  t.match(refusal(parseQuantity('9'.repeat(1_000_000))), /^"9{57}\.\.\."/, 'a text of a megabyte, cut in the message');
});

tap.test('any quantity survives being written and read', async () => {
  const nano = fc.bigInt({ min: -MAX * NANO, max: MAX * NANO });
  fc.assert(
    fc.property(nano, (value) => {
      const digits = String(value < 0n ? -value : value).padStart(10, '0');
      const text = `${value < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`;
      return read(parseQuantity(text)) === value;
    }),
  );
  const suffixed = fc.constantFrom(['n', 1n], ['u', 10n ** 3n], ['m', 10n ** 6n], ['', NANO], ['k', NANO * 10n ** 3n], [
    'Ki',
    NANO * 2n ** 10n,
  ] as const);
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 52n), max: 2n ** 52n }), suffixed, (count, [suffix, unit]) => {
      return read(parseQuantity(`${count}${suffix}`)) === count * BigInt(unit);
    }),
  );
});

tap.test('a suffix, an exponent and written-out zeros say the same', async () => {
  const suffixes = fc.constantFrom(['k', 3], ['M', 6], ['G', 9], ['T', 12], ['P', 15]) as fc.Arbitrary<
    [string, number]
  >;
  fc.assert(
    fc.property(fc.nat({ max: 999 }), suffixes, fc.constantFrom('e', 'E', 'e+'), (number, [suffix, zeros], e) => {
      const plain = read(parseQuantity(`${number}${'0'.repeat(zeros)}`));
      return (
        plain !== undefined &&
        plain === read(parseQuantity(`${number}${suffix}`)) &&
        plain === read(parseQuantity(`${number}${e}${zeros}`))
      );
    }),
  );
});

tap.test('any text is answered, and nothing passes that Kubernetes refuses', async () => {
  // The outer shape, as apimachinery prints it in its own error message (ErrFormatWrong).
  const shape = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/;
  const almost = fc.string({ unit: fc.constantFrom(...'0159.+-eEinumkKMGTP'), maxLength: 8 });
  fc.assert(
    fc.property(fc.oneof(almost, fc.string()), (text) => !parseQuantity(text).ok || shape.test(text)),
    {
      numRuns: 2_000,
    },
  );
});

tap.test('a count is a whole number from 0 to far above any machine: sums of counts stay exact', async (t) => {
  const good: readonly [string, number][] = [
    ['0', 0],
    ['1', 1],
    ['+2', 2],
    ['8.0', 8],
    ['5.', 5],
    ['1k', 1_000],
    ['1000m', 1],
    ['1e1', 10],
    ['1Ki', 1_024],
    ['1Mi', 2 ** 20],
  ];
  for (const [text, count] of good) t.equal(read(parseCount(text)), count, text);
  const bad: readonly [string, RegExp][] = [
    ['-1', /is negative$/],
    ['0.5', /is not a whole number$/],
    ['500m', /is not a whole number$/],
    ['1n', /is not a whole number$/],
    ['1048577', /is too large$/],
    ['9007199254740993', /is too large$/],
    ['1e400', /is too large$/],
    ['NaN', /is not a Kubernetes quantity$/],
    ['', /is not a Kubernetes quantity$/],
    ['1 ', /is not a Kubernetes quantity$/],
  ];
  for (const [text, reason] of bad) t.match(refusal(parseCount(text)), reason, JSON.stringify(text));
});

tap.test('an amount of memory is in MiB, rounded up', async (t) => {
  const good: readonly [string, number][] = [
    ['8Gi', 8_192],
    ['20Gi', 20_480],
    ['0.5Gi', 512],
    ['1Mi', 1],
    ['1025Ki', 2],
    ['1', 1],
    ['1m', 1],
    ['8G', 7_630],
    ['1048576', 1],
    ['1048577', 2],
  ];
  for (const [text, mib] of good) t.equal(read(parseMiB(text)), mib, text);
  for (const text of ['0', '-1Gi', '-1n']) t.match(refusal(parseMiB(text)), /is not more than 0$/, text);
  for (const text of ['8GB', '8gb', '8GiB', '']) t.match(refusal(parseMiB(text)), /not a Kubernetes quantity/, text);
});

tap.test('no demand for memory shrinks, nor grows by a whole MiB', async () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: MAX }), (bytes) => {
      const mib = BigInt(read(parseMiB(String(bytes))) ?? 0);
      return mib * 2n ** 20n >= bytes && (mib - 1n) * 2n ** 20n < bytes;
    }),
  );
});

tap.test('a share of a GPU is more than 0 and at most 1, in milli-GPU', async (t) => {
  const good: readonly [string, number][] = [
    ['0.25', 250],
    ['.5', 500],
    ['250m', 250],
    ['1', 1_000],
    ['1000m', 1_000],
    ['1m', 1],
    ['0.0001', 1],
  ];
  for (const [text, milli] of good) t.equal(read(parseGpuFraction(text)), milli, text);
  for (const text of ['0', '-0.5', '-1e18', '1.001', '2', '1k', '9E']) {
    t.match(refusal(parseGpuFraction(text)), /is not more than 0 and at most 1$/, text);
  }
  for (const text of ['25%', '1/4', 'half', '']) t.notOk(parseGpuFraction(text).ok, JSON.stringify(text));
});

tap.test('quoted text fits on one line', async (t) => {
  t.equal(quote('8Gi'), '"8Gi"');
  t.equal(quote('a\n"b"'), '"a\\n\\"b\\""', 'no line break, no quote gets through');
  t.equal(quote('x'.repeat(60)), `"${'x'.repeat(60)}"`);
  t.equal(quote('x'.repeat(61)), `"${'x'.repeat(57)}..."`);
});
