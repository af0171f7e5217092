/**
 * ONNX messages that this program reads and writes, with field numbers.
 *
 * Source: onnx.proto of the ONNX project, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
 */
import { type Message, many, manyMessages, one, oneMessage } from "../containers/protobuf.ts";

/** TensorProto.DataType, supported values only. */
export const dataTypes = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  STRING: 8,
  BOOL: 9,
  FLOAT16: 10,
  DOUBLE: 11,
  UINT32: 12,
  UINT64: 13,
  COMPLEX64: 14,
  COMPLEX128: 15,
  BFLOAT16: 16,
} as const;

/** AttributeProto.AttributeType, written values only. */
export const attributeTypes = { FLOAT: 1, INT: 2, INTS: 7 } as const;

/** TensorProto.DataLocation. */
export const dataLocations = { DEFAULT: 0, EXTERNAL: 1 } as const;

export const entryTable = { key: one(1, "text"), value: one(2, "text") };

export const tensorTable = {
  dims: many(1, "int"),
  dataType: one(2, "int"),
  segment: one(3, "bytes"),
  /** Packed: four bytes each. */
  floatData: many(4, "bytes"),
  int32Data: many(5, "int"),
  stringData: many(6, "bytes"),
  int64Data: many(7, "int"),
  name: one(8, "text"),
  rawData: one(9, "bytes"),
  /** Packed: eight bytes each. */
  doubleData: many(10, "bytes"),
  externalData: manyMessages(13, () => entryTable),
  dataLocation: one(14, "int"),
};

export const attributeTable = {
  name: one(1, "text"),
  f: one(2, "float"),
  i: one(3, "int"),
  s: one(4, "bytes"),
  t: oneMessage(5, () => tensorTable),
  floats: many(7, "float"),
  ints: many(8, "int"),
  type: one(20, "int"),
};

export const nodeTable = {
  input: many(1, "text"),
  output: many(2, "text"),
  name: one(3, "text"),
  opType: one(4, "text"),
  attribute: manyMessages(5, () => attributeTable),
  domain: one(7, "text"),
};

export const dimensionTable = { value: one(1, "int"), parameter: one(2, "text") };
export const shapeTable = { dim: manyMessages(1, () => dimensionTable) };
export const tensorTypeTable = { elemType: one(1, "int"), shape: oneMessage(2, () => shapeTable) };
export const typeTable = { tensorType: oneMessage(1, () => tensorTypeTable) };
export const valueInfoTable = { name: one(1, "text"), type: oneMessage(2, () => typeTable) };

export const graphTable = {
  node: manyMessages(1, () => nodeTable),
  name: one(2, "text"),
  initializer: manyMessages(5, () => tensorTable),
  docString: one(10, "text"),
  input: manyMessages(11, () => valueInfoTable),
  output: manyMessages(12, () => valueInfoTable),
  sparseInitializer: many(15, "bytes"),
};

export const opsetTable = { domain: one(1, "text"), version: one(2, "int") };

export const modelTable = {
  irVersion: one(1, "int"),
  producerName: one(2, "text"),
  producerVersion: one(3, "text"),
  docString: one(6, "text"),
  graph: oneMessage(7, () => graphTable),
  opsetImport: manyMessages(8, () => opsetTable),
  metadataProps: manyMessages(14, () => entryTable),
};

export type TensorMessage = Message<typeof tensorTable>;
export type NodeMessage = Message<typeof nodeTable>;
export type AttributeMessage = Message<typeof attributeTable>;
export type ValueInfoMessage = Message<typeof valueInfoTable>;
export type GraphMessage = Message<typeof graphTable>;
export type ModelMessage = Message<typeof modelTable>;
