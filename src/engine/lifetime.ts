/** Lifetime of an engine: it owns its programs, closes once, and then refuses work. */
import { ClosedError } from "../errors.ts";
import type { Program } from "./engine.ts";

export interface EngineLifetime {
  /** Throws ClosedError if the engine is closed. */
  requireOpen(): void;
  /** Registers a program, so that closing the engine closes it: at once if the engine was closed during compilation. */
  own<P extends Program>(program: P): P;
  /** Closes open programs, then frees shared resources. Closing again does nothing. */
  close(): void;
}

/** Tracks the open programs of the engine `name`; `free` releases their shared resources. */
export function engineLifetime(name: string, free: () => void): EngineLifetime {
  const programs = new Set<Program>();
  let isOpen = true;
  return {
    requireOpen() {
      if (!isOpen) throw new ClosedError(`engine ${name}`);
    },
    own(program) {
      const close = program.close.bind(program);
      program.close = () => {
        programs.delete(program);
        close();
      };
      programs.add(program);
      if (!isOpen) program.close();
      return program;
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      for (const program of programs) program.close();
      free();
    },
  };
}
