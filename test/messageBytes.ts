/** Protobuf messages as the bytes of a file. */
import { chunksOf, type Encoded } from "../src/formats/containers/protobuf.ts";
import { bytesOf } from "./onnxRuntime.ts";

/** All bytes of a message. */
export function messageBytes(encoded: Encoded): Promise<Uint8Array> {
  return bytesOf({ byteLength: encoded.byteLength, chunks: chunksOf(encoded) });
}
