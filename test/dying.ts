/** File system calls that die or fail at a chosen moment, for tests. */
import fs from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

type Call = (this: unknown, ...args: unknown[]) => Promise<unknown>;
type Calls = Record<string, Call>;

/** The calls that change a folder or a file; `sync` changes nothing that a dying process, unlike a dying machine, would show. */
const changing = ["open", "link", "rename", "copyFile"];

/**
 * Runs an action as if the process died just before its `fatal`-th change of the file system, or half-way through it if
 * that is a write; then nothing more happens, not even cleaning up. `links: false` is a file system without hard links.
 *
 * Returns whether it died.
 */
export async function dying(fatal: number, links: boolean, action: () => Promise<void>): Promise<boolean> {
  const files = fs.promises as unknown as Calls;
  const handles = await handlePrototype();
  const opened: FileHandle[] = [];
  const undo: (() => void)[] = [];
  const forever = new Promise<never>(() => {});
  let changes = 0;
  const replace = (owner: Calls, name: string, make: (original: Call) => Call) => {
    const original = owner[name] as Call;
    owner[name] = make(original);
    undo.push(() => {
      owner[name] = original;
    });
  };
  const died = new Promise<true>((resolve) => {
    const change = (name: string) => (original: Call) =>
      async function (this: unknown, ...args: unknown[]) {
        if (changes++ === fatal) {
          if (name === "write") await original.call(this, args[0], args[1], (args[2] as number) >> 1, args[3]);
          resolve(true);
        }
        if (changes > fatal) return forever;
        if (name === "link" && !links) throw Object.assign(new Error("EPERM"), { code: "EPERM", syscall: "link" });
        const result = await original.apply(this, args);
        if (name === "open") opened.push(result as FileHandle);
        return result;
      };
    for (const name of changing) replace(files, name, change(name));
    replace(handles, "write", change("write"));
    replace(
      files,
      "rm",
      (original) =>
        (...args) =>
          changes > fatal ? forever : original(...args),
    );
    replace(handles, "sync", () => async () => {});
  });
  syncBuiltinESMExports();
  try {
    return await Promise.race([died, action().then(() => false)]);
  } finally {
    for (const each of undo) each();
    syncBuiltinESMExports();
    for (const handle of opened) await handle.close().catch(() => {});
  }
}

async function handlePrototype(): Promise<Calls> {
  const probe = await open(import.meta.filename, "r");
  await probe.close();
  return Object.getPrototypeOf(probe) as Calls;
}
