/**
 * TensorBoard's event files: a TFRecord for each event, which is a protocol buffer.
 *
 *     record = length (u64), masked CRC-32C of the length (u32), event, masked CRC-32C of the event (u32), all little-endian
 *     Event = { 1: wall_time double, 2: step int64, 3: file_version string, 5: Summary, 7: SessionLog }
 *     Summary = { 1: repeated Value { 1: tag string, 2: simple_value float } };  SessionLog = { 1: status, 1 is START }
 *
 * Source: tensorflow/core/lib/io/record_writer.cc, core/util/event.proto, core/framework/summary.proto.
 */

/** Time and iteration of an event. */
export interface EventTime {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
}

/** First record of every file. */
export function versionRecord(time: EventTime): Buffer {
  return record(event(time, bytesField(3, Buffer.from("brain.Event:2"))));
}

/** A record that makes TensorBoard discard earlier values, also of older files, at this step and later. */
export function startRecord(time: EventTime): Buffer {
  return record(event(time, bytesField(7, Buffer.from([key(1, "varint"), 1]))));
}

/** A record of scalar values by tag. */
export function scalarsRecord(time: EventTime, values: Readonly<Record<string, number>>): Buffer {
  const parts = Object.entries(values).map(([tag, value]) =>
    bytesField(1, Buffer.concat([bytesField(1, Buffer.from(tag)), floatField(2, value)])),
  );
  return record(event(time, bytesField(5, Buffer.concat(parts))));
}

function event({ wallTime, step }: EventTime, content: Buffer): Buffer {
  const time = Buffer.alloc(9);
  time[0] = key(1, "fixed64");
  time.writeDoubleLE(wallTime, 1);
  return Buffer.concat([time, Buffer.from([key(2, "varint"), ...varint(step)]), content]);
}

const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Key of a protocol buffer field. All field numbers here are below 16, so a key takes one byte. */
function key(field: number, type: keyof typeof wireTypes): number {
  return field * 8 + wireTypes[type];
}

function bytesField(field: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([key(field, "bytes"), ...varint(content.length)]), content]);
}

function floatField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = key(field, "fixed32");
  bytes.writeFloatLE(value, 1);
  return bytes;
}

/** Variable-length integer: seven bits a byte, lowest first; the highest bit marks a continuation. */
function varint(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

function record(content: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(content.length));
  return Buffer.concat([length, maskedChecksum(length), content, maskedChecksum(content)]);
}

/** Masked CRC: rotated and offset, because a CRC over data that contains its own CRC is weak. */
function maskedChecksum(bytes: Uint8Array): Buffer {
  const checksum = crc32c(bytes);
  const masked = Buffer.alloc(4);
  masked.writeUInt32LE((((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0);
  return masked;
}

const castagnoli = 0x82f63b78;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ castagnoli : rest >>> 1;
  return rest;
});

/** The CRC-32 of Castagnoli's polynomial (RFC 3720, appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  let rest = 0xffffffff;
  for (const byte of bytes) rest = (table[(rest ^ byte) & 255] as number) ^ (rest >>> 8);
  return ~rest >>> 0;
}
