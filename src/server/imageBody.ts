/** Image files in the bodies of requests: plain, in a form, or as a data URL in JSON. */
import * as z from "zod";
import { messageOf } from "../errors.ts";
import { parseJsonText, problemsOf } from "../schema.ts";
import { RequestError } from "./requestError.ts";

const jsonSchema = z.strictObject({ image: z.string() });

/** Media type of a Content-Type header, in lower case and without parameters. */
export function mediaTypeOf(contentType: string): string {
  return contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/**
 * The bytes of the image in a body: the first file of a form (`multipart/form-data`), the data URL of `{ "image": "data:…" }` (`application/json`), or
 * the body itself, whatever other type it has. Throws RequestError.
 */
export async function imageBytesOf(body: Uint8Array, contentType: string): Promise<Uint8Array> {
  const type = mediaTypeOf(contentType);
  if (type === "application/json") return fromJson(body);
  if (type === "multipart/form-data") return fromForm(body, contentType);
  if (body.length === 0) throw new RequestError(400, "image: expected the bytes of an image file, got an empty body");
  return body;
}

function fromJson(body: Uint8Array): Uint8Array {
  let image: string;
  try {
    ({ image } = jsonSchema.parse(parseJsonText(utf8(body))));
  } catch (error) {
    const why = error instanceof z.ZodError ? problemsOf(error) : messageOf(error);
    throw new RequestError(400, `body: expected { "image": "data:image/…;base64,…" }: ${why}`);
  }
  const [head = "", data] = splitAtComma(image);
  if (!/^data:[^,]*;base64$/i.test(head) || data === undefined) {
    throw new RequestError(400, "image: expected a data URL in base64, data:image/…;base64,…");
  }
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(data)) throw new RequestError(400, "image: expected base64 in the data URL");
  return Buffer.from(data, "base64");
}

function splitAtComma(url: string): readonly [head: string, data?: string] {
  const at = url.indexOf(",");
  return at < 0 ? [url] : [url.slice(0, at), url.slice(at + 1)];
}

/** Text of UTF-8 bytes. Throws RequestError for others. */
export function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new RequestError(400, "body: expected JSON in UTF-8");
  }
}

async function fromForm(body: Uint8Array, contentType: string): Promise<Uint8Array> {
  let form: FormData;
  try {
    const copy = new Uint8Array(body);
    form = await new Response(copy, { headers: { "Content-Type": contentType } }).formData();
  } catch (error) {
    throw new RequestError(400, `body: expected a form as multipart/form-data says: ${messageOf(error)}`);
  }
  for (const value of form.values()) if (typeof value !== "string") return new Uint8Array(await value.arrayBuffer());
  throw new RequestError(
    400,
    "body: expected a form with a file, got none; send one, as with curl --form image=@cat.jpg",
  );
}
