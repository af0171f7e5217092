/** Tensors of a program: f64 inside, f32 at the interface. */
import { ClosedError, ShapeError } from "../../errors.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import type { Tensor } from "../engine.ts";

/** Tensors of one program: f64 inside, f32 at the interface. */
export class Tensors {
  #values: Map<Tensor, Float64Array> | undefined = new Map();

  add(shape: Shape, values: Float64Array): Tensor {
    const tensor = { shape };
    this.#open().set(tensor, values);
    return tensor;
  }

  /** Throws if the tensor belongs to another program, or the program is closed. */
  values(tensor: Tensor): Float64Array {
    const values = this.#open().get(tensor);
    if (!values) throw new Error(`tensor [${tensor.shape.join(", ")}]: belongs to another program`);
    return values;
  }

  read(tensor: Tensor, into: Float32Array = new Float32Array(sizeOf(tensor.shape))): Float32Array {
    const values = this.values(tensor);
    checkLength(tensor, values, into);
    into.set(values);
    return into;
  }

  write(tensor: Tensor, from: Float32Array): void {
    const values = this.values(tensor);
    checkLength(tensor, values, from);
    values.set(from);
  }

  close(): void {
    this.#values = undefined;
  }

  #open(): Map<Tensor, Float64Array> {
    if (!this.#values) throw new ClosedError("program");
    return this.#values;
  }
}

function checkLength(tensor: Tensor, values: Float64Array, given: Float32Array): void {
  if (given.length !== values.length) {
    throw new ShapeError(
      `tensor [${tensor.shape.join(", ")}]: expected ${values.length} values, got ${given.length} values`,
    );
  }
}
