/** Requests that a server refuses: what is wrong is said, with a status of 4xx, and the server stays. Longer than other files: a table of all refusals. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { deflateSync } from "node:zlib";
import { crc32 } from "../src/image/files/crc32.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { noise } from "./packPictures.ts";
import { SIDE, writeColour } from "./servedNetworks.ts";
import { type Asked, ask, binaryInfer, exchangeBytes, jsonOf, refusalOf, startServing } from "./serving.ts";

let folder: string;
let server: Awaited<ReturnType<typeof startServing>>;
let image: Uint8Array;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-refusals-"));
  await writeColour(join(folder, "colour.safetensors"));
  server = await startServing({ colour: join(folder, "colour.safetensors") });
  image = await encodePng(noise(1, 20, 20, 3));
});
after(async () => {
  await server.close();
  // Nothing was an error of the server.
  assert.deepEqual(server.messages, []);
  await rm(folder, { recursive: true });
});

async function assertServes(): Promise<void> {
  jsonOf(await ask(server.url, "/predict", { body: image }));
}

/** A PNG file whose header promises these pixels, and whose data does not hold them. */
function bomb(width: number, height: number, data: Uint8Array): Buffer {
  const chunk = (type: string, content: Uint8Array) => {
    const named = Buffer.concat([Buffer.from(type), content]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(content.length);
    sum.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(data)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

test("images that predict refuses are refused in its words", async () => {
  const classifier = await openClassifier(join(folder, "colour.safetensors"), { threads: 1 });
  const bodies: Readonly<Record<string, Uint8Array>> = {
    text: Buffer.from("no image"),
    truncated: image.subarray(0, image.length - 20),
    bomb: bomb(60_000, 60_000, new Uint8Array(1 << 20)),
    "too little data": bomb(4000, 4000, new Uint8Array(100)),
    svg: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
  };
  for (const [name, body] of Object.entries(bodies)) {
    const expected = await classifier.predict(body).then(
      () => assert.fail(name),
      (error: Error) => error.message,
    );
    assert.equal(refusalOf(await ask(server.url, "/predict", { body }), 400), expected, name);
  }
  await classifier.close();
  await assertServes();
});

interface Refused extends Asked {
  readonly path?: string;
  readonly status: number;
  readonly message: RegExp;
}

const json = { "Content-Type": "application/json" };
const form = { "Content-Type": "multipart/form-data; boundary=b" };

test("/predict: queries, paths, methods, forms and JSON that mean nothing", async () => {
  const refused: readonly Refused[] = [
    { path: "/predict?model=other", status: 404, message: /no such model; expected one of "colour"/ },
    { path: "/predict?model=../../etc", status: 404, message: /no such model/ },
    { path: "/predict?top=0", status: 400, message: /top: expected a whole number above 0/ },
    { path: "/predict?top=1e999", status: 400, message: /top: expected/ },
    { path: "/predict?evil=1", status: 400, message: /expected top and model only/ },
    { path: "/predict", method: "PUT", status: 405, message: /expected POST/ },
    { path: "/predict", method: "GET", body: "", status: 405, message: /expected POST/ },
    { path: "/nowhere", status: 404, message: /no such address/ },
    { path: "/models/%ff", method: "GET", status: 400, message: /percent-encoded/ },
    { path: "/models/..%2f..%2fetc%2fpasswd", method: "GET", status: 404, message: /no such model/ },
    { path: "/../../../etc/passwd", method: "GET", status: 404, message: /no such address/ },
    { path: "//evil.example/predict", method: "GET", status: 404, message: /no such address/ },
    { path: "/predict/%00", status: 404, message: /no such address/ },
    { body: "", status: 400, message: /empty body/ },
    { headers: { "Content-Encoding": "gzip" }, status: 415, message: /uncompressed/ },
    { headers: json, body: "{", status: 400, message: /expected \{ "image"/ },
    { headers: json, body: "null", status: 400, message: /expected object, got null/ },
    { headers: json, body: '{"image":1}', status: 400, message: /image: expected string/ },
    {
      headers: json,
      body: '{"image":"data:image/png;base64,AA==","path":"/etc/passwd"}',
      status: 400,
      message: /unknown key/,
    },
    { headers: json, body: '{"image":"/etc/passwd"}', status: 400, message: /expected a data URL/ },
    { headers: json, body: '{"image":"file:///etc/passwd"}', status: 400, message: /expected a data URL/ },
    { headers: json, body: '{"image":"data:image/png;base64,?"}', status: 400, message: /expected base64/ },
    { headers: json, body: '{"image":"data:image/png;base64,"}', status: 400, message: /image: expected/ },
    { headers: json, body: Buffer.from([0x22, 0xff, 0x22]), status: 400, message: /UTF-8/ },
    { headers: json, body: "[".repeat(2e6), status: 400, message: /expected \{ "image"/ },
    { headers: form, body: "nonsense", status: 400, message: /expected a form/ },
    { headers: { "Content-Type": "multipart/form-data" }, body: "--b--", status: 400, message: /expected a form/ },
    {
      headers: form,
      body: '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\ntext\r\n--b--\r\n',
      status: 400,
      message: /a form with a file, got none/,
    },
  ];
  for (const { path = "/predict", status, message, ...asked } of refused) {
    const body = asked.body ?? (asked.method === "GET" ? undefined : image);
    const answered = await ask(server.url, path, { ...asked, ...(body !== undefined && { body }) });
    assert.match(refusalOf(answered, status), message, `${path} ${JSON.stringify(asked.headers)}`);
  }
  await assertServes();
});

test("/v2: tensors that the network does not accept", async () => {
  const shape = [1, SIDE, SIDE, 3];
  const data = Array.from({ length: SIDE * SIDE * 3 }, () => 0);
  const tensor = { name: "pixels", datatype: "UINT8", shape, data };
  const of = (changed: object) => JSON.stringify({ inputs: [{ ...tensor, ...changed }] });
  const values = { name: "input", datatype: "FP32", shape: [1, 3, SIDE, SIDE] };
  const nan = new Uint8Array(Float32Array.from(data, (_, i) => (i === 9 ? Number.NaN : 0)).buffer);
  const refused: readonly (Refused & { readonly name?: string })[] = [
    { body: "{}", status: 400, message: /inputs: missing/ },
    { body: "[]", status: 400, message: /expected object, got array/ },
    { body: '{"inputs":[]}', status: 400, message: /expected one tensor, "pixels" or "input", got 0/ },
    { body: JSON.stringify({ inputs: [tensor, tensor] }), status: 400, message: /expected one tensor.*got 2/ },
    {
      body: of({ name: "__proto__" }),
      status: 400,
      message: /expected the tensor "pixels" or "input", got "__proto__"/,
    },
    { body: of({ datatype: "FP32" }), status: 400, message: /pixels: expected datatype UINT8, got "FP32"/ },
    {
      body: of({ shape: [SIDE, SIDE, 3] }),
      status: 400,
      message: /expected shape \[n, 16, 16, 3\], got \[16, 16, 3\]/,
    },
    { body: of({ shape: [0, SIDE, SIDE, 3] }), status: 400, message: /expected shape/ },
    { body: of({ shape: [-1, SIDE, SIDE, 3] }), status: 400, message: /expected shape/ },
    { body: of({ shape: [1e300, SIDE, SIDE, 3] }), status: 400, message: /inputs\.0\.shape\.0/ },
    { body: of({ shape: [9, SIDE, SIDE, 3] }), status: 400, message: /expected at most 8 images, got 9; send fewer/ },
    { body: of({ data: data.slice(1) }), status: 400, message: /expected 768 values, got 767/ },
    {
      body: of({ data: data.map((_, i) => (i === 5 ? 256 : 0)) }),
      status: 400,
      message: /from 0 to 255, got 256 for value 5/,
    },
    { body: of({ data: data.map(() => 0.5) }), status: 400, message: /from 0 to 255, got 0.5/ },
    { body: of({ data: data.map(() => "1") }), status: 400, message: /got string for value 0/ },
    { body: of({ data: "abc" }), status: 400, message: /data: expected an array/ },
    { body: of({ data: [[[[[[1]]]]]] }), status: 400, message: /expected 768 values/ },
    {
      body: of({ ...values, data: data.map(() => 1e39) }),
      status: 400,
      message: /input: expected a finite number, got 1e\+39/,
    },
    { body: of({ ...values, data: data.map(() => null) }), status: 400, message: /got object for value 0/ },
    { ...binaryInfer(nan, values), status: 400, message: /input: expected a finite number, got NaN for value 9/ },
    { ...binaryInfer(new Uint8Array(767), { shape }), status: 400, message: /expected 768 binary bytes/ },
    {
      body: Buffer.concat([Buffer.from(of({})), Buffer.from("x")]),
      headers: { "Inference-Header-Content-Length": String(of({}).length) },
      status: 400,
      message: /expected binary_data_size/,
    },
    { body: of({ parameters: { binary_data_size: 768 } }), status: 400, message: /got both/ },
    {
      body: of({}),
      headers: { "Inference-Header-Content-Length": "-1" },
      status: 400,
      message: /expected a whole number/,
    },
    {
      body: of({}),
      headers: { "Inference-Header-Content-Length": "1e9" },
      status: 400,
      message: /expected a whole number/,
    },
    {
      body: JSON.stringify({ inputs: [tensor], outputs: [{ name: "other" }] }),
      status: 400,
      message: /expected "probabilities", got "other"/,
    },
    { path: "/v2/models/other/infer", body: of({}), status: 404, message: /no such model/ },
    { path: "/v2/models/colour/versions/2/infer", body: of({}), status: 404, message: /version: expected 1/ },
    // Parsed by a decoding thread, since it is long.
    {
      body: of({ shape: [8, SIDE, SIDE, 3], data: Array.from({ length: 40_000 }, () => 0) }),
      status: 400,
      message: /expected 6144 values, got 40000/,
    },
  ];
  for (const { path = "/v2/models/colour/infer", status, message, ...asked } of refused) {
    assert.match(refusalOf(await ask(server.url, path, asked), status), message, String(message));
  }
  await assertServes();
});

test("a body over 10 MiB is refused before it is read, with or without its length", async () => {
  const { host } = new URL(server.url);
  const announced = await exchangeBytes(
    server.url,
    `POST /predict HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${10 * 2 ** 20 + 1}\r\n\r\n`,
  );
  assert.match(announced, /^HTTP\/1\.1 413 /);
  const expecting = await exchangeBytes(
    server.url,
    `POST /predict HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n`,
  );
  assert.match(expecting, /^HTTP\/1\.1 413 /, "no 100 Continue");
  const body = new Uint8Array(10 * 2 ** 20 + 1);
  const chunked = await ask(server.url, "/predict", { body, headers: { "Transfer-Encoding": "chunked" } });
  assert.match(refusalOf(chunked, 413), /at most 10485760 bytes \(10 MiB\)/);
  const whole = await ask(server.url, "/predict", { body: body.subarray(1) });
  assert.match(refusalOf(whole, 400), /expected a JPEG/);
  await assertServes();
});

test("Host and Origin: this machine's names and addresses, pages of this server, and no others", async () => {
  const { host, port } = new URL(server.url);
  for (const name of [host, "localhost", `LOCALHOST:${port}`, "[::1]:80", "10.0.0.7"]) {
    assert.equal((await ask(server.url, "/v2", { headers: { host: name } })).status, 200, name);
  }
  for (const name of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[evil"]) {
    assert.match(refusalOf(await ask(server.url, "/v2", { headers: { host: name } }), 403), /expected localhost/);
  }
  const foreign = ["https://evil.example", "null", `http://evil.example:${port}`, "http://127.0.0.1:1"];
  for (const origin of foreign) {
    const refused = await ask(server.url, "/predict", { body: image, headers: { origin } });
    assert.match(refusalOf(refused, 403), /Origin: expected a page of this server/);
    assert.equal(refused.headers["access-control-allow-origin"], undefined);
    assert.equal((await ask(server.url, "/predict", { method: "OPTIONS", headers: { origin } })).status, 403);
  }
  const own = await ask(server.url, "/predict", { body: image, headers: { origin: `http://${host}` } });
  assert.equal(own.status, 200);
  assert.equal(own.headers["access-control-allow-origin"], undefined);

  const path = join(folder, "colour.safetensors");
  const access = { hosts: ["serve.example"], origins: ["https://app.example"] };
  const open = await startServing({ colour: path }, { access });
  try {
    const headers = { host: "serve.example:80", origin: "https://app.example" };
    const allowed = await ask(open.url, "/predict", { body: image, headers });
    assert.equal(allowed.status, 200);
    assert.equal(allowed.headers["access-control-allow-origin"], "https://app.example");
    const preflight = await ask(open.url, "/predict", { method: "OPTIONS", headers });
    assert.deepEqual([preflight.status, preflight.headers["access-control-allow-methods"]], [204, "GET, POST"]);
    const other = { ...headers, origin: "https://evil.example" };
    assert.equal((await ask(open.url, "/predict", { body: image, headers: other })).status, 403);
  } finally {
    await open.close();
  }
});

test("malformed HTTP and smuggled requests: 4xx, or the connection ends; one answer for one request", async () => {
  const { host } = new URL(server.url);
  const post = (fields: string, body = "") => `POST /predict HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n${body}`;
  const hidden = `GET /models HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const malformed = [
    "nonsense\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    `GET / HTTP/1.1\r\nHost: ${host}\r\nHost: evil.example\r\n\r\n`,
    "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    `CONNECT evil.example:443 HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${"a".repeat(20_000)}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\n X: folded\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost : ${host}\r\n\r\n`,
    post("Content-Length: 5\r\nContent-Length: 6\r\n", hidden),
    post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${hidden}`),
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", `0\r\n\r\n${hidden}`),
    post("Transfer-Encoding: xchunked\r\n", `0\r\n\r\n${hidden}`),
    post("Transfer-Encoding: chunked\r\n", `zz\r\n${hidden}`),
    post("Transfer-Encoding: chunked\r\n", `fffffffffffffffff\r\n${hidden}`),
    post("Content-Length: -1\r\n", hidden),
    post("Content-Length: 1e3\r\n", hidden),
  ];
  for (const bytes of malformed) {
    const received = await exchangeBytes(server.url, bytes);
    assert.match(received, /^(HTTP\/1\.1 4\d\d |$)/, JSON.stringify(bytes.slice(0, 100)));
    assert.doesNotMatch(received, /"models"/, `a hidden request was answered: ${JSON.stringify(bytes.slice(0, 200))}`);
  }
  await assertServes();
});

test("texts of requests are not markup, nor lines of the metrics", async () => {
  const evil = "<script>alert(1)</script>";
  const answered = await ask(server.url, `/models/${encodeURIComponent(evil)}`);
  assert.equal(answered.headers["content-type"], "application/json");
  assert.equal(answered.headers["x-content-type-options"], "nosniff");
  assert.doesNotMatch((await ask(server.url, "/")).body.toString(), /alert\(1\)/);
  assert.doesNotMatch((await ask(server.url, "/metrics")).body.toString(), /alert/);
});

test("slow clients and a full house: new connections replace those that wait, requests go through", async () => {
  const small = await startServing({ colour: join(folder, "colour.safetensors") }, { connections: 20 });
  try {
    const { hostname, port, host } = new URL(small.url);
    const slow = Array.from({ length: 60 }, (_, i) => {
      const socket = connect(Number(port), hostname);
      socket.on("error", () => undefined);
      // A third each: nothing, half a header, half a body.
      if (i % 3 > 0) socket.write(`POST /predict HTTP/1.1\r\nHost: ${host}\r\n`);
      if (i % 3 === 2) socket.write("Content-Length: 1000\r\n\r\nhalf");
      return socket;
    });
    await Promise.all(slow.map((socket) => (socket.connecting ? once(socket, "connect") : undefined)));
    for (let i = 0; i < 30; i++) jsonOf(await ask(small.url, "/predict", { body: image }));
    const figures = (await ask(small.url, "/metrics")).body.toString();
    assert.ok(Number(/^alexnet_connections (\d+)$/m.exec(figures)?.[1]) <= 20);
    for (const socket of slow) socket.destroy();
  } finally {
    await small.close();
  }
});

test("a client that goes away frees its place", async () => {
  // Nothing is answered within the wait for a full batch.
  const small = await startServing(
    { colour: join(folder, "colour.safetensors") },
    { queue: 2, maxBatch: 2, maxWait: 600 },
  );
  try {
    const { hostname, port, host } = new URL(small.url);
    const head = `POST /predict HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${image.length}\r\n\r\n`;
    for (let i = 0; i < 5; i++) {
      const gone = connect(Number(port), hostname);
      gone.write(Buffer.concat([Buffer.from(head), image]));
      await new Promise((resolve) => setTimeout(resolve, 60));
      gone.destroy();
    }
    jsonOf(await ask(small.url, "/predict", { body: image }));
    const figures = (await ask(small.url, "/metrics")).body.toString();
    assert.match(figures, /^alexnet_queue_images\{model="colour"\} 0$/m);
  } finally {
    await small.close();
  }
});
