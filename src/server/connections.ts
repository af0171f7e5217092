/** Connections of a server: at most a number of them, of which those that wait for their client give way to new ones. */
import type { Server } from "node:http";
import type { Socket } from "node:net";

/** Connections of a server. */
export interface Connections {
  readonly count: number;
  /** Marks a connection with an accepted request: it stays until `answered`. */
  keep(socket: Socket): void;
  /** Ends a `keep`. The connection waits for its client again: to read the answer, and for its next request. */
  release(socket: Socket): void;
  /** Marks a connection as used just now. */
  touch(socket: Socket): void;
  /**
   * Accounts for bytes of a body in memory: a positive number when they arrive, a negative one when they are used. If all bodies together exceed their
   * limit, closes the connections that have waited longest with a part of a body; false if that is not enough.
   */
  hold(socket: Socket, bytes: number): boolean;
  /** Closes all connections without an accepted request. */
  dropIdle(): void;
}

/** Limits of connections. */
export interface ConnectionLimits {
  readonly connections: number;
  /** Bytes of all bodies that are not complete, or not decoded yet. */
  readonly bodyBytes: number;
}

/** Watches the connections of a server. */
export function watchConnections(server: Server, limits: ConnectionLimits): Connections {
  const all = new Set<Socket>();
  /** Those that wait for their client, the longest first. */
  const idle = new Set<Socket>();
  /** Number of accepted requests; clients may send several before the first answer. */
  const kept = new Map<Socket, number>();
  const held = new Map<Socket, number>();
  let heldBytes = 0;

  const drop = (socket: Socket) => {
    idle.delete(socket);
    socket.destroy();
  };
  server.on("connection", (socket: Socket) => {
    if (all.size >= limits.connections) {
      const [longest] = idle;
      if (!longest) return void socket.destroy();
      drop(longest);
    }
    all.add(socket);
    idle.add(socket);
    socket.once("close", () => {
      all.delete(socket);
      idle.delete(socket);
      heldBytes -= held.get(socket) ?? 0;
      held.delete(socket);
      kept.delete(socket);
    });
  });
  return {
    get count() {
      return all.size;
    },
    keep(socket) {
      kept.set(socket, (kept.get(socket) ?? 0) + 1);
      idle.delete(socket);
    },
    release(socket) {
      const left = (kept.get(socket) ?? 1) - 1;
      kept.set(socket, left);
      if (left === 0 && all.has(socket)) idle.add(socket);
    },
    touch(socket) {
      if (idle.delete(socket)) idle.add(socket);
    },
    hold(socket, bytes) {
      if (!all.has(socket)) return false;
      heldBytes += bytes;
      held.set(socket, (held.get(socket) ?? 0) + bytes);
      for (const each of bytes > 0 ? idle : []) {
        if (heldBytes <= limits.bodyBytes) break;
        const own = held.get(each) ?? 0;
        if (own === 0 || each === socket) continue;
        heldBytes -= own;
        held.delete(each);
        drop(each);
      }
      return heldBytes <= limits.bodyBytes;
    },
    dropIdle() {
      for (const socket of idle) drop(socket);
    },
  };
}
