/** The engine's module: every kernel, and the loop that runs them. */
import { ModuleBuilder } from "../../assembler/assembler.ts";
import { f32x4, relaxedMultiplyAdd } from "../../assembler/instructions.ts";
import { activationKernels } from "./kernels/activations.ts";
import { batchNormKernels } from "./kernels/batchNorm.ts";
import { dropoutKernel } from "./kernels/dropout.ts";
import { localConvolutionKernels } from "./kernels/localConvolution.ts";
import { bordersKernel, lanesKernel, plainKernels, rowKernel } from "./kernels/maps.ts";
import { normKernels } from "./kernels/norm.ts";
import { maxPoolKernels, meanPoolKernels } from "./kernels/pools.ts";
import { productKernel, transposedProductKernel } from "./kernels/product.ts";
import { exportRun } from "./kernels/run.ts";
import { squaresKernel, updateKernel } from "./kernels/tensors.ts";
import { gradientTiles, type MultiplyAdd, productTiles } from "./kernels/tile.ts";
import { tileRowsKernel, weightGradientKernel } from "./kernels/weightGradient.ts";

/** Instruction sets that the module can use. */
export type InstructionSet = "SIMD" | "relaxed SIMD";

const multiplyAdd: Readonly<Record<InstructionSet, MultiplyAdd>> = {
  SIMD: (a, b, c) => f32x4.add(c, f32x4.mul(a, b)),
  "relaxed SIMD": relaxedMultiplyAdd,
};

/** Builds the module: its bytes, and the kernels by name. */
export function buildKernels(instructionSet: InstructionSet) {
  const module = new ModuleBuilder();
  const now = module.hostFunction("now", [], "f64");
  const power = module.hostFunction("power", ["f64", "f64"], "f64");
  const products = productTiles(module, multiplyAdd[instructionSet]);
  const kernels = {
    product: productKernel(module, products),
    transposedProduct: transposedProductKernel(module, products),
    weightGradient: weightGradientKernel(module, gradientTiles(module, multiplyAdd[instructionSet])),
    tileRows: tileRowsKernel(module),
    activations: activationKernels(module),
    copy: rowKernel(module, (x) => x),
    borders: bordersKernel(module),
    clearLanes: lanesKernel(module),
    ...plainKernels(module),
    ...maxPoolKernels(module),
    ...meanPoolKernels(module),
    ...normKernels(module, power),
    ...batchNormKernels(module),
    ...localConvolutionKernels(module),
    dropout: dropoutKernel(module),
    update: updateKernel(module),
    squares: squaresKernel(module),
  };
  exportRun(module, now);
  return { bytes: module.bytes(), kernels };
}

export type Kernels = ReturnType<typeof buildKernels>["kernels"];
