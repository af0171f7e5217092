/** Snapshots of `caffe train`, written from a list of layers. */
import {
  blobTable,
  convolutionTable,
  layerTable,
  linearTable,
  netTable,
  normTable,
  poolingTable,
  shapeTable,
  transformTable,
} from "../src/formats/caffe/messages.ts";
import {
  bytes,
  concatenated,
  type Encoded,
  float,
  int,
  ints,
  message,
  text,
} from "../src/formats/containers/protobuf.ts";
import { sizeOf } from "../src/shape.ts";
import { drawn } from "./golden.ts";
import { messageBytes } from "./messageBytes.ts";

type Values = Readonly<Record<string, number | string>>;

/** A layer of an example; parameters by the names of this program's tables. */
export interface ExampleLayer {
  readonly name: string;
  readonly type: string;
  /** True if the layer writes to its input, as ReLU and Dropout do in Caffe's examples. */
  readonly inPlace?: boolean;
  readonly convolution?: Values;
  readonly linear?: Values;
  readonly pooling?: Values;
  readonly norm?: Values;
  readonly transform?: Values | undefined;
  /** Shapes of the weights. */
  readonly blobs?: readonly (readonly number[])[];
  /** Values of the weights; default random. */
  readonly values?: readonly (readonly number[])[];
}

const parameters = {
  convolution: convolutionTable,
  linear: linearTable,
  pooling: poolingTable,
  norm: normTable,
  transform: transformTable,
} as const;

/** Phase TRAIN of caffe.proto, and the field numbers of LayerParameter.phase and of the rule's phase. */
const [TRAIN, LAYER_PHASE, RULE_PHASE] = [0, 10, 1];
/** LayerParameter.data_param, of which only the source is written. */
const DATA = 107;

/** Bytes of a snapshot: the net as Caffe filters it for training, with a data layer that has the rule `include { phase: TRAIN }`. */
export async function snapshotOf(name: string, layers: readonly ExampleLayer[]): Promise<Uint8Array> {
  let tip = "data";
  const encoded = layers.map((layer) => {
    const isData = layer.type === "Data";
    const bottoms = isData ? [] : layer.type === "SoftmaxWithLoss" ? [tip, "label"] : [tip];
    const top = layer.inPlace ? tip : layer.name;
    tip = top;
    return message(netTable.layers.number, encodeLayer(layer, bottoms, isData ? [top, "label"] : [top]));
  });
  const net = concatenated(text(netTable.name.number, name), ...encoded);
  return messageBytes(net);
}

function encodeLayer(layer: ExampleLayer, bottoms: readonly string[], tops: readonly string[]): Encoded {
  const { blobs, include } = layerTable;
  const isData = layer.type === "Data";
  return concatenated(
    encodeHead(layer, bottoms, tops),
    ...(layer.blobs ?? []).map((shape, i) => message(blobs.number, encodeBlob(layer, shape, i))),
    ...(isData ? [message(include.number, int(RULE_PHASE, TRAIN)), message(DATA, text(1, "train_lmdb"))] : []),
    int(LAYER_PHASE, TRAIN),
    ...Object.entries(parameters).flatMap(([kind, table]) => {
      const values = layer[kind as keyof typeof parameters];
      if (!values) return [];
      const fields = Object.entries(values).map(([field, value]) => encodeField(table, field, value));
      return [message(layerTable[kind as keyof typeof parameters].number, ...fields)];
    }),
  );
}

/** Name, type, inputs and outputs of a layer. */
export function encodeHead(
  layer: Pick<ExampleLayer, "name" | "type">,
  bottoms: readonly string[],
  tops: readonly string[],
): Encoded {
  const { name, type, bottom, top } = layerTable;
  return concatenated(
    text(name.number, layer.name),
    text(type.number, layer.type),
    ...bottoms.map((each) => text(bottom.number, each)),
    ...tops.map((each) => text(top.number, each)),
  );
}

function encodeField(table: object, field: string, value: number | string): Encoded {
  const { number, type } = (table as Record<string, { number: number; type: unknown }>)[field] as {
    number: number;
    type: unknown;
  };
  if (typeof value === "string") return text(number, value);
  return type === "float" ? float(number, value) : int(number, value);
}

/** Weights of deviation 1 / √fan-in, so that activations keep their size. */
function encodeBlob({ name, values }: ExampleLayer, shape: readonly number[], place: number): Encoded {
  const scale = 1 / Math.sqrt(Math.max(1, sizeOf(shape.slice(1))));
  const content = values?.[place]
    ? Float32Array.from(values[place])
    : drawn(7, `${name}.${place}`, sizeOf(shape), -scale, scale);
  return concatenated(
    message(blobTable.shape.number, ints(shapeTable.dim.number, shape)),
    bytes(blobTable.data.number, new Uint8Array(content.buffer, content.byteOffset, content.byteLength)),
  );
}
