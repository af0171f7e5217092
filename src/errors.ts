/**
 * Every error that a user can cause. The message begins with the thing it is about, gives what was expected and
 * what was found, and the remedy if there is one. The command line prints these messages alone (exit code 1) and a
 * stack for anything else.
 */
export class AlexNetError extends Error {
  /** The exit code of the command line tool for this error. */
  readonly exitCode: number = 1;

  /** The name of its class, which a bundler that shortens names does not change. */
  override readonly name: string = "AlexNetError";
}

/** A layer, tensor or image has a shape that does not fit. */
export class ShapeError extends AlexNetError {
  override readonly name: string = "ShapeError";
}

/** A network, recipe, flag or other setting is not valid. */
export class ConfigError extends AlexNetError {
  override readonly name: string = "ConfigError";
}

/** A command line, or a file that stands for a part of one, is not valid. */
export class UsageError extends ConfigError {
  override readonly name: string = "UsageError";
  override readonly exitCode = 2;
}

/** A data set or an image cannot be used. */
export class DataError extends AlexNetError {
  override readonly name: string = "DataError";
}

/** An image file ends before its picture does. */
export class TruncatedImageError extends DataError {
  override readonly name: string = "TruncatedImageError";
}

/** A network's outputs for an image are NaN or infinite. */
export class NonFiniteError extends DataError {
  override readonly name: string = "NonFiniteError";
}

/** A checkpoint, a run directory or a model file cannot be read or written. */
export class CheckpointError extends AlexNetError {
  override readonly name: string = "CheckpointError";
}

/** A model file is sound, but has something that networks here do not; the message names it. */
export class UnsupportedError extends AlexNetError {
  override readonly name: string = "UnsupportedError";
}

/** A native library is missing, too old, or reported a failure. */
export class NativeError extends AlexNetError {
  override readonly name: string = "NativeError";
}

/** A classifier, program, engine or other owner of native memory was used after it was closed. */
export class ClosedError extends NativeError {
  override readonly name: string = "ClosedError";
  /** `thing` is what was closed. */
  constructor(thing: string) {
    super(`${thing}: used after close(); open it again`);
  }
}

/** A native library does not have what was asked of it. */
export class UnimplementedError extends NativeError {
  override readonly name: string = "UnimplementedError";
}

/** Training produced a loss or a weight that is not finite. */
export class DivergenceError extends AlexNetError {
  override readonly name: string = "DivergenceError";
  override readonly exitCode = 3;
  /** What is not finite, and since when: the message without the remedy. */
  readonly reason: string;

  constructor(reason: string, remedy: string) {
    super(`${reason}; ${remedy}`);
    this.reason = reason;
  }
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's code of an error, such as `ENOENT`; empty if it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
