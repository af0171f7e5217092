/** Data and files that belong to the page. */
import type { PageData } from "../exchange/webPageData.ts";

/** Reads the data block. */
export function readPageData(): PageData {
  const text = document.getElementById("data")?.textContent ?? "{}";
  return { models: [], ...(JSON.parse(text) as Partial<PageData>) };
}

/** Fetches a file of the page's host. Throws Error with the server's message, or with its name and the status. */
export async function fetchBytes(address: string): Promise<Uint8Array> {
  const response = await fetch(address);
  if (!response.ok) {
    const { error } = (await response.json().catch(() => ({}))) as { readonly error?: string };
    throw new Error(error ?? `${address}: ${response.status}`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

let sampleBytes: Promise<Uint8Array> | undefined;

/** The sample's bytes, unpacked; fetched once, again after a failure. */
export function fetchSample(address: string): Promise<Uint8Array> {
  sampleBytes ??= fetchBytes(address).then(async (packed) => {
    const stream = new Blob([packed as BlobPart]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  });
  sampleBytes.catch(() => {
    sampleBytes = undefined;
  });
  return sampleBytes;
}
