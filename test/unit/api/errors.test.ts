/** The table of errors: codes are a contract, statuses are HTTP's. */

import fc from 'fast-check';
import tap from 'tap';
import { ApiError, type ErrorCode, toApiError } from '#src/api/errors.ts';

const statuses: Record<ErrorCode, number> = {
  InvalidJson: 400,
  InvalidEnvelope: 400,
  InvalidPod: 400,
  InvalidQuantity: 400,
  NodeListNotSupported: 400,
  MalformedRequest: 400,
  HeadersTooLarge: 431,
  UnknownPath: 404,
  BodyTooLarge: 413,
  UnsupportedMediaType: 415,
  ApiServerAway: 502,
  NotReady: 503,
  Internal: 500,
};
for (const [code, status] of Object.entries(statuses) as [ErrorCode, number][]) {
  tap.test(`${code} answers ${status}, with a sentence`, async (t) => {
    const error = new ApiError(code);
    t.equal(error.status, status);
    t.strictSame(error.body(), { code, message: error.message });
    t.match(error.message, /^[^:]+ .+/);
  });
}

tap.test('a detail follows the sentence', async (t) => {
  const plain = new ApiError('InvalidPod');
  const error = new ApiError('InvalidPod', 'spec.containers is missing');
  t.equal(error.message, `${plain.message}: spec.containers is missing`);
  t.equal(error.name, 'ApiError');
  t.ok(error instanceof Error);
});

tap.test('the cause is kept for the log, and not shown', async (t) => {
  const cause = new Error('secret');
  const error = new ApiError('Internal', undefined, { cause });
  t.equal(error.cause, cause);
  t.notMatch(JSON.stringify(error.body()), /secret/);
});

tap.test('an error of the table stays what it is', async (t) => {
  const error = new ApiError('NotReady');
  t.equal(toApiError(error), error);
});

tap.test("fastify's own refusals keep their meaning", async (t) => {
  const cases: readonly [thrown: object, code: ErrorCode][] = [
    [{ code: 'FST_ERR_CTP_BODY_TOO_LARGE', statusCode: 413 }, 'BodyTooLarge'],
    [{ code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE', statusCode: 415 }, 'UnsupportedMediaType'],
    [{ code: 'FST_ERR_CTP_EMPTY_JSON_BODY', statusCode: 400 }, 'InvalidJson'],
    [Object.assign(new SyntaxError('Unexpected token'), { statusCode: 400 }), 'InvalidJson'],
    [new Error('boom'), 'Internal'],
    [{ statusCode: 500 }, 'Internal'],
  ];
  for (const [thrown, code] of cases) {
    t.match(toApiError(thrown), { code, cause: thrown }, JSON.stringify(thrown));
  }
});

tap.test('anything may be thrown', async (t) => {
  for (const thrown of [undefined, null, 'boom', 0, Symbol('boom'), {}, []]) {
    t.match(toApiError(thrown), { code: 'Internal', status: 500 }, String(thrown));
  }
  fc.assert(fc.property(fc.anything(), (thrown) => toApiError(thrown) instanceof ApiError));
});
