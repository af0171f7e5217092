/**
 * Errors that a user can cause. A message names the thing, what was expected, what was found, and a remedy if there is one. The command
 * line prints only the message (exit code 1), and a stack trace for any other error.
 */
export class AlexNetError extends Error {
  /** Exit code of the command line. */
  readonly exitCode: number = 1;

  /** The name of its class, which a bundler that shortens names does not change. */
  override readonly name: string = "AlexNetError";
}

/** Shape of a layer, tensor or image does not fit. */
export class ShapeError extends AlexNetError {
  override readonly name: string = "ShapeError";
}

/** Invalid network, recipe, flag or other setting. */
export class ConfigError extends AlexNetError {
  override readonly name: string = "ConfigError";
}

/** Invalid command line, or a file that stands for part of one. */
export class UsageError extends ConfigError {
  override readonly name: string = "UsageError";
  override readonly exitCode = 2;
}

/** Unusable data set or image. */
export class DataError extends AlexNetError {
  override readonly name: string = "DataError";
}

/** Truncated image file. */
export class TruncatedImageError extends DataError {
  override readonly name: string = "TruncatedImageError";
}

/** Network outputs of an image are NaN or infinite. */
export class NonFiniteError extends DataError {
  override readonly name: string = "NonFiniteError";
}

/** Checkpoint, run directory or model file that cannot be read or written. */
export class CheckpointError extends AlexNetError {
  override readonly name: string = "CheckpointError";
}

/** Model file with a feature that is not supported; the message names it. */
export class UnsupportedError extends AlexNetError {
  override readonly name: string = "UnsupportedError";
}

/** Native library missing, too old, or reporting a failure. */
export class NativeError extends AlexNetError {
  override readonly name: string = "NativeError";
}

/** Use of a classifier, program, engine or other owner of native memory after it was closed. */
export class ClosedError extends NativeError {
  override readonly name: string = "ClosedError";
  /** `thing` is what was closed. */
  constructor(thing: string) {
    super(`${thing}: used after close(); open it again`);
  }
}

/** Operation that the native library does not support. */
export class UnimplementedError extends NativeError {
  override readonly name: string = "UnimplementedError";
}

/** Loss or weight that becomes NaN or infinite during training. */
export class DivergenceError extends AlexNetError {
  override readonly name: string = "DivergenceError";
  override readonly exitCode = 3;
  /** Description of the divergence, without a remedy. */
  readonly reason: string;

  constructor(reason: string, remedy: string) {
    super(`${reason}; ${remedy}`);
    this.reason = reason;
  }
}

/** Failure of another process of the same run, which reports it itself. */
export class PeerError extends AlexNetError {
  override readonly name: string = "PeerError";
  override readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Errors of the operating system in words, with a remedy. */
const systemErrors: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder; check the path",
  ENOTDIR: "a file is in the place of a folder; choose another path",
  EISDIR: "expected a file, got a folder; name a file",
  EEXIST: "a file with this name exists; remove it, or choose another name",
  EACCES: "permission denied; change its permissions, or choose another path",
  EPERM: "permission denied; change its permissions, or choose another path",
  EBUSY: "in use by another program; close that program, or choose another path",
  EROFS: "the file system is read-only; choose another path",
  ENOSPC: "no space left on the disk; free some, or choose another disk",
  EMFILE: "too many open files; raise the limit, as with ulimit -n 4096",
  ENAMETOOLONG: "the name is too long; choose a shorter one",
  ELOOP: "too many symbolic links; check the links in the path",
};

/** Message of any thrown value; errors of the operating system in words. */
export function messageOf(error: unknown): string {
  const code = codeOf(error);
  if (error instanceof Error && "syscall" in error && Object.hasOwn(systemErrors, code)) {
    return systemErrors[code] as string;
  }
  return error instanceof Error ? error.message : String(error);
}

/** System error code, such as `ENOENT`; empty if there is none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
