/** Refusals of requests, with their HTTP status. */

/** A request that is answered with an error: its message is sent to the client. */
export class RequestError extends Error {
  override readonly name: string = "RequestError";
  /** HTTP status, 400 to 503. */
  readonly status: number;
  /** Further header fields of the answer. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** Refusal of a request that may succeed later. */
export function unavailable(message: string): RequestError {
  return new RequestError(503, message, { "Retry-After": "1" });
}
