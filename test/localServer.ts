/** A web server of the test's own process. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

/** Headers that isolate a page: it has a precise clock, and memory that its workers share. */
export const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** A web server of this process. */
export interface LocalServer {
  /** Without a slash at its end. */
  readonly url: string;
  /** Cuts its connections too. */
  close(): void;
}

/** Starts one, by default on a free port. */
export async function serve(answer: RequestListener, port = 0): Promise<LocalServer> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
