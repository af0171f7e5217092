/** Frames between a server and its engine process: a header of 16 bytes and a payload, over one pipe in each direction. */

/** Kinds of frames from the server. */
export const requestKinds = {
  /** 8-bit pixels [count, H, W, C] of the input's size. */
  pixels: 1,
  /** Normalized values in f32, [count, C, H, W]. */
  values: 2,
  /** Cancels the request of this id; without payload. */
  cancel: 3,
} as const;

/** Kinds of frames from the engine process. */
export const answerKinds = {
  /** Sign of life. The id is the number of milliseconds since the computation in progress began. */
  beat: 1,
  /** Probabilities in f64, [count, classes]. */
  probabilities: 2,
  /** Error message of one request. */
  refusal: 3,
  /** JSON of `EngineFacts`: requests are accepted from now on. */
  ready: 4,
  /** Text of a note or warning. */
  note: 5,
  /** Error message of opening the network; the process ends. */
  failure: 6,
} as const;

/** A frame with its complete payload. */
export interface Frame {
  readonly kind: number;
  readonly id: number;
  readonly count: number;
  readonly payload: Uint8Array;
}

/** Bytes of a header. */
export const HEADER_BYTES = 16;

/** The header of a frame; its payload follows. */
export function headerOf(kind: number, id: number, count: number, bytes: number): Uint8Array {
  const header = new Uint32Array([kind, id, count, bytes]);
  return new Uint8Array(header.buffer);
}

/** Memory for a frame's payload of `bytes` bytes. */
export type PayloadMemory = (kind: number, count: number, bytes: number) => Uint8Array;

/** Creates a function that accepts bytes in pieces of any size and calls `onFrame` with each complete frame. */
export function createFrameReader(
  onFrame: (frame: Frame) => void,
  memoryFor: PayloadMemory = (_kind, _count, bytes) => new Uint8Array(bytes),
): (chunk: Uint8Array) => void {
  const header = new Uint8Array(HEADER_BYTES);
  const words = new Uint32Array(header.buffer);
  let filled = 0;
  let payload: Uint8Array | undefined;
  const finish = (complete: Uint8Array) => {
    filled = 0;
    payload = undefined;
    onFrame({ kind: words[0] as number, id: words[1] as number, count: words[2] as number, payload: complete });
  };
  return (chunk) => {
    let rest = chunk;
    while (rest.length > 0) {
      const target = payload ?? header;
      const piece = rest.subarray(0, target.length - filled);
      target.set(piece, filled);
      filled += piece.length;
      rest = rest.subarray(piece.length);
      if (filled < target.length) return;
      if (payload) {
        finish(payload);
        continue;
      }
      const [kind = 0, , count = 0, bytes = 0] = words;
      filled = 0;
      payload = memoryFor(kind, count, bytes);
      if (bytes === 0) finish(payload);
    }
  };
}
