/** The one table of errors that our servers answer with. Codes are stable; messages may grow clearer. */

const TABLE = {
  InvalidJson: { status: 400, message: 'the body is not JSON' },
  InvalidEnvelope: { status: 400, message: 'the body is not what this path takes' },
  InvalidPod: { status: 400, message: 'the pod cannot be read' },
  InvalidQuantity: { status: 400, message: 'a GPU quantity of the pod cannot be read' },
  NodeListNotSupported: {
    status: 400,
    message: 'full Node objects are not read: set nodeCacheCapable: true in the KubeSchedulerConfiguration',
  },
  MalformedRequest: { status: 400, message: 'this is no HTTP request that can be read' },
  HeadersTooLarge: { status: 431, message: 'the headers are larger than this server reads' },
  UnknownPath: { status: 404, message: 'there is no such path or verb here' },
  BodyTooLarge: { status: 413, message: 'the body is larger than this server reads' },
  UnsupportedMediaType: { status: 415, message: 'the content type must be application/json' },
  ApiServerAway: { status: 502, message: 'the API server cannot be asked' },
  NotReady: { status: 503, message: 'the cluster has not been listed yet' },
  Internal: { status: 500, message: 'an unexpected error; the log has the details' },
} as const;

export type ErrorCode = keyof typeof TABLE;

/** An error with a code from the table; `detail` names the place and the fix. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode;
  readonly status: number;

  constructor(code: ErrorCode, detail?: string, options?: ErrorOptions) {
    super(detail ? `${TABLE[code].message}: ${detail}` : TABLE[code].message, options);
    this.code = code;
    this.status = TABLE[code].status;
  }

  /** The body that clients see. */
  body(): { code: ErrorCode; message: string } {
    return { code: this.code, message: this.message };
  }
}

/** Any thrown value as an error of the table; fastify's own refusals keep their meaning. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new ApiError('BodyTooLarge', undefined, { cause: error });
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new ApiError('UnsupportedMediaType', undefined, { cause: error });
  if (statusCode === 400) return new ApiError('InvalidJson', undefined, { cause: error });
  return new ApiError('Internal', undefined, { cause: error });
}
